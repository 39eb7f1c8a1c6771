"""Fuzz a whole stack: `python -m tests.odd.fuzz --pictures 10000 --films 500 --archives 500`.

Each mutated file goes through a real job. There must be one row for each, no worker that was
started again, and nothing left behind. The seed that is printed makes the same files again.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.e2e.stacks import running_stack
from tests.odd.fuzzing import Tally, fuzz_archives, fuzz_films, fuzz_pictures, settled, warm_up
from tests.odd.leftovers import traces


def main() -> int:
    """Run what the command line asks for; gives the exit code, 1 where anything was at fault."""
    asked = _arguments()
    print(f"seed {asked.seed}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        return fuzz(Path(name), asked)


def fuzz(room: Path, asked: argparse.Namespace) -> int:
    """Fuzz a stack in a room of its own, and print what came of it."""
    temporary = room / "tmp"
    temporary.mkdir()
    faults = []
    with running_stack(room / "stack", TMPDIR=str(temporary)) as stack:
        warm_up(stack, room)
        before = traces(stack, temporary)
        for run, count in (
            (fuzz_pictures, asked.pictures), (fuzz_films, asked.films),
            (fuzz_archives, asked.archives),
        ):  # fmt: skip
            tally, since = Tally(), time.monotonic()
            if count:
                run(stack, room, count, asked.seed, tally)
            left = settled(stack, temporary, before)
            faults += tally.faults + left
            print(f"{run.__name__}: {count} in {time.monotonic() - since:.0f} s", flush=True)
            for code, times in tally.outcomes.most_common():
                print(f"    {times:6,} {code}")
            for fault in (tally.faults + left)[:20]:
                print(f"    FAULT {fault}", flush=True)
    print(f"{len(faults)} faults")
    return 1 if faults else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for kind, count in (("pictures", 10_000), ("films", 500), ("archives", 500)):
        parser.add_argument(f"--{kind}", type=int, default=count)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
