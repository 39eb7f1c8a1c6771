"""The table of `make model-parity`: networks of others, by their own library and by Pixelmill.

`python -m benchmarks.parity.model_parity [SOURCE …]` runs networks of every source, with weights of
no training, on a few pictures, each prepared and answered by its own library, and prints the worst
difference of each. Ends with status 1 when one is beyond its limit, or hardly reacts to pictures.
Leaves all rows, and the worst of each group, in build/model-parity.md.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path

from benchmarks.parity.compared import Row, table, worst_of_each

# Each is a module with `rows`, which needs its library.
SOURCES: Mapping[str, str] = {
    "timm": "benchmarks.parity.timm_rows",
    "huggingface": "benchmarks.parity.hugging_face.rows",
    "onnx-heads": "benchmarks.parity.onnx_heads.rows",
    "onnx-files": "benchmarks.parity.onnx_heads.exports",
    "letterboxes": "benchmarks.parity.letterboxes",
}
REPORT = Path("build/model-parity.md")


def main() -> int:
    """Compare the sources that were asked for; gives the exit status."""
    parser = argparse.ArgumentParser(prog="model_parity", description=__doc__.split("\n")[0])
    parser.add_argument("sources", nargs="*", help=f"of {', '.join(SOURCES)}; else all")
    given = parser.parse_args()
    # Nothing is fetched: weights are made here.
    os.environ["HF_HUB_OFFLINE"] = "1"
    unknown = set(given.sources) - set(SOURCES)
    if unknown:
        parser.error(f"there is no source {', '.join(sorted(unknown))}; use {', '.join(SOURCES)}")
    start, rows = time.monotonic(), list[Row]()
    for source in given.sources or SOURCES:
        make: Callable[[], Iterator[Row]] = import_module(SOURCES[source]).rows
        for row in make():
            rows.append(row)
            said = f"{row.verdict}: {row.source} {row.name}: {row.measure.name} {row.worst:.6g}"
            print(said, flush=True)
    status = report(rows, REPORT)
    print(f"{time.monotonic() - start:.0f} s; all rows: {REPORT}")
    return status


def report(rows: Sequence[Row], path: Path) -> int:
    """Write all rows, and the worst of each group, which are printed; gives the exit status."""
    groups = worst_of_each(rows)
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{table(rows)}\n\nThe worst of each:\n\n{groups}\n")
    fallen = [row for row in rows if not row.holds]
    print(f"\n{groups}\n\n{len(rows)} rows, {len(fallen)} that fail")
    return 1 if fallen or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
