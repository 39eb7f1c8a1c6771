"""The table of `make model-parity`: networks of others, by their own library and by Pixelmill.

`python -m benchmarks.model_parity` runs networks of timm, with weights of no training, on a few
pictures, each prepared and answered by timm itself, and prints the worst difference of each. Ends
with status 1 when one is beyond its limit. Leaves build/model-parity.md. Those of Hugging Face and
of ONNX files are tests (tests/unit/models), which `make model-parity` runs as well.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from benchmarks.parity import timm_cases
from benchmarks.parity.compared import Row, table

SOURCES: Mapping[str, Callable[[], Iterator[Row]]] = {"timm": timm_cases.rows}
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
        for row in SOURCES[source]():
            rows.append(row)
            verdict = "holds" if row.holds else "FAILS"
            print(f"{verdict}: {source} {row.name}: {row.measure} {row.worst:.6g}", flush=True)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(table(rows) + "\n")
    fallen = sum(not row.holds for row in rows)
    print(f"{len(rows)} networks, {fallen} beyond their limit, {time.monotonic() - start:.0f} s")
    return 1 if fallen else 0


if __name__ == "__main__":
    sys.exit(main())
