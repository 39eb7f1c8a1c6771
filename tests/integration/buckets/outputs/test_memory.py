"""An output of a million rows is written in the memory of one part."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.base.states import ItemStatus
from jobs.forms.export import Export
from jobs.outputs.parts import parts_of
from jobs.results.segments import Row, to_json
from jobs.tables import Job
from models.catalog import prediction_of

MOST_MORE_MIB = 20


def peak_mib(form: str, rows: int) -> int:
    """Give the peak of a process of its own that makes the parts of so many rows."""
    code = f"from {__name__} import make_parts; make_parts({form!r}, {rows})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout) // 1024


def make_parts(form: str, count: int) -> None:
    job = Job(id="job_1", model_name="m", model_version=1, model_digest="sha256:0", created_at=0)
    found = [
        {"class": f"class {number}", "class_id": number, "confidence": 0.123456 / (number + 1)}
        for number in range(5)
    ]

    def rows() -> Iterator[Row]:
        for index in range(count):
            name = f"{index:07}.jpg"
            yield Row(index, name, ItemStatus.SUCCEEDED, "ab" * 32, 1, to_json(found))

    export = Export(job, "classification", (), rows, prediction_of("classification"))
    written = sum(part.rows for part in parts_of(export, form, None))  # type: ignore[arg-type]
    assert written == count
    # What getrusage tells is that of the parent, if it was larger.
    print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])


@pytest.mark.deep
@pytest.mark.parametrize("form", ["parquet", "ndjson"])
def test_ten_times_the_rows_take_no_more_memory(form: str) -> None:
    peaks = [peak_mib(form, rows) for rows in (1, 100_000, 1_000_000)]
    print(f"{form}: {peaks} MiB with 1, 100,000 and 1,000,000 rows")
    assert peaks[2] - peaks[1] <= MOST_MORE_MIB
