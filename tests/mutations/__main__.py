"""Try mutations: `python -m tests.mutations lease fence`, those that are about all these words.

Exits with 1 when a fault was not noticed. What is known by now of all is written to
docs/mutations.md after each.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.mutations.mutation import Mutation
from tests.mutations.report import read, report
from tests.mutations.results import Result, Verdict
from tests.mutations.running import ROOT, copied_tree, failing_without, run
from tests.mutations.table import MUTATIONS
from tests.mutations.warm import preload

PAGE = ROOT / "docs/mutations.md"


def main() -> int:
    """Try what the command line asks for; gives the exit code."""
    asked = _arguments()
    known = read(PAGE.read_text(), MUTATIONS)
    chosen = [each for each in MUTATIONS if each.is_about(asked.words)]
    if asked.missing:
        chosen = [each for each in chosen if not _was_noticed(known[each])]
        chosen.sort(key=lambda each: known[each] is not None)
    chosen = chosen[: asked.most]
    print(f"{len(chosen)} of {len(MUTATIONS)} mutations", flush=True)
    preload()
    with tempfile.TemporaryDirectory() as room:
        tree = copied_tree(Path(room))
        if chosen and not asked.unchecked and (output := failing_without(tree, chosen)):
            print(f"The tests are not green without mutations:\n{output}")
            return 1
        for mutation in chosen:
            known[mutation] = _try(tree, mutation)
            PAGE.write_text(report(known))
    return 0 if all(_was_noticed(known[each]) for each in chosen) else 1


def _was_noticed(result: Result | None) -> bool:
    return result is not None and result.verdict is Verdict.RED


def _try(tree: Path, mutation: Mutation) -> Result:
    since = time.monotonic()
    result = run(tree, mutation)
    change = " ".join(mutation.was.split())[:60]
    took_s = time.monotonic() - since
    print(f"{result.verdict:9} {took_s:4.0f} s  {mutation.file}  {change}", flush=True)
    print(f"{'':18}{result.detail}", flush=True)
    return result


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.mutations", description=__doc__)
    parser.add_argument("words", nargs="*", help="words of those to try; without one, all")
    parser.add_argument(
        "--missing",
        action="store_true",
        help="those that were not noticed yet, first those never tried",
    )
    parser.add_argument("--most", type=int, metavar="N", help="no more than N of them")
    parser.add_argument(
        "--unchecked", action="store_true", help="do not first see that all tests are green"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
