"""Try mutations: `python -m tests.mutations lease fence`, those that are about all these words.

Exits with 1 when a fault was not noticed. What is known by now of all is written to
docs/mutations.md.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.mutations.mutation import Mutation
from tests.mutations.report import report
from tests.mutations.results import Result, Verdict, keep, latest
from tests.mutations.running import ROOT, copied_tree, failing_without, run
from tests.mutations.table import MUTATIONS
from tests.mutations.warm import preload


def main() -> int:
    """Try what the command line asks for; gives the exit code."""
    asked = _arguments()
    chosen = [each for each in MUTATIONS if each.is_about(asked.words)]
    if asked.missing:
        chosen = [each for each, result in latest(chosen, ROOT) if result is None]
    print(f"{len(chosen)} of {len(MUTATIONS)} mutations", flush=True)
    preload()
    with tempfile.TemporaryDirectory() as room:
        tree = copied_tree(Path(room))
        if chosen and not asked.unchecked and (output := failing_without(tree, chosen)):
            print(f"The tests are not green without mutations:\n{output}")
            return 1
        verdicts = [_try(tree, mutation) for mutation in chosen]
    (ROOT / "docs/mutations.md").write_text(report(latest(MUTATIONS, ROOT)))
    return 0 if set(verdicts) <= {Verdict.RED} else 1


def _try(tree: Path, mutation: Mutation) -> Verdict:
    since = time.monotonic()
    result = run(tree, mutation)
    keep(result, ROOT)
    _print(result, time.monotonic() - since)
    return result.verdict


def _print(result: Result, seconds: float) -> None:
    change = " ".join(result.was.split())[:60]
    print(f"{result.verdict:9} {seconds:4.0f} s  {result.file}  {change}", flush=True)
    print(f"{'':18}{result.detail}", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.mutations", description=__doc__)
    parser.add_argument("words", nargs="*", help="words of those to try; without one, all")
    parser.add_argument("--missing", action="store_true", help="those without a result yet")
    parser.add_argument(
        "--unchecked", action="store_true", help="do not first see that all tests are green"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
