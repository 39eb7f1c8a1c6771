"""The table of what Pixelmill is to reach, row by row: `python -m benchmarks [--quick] [ROW ...]`.

Prints each row's verdicts and leaves build/bench.json, bench.md and bench.svg. Ends with status 1
when a label is not raw's; with `--strict` also when a figure is not reached. `--quick` measures
less of everything, for a report within minutes.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping

from benchmarks import yardstick
from benchmarks.report import Row, write
from benchmarks.rows import (
    doing_nothing,
    manifest_lines,
    models,
    pages,
    reading_results,
    scaling,
    single_image,
    worker_memory,
)
from benchmarks.rows.media import large_photos, phone_photos, videos
from benchmarks.works import PRECISION

ROWS: Mapping[str, Callable[[bool], Row]] = {
    "photos": yardstick.measure_photos,
    "phone-photos": phone_photos.measure,
    "large-photos": large_photos.measure,
    "resnet50": yardstick.measure_resnet50,
    "digits": yardstick.measure_digits,
    "models": models.measure,
    "single-image": single_image.measure,
    "manifest-lines": manifest_lines.measure,
    "doing-nothing": doing_nothing.measure,
    "pages": pages.measure,
    "reading-results": reading_results.measure,
    "worker-memory": worker_memory.measure,
    "long-videos": videos.measure,
    "scaling": scaling.measure,
}
# Those that say much in little time: three minutes, most of them for stacks to start.
QUICK = ("photos", "digits", "single-image")


def main() -> int:
    """Run the rows that were asked for; gives the exit status."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__.split("\n")[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}")
    parser.add_argument("--quick", action="store_true", help="measure less of everything")
    parser.add_argument("--strict", action="store_true", help="fail when a figure is not reached")
    parser.add_argument(
        "--precision",
        choices=("float32", "bfloat16"),
        default="float32",
        help="what all networks compute in",
    )
    given = parser.parse_args()
    # Contestants that stand still are let go on and ended on every way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    os.environ[PRECISION] = given.precision
    unknown = set(given.rows) - set(ROWS)
    if unknown:
        parser.error(f"there is no row {', '.join(sorted(unknown))}; use {', '.join(ROWS)}")
    rows = []
    for name in given.rows or (QUICK if given.quick else ROWS):
        print(f"\n{name}", flush=True)
        start = time.monotonic()
        rows.append(ROWS[name](given.quick))
        print(*rows[-1].verdicts, *rows[-1].parity, sep="\n")
        print(f"({name} took {time.monotonic() - start:.0f} s)", flush=True)
    print("", *write(rows, "bench-quick" if given.quick else "bench"), sep="\n")
    wanted = [verdict for row in rows for verdict in row.parity]
    if given.strict:
        wanted += [verdict for row in rows for verdict in row.verdicts]
    return 0 if all(verdict.holds for verdict in wanted) else 1


if __name__ == "__main__":
    sys.exit(main())
