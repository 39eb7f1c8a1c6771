"""Parquet: typed columns that four libraries read, with the numbers of the JSON, in flat memory."""

import io
import json
from itertools import pairwise
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.base.bootstrap import Ground
from jobs.base.states import ItemStatus
from jobs.forms import parquet
from jobs.forms.arrow_types import schema_of
from jobs.forms.export import Export
from jobs.results.segments import ItemWarning, Row, to_json
from jobs.tables import Job
from jobs.tenants.keys import NewKey
from models.catalog import CONTRACTS, prediction_of
from tests.integration.api.callers import Caller
from tests.integration.api.forms.answered import BROKEN, Answer, box, mask, read, run_job

ODD = 'naïve, "quoted"\n=1+1 犬'
BITS = np.array([[0, 1, 1], [0, 0, 1]], bool)
ONE = {"class": "dog", "class_id": 1, "confidence": 0.1}
ANSWERS: dict[str, list[Any]] = {
    "classification": [[ONE, {"class": "cat", "class_id": 0, "confidence": 1e-7}], []],
    "zero-shot-classification": [[ONE]],
    "detection": [[box("dog", 1, 0.5, 1, 2.25, 3), box("cat", 0, -1, 0, 1e-9, 4)], []],
    "segmentation": [[mask("dog", 1, BITS), mask("cat", 0, ~BITS)], []],
    "embedding": [[{"embedding": [0.1, -2, 3e-9]}]],
    "video-classification": [
        [
            {
                **ONE,
                "segments": [{"start_ms": 0, "end_ms": 90, **ONE}],
                "clips": [{"start_ms": 0, "end_ms": 90, "predictions": [ONE]}],
            }
        ]
    ],
}


def answers_of(task: str) -> list[Answer]:
    warned = (ItemWarning("video_damaged", "Half of it."),)
    good = [
        Answer(f"{number}-{ODD}", each, warnings=warned if not number else ())
        for number, each in enumerate(ANSWERS[task])
    ]
    return [*good, Answer("bad.png", BROKEN), Answer("never.png", [])]


def in_json(caller: Caller, job: str) -> list[dict[str, Any]]:
    """Give the rows as NDJSON has them, with metadata as the text that Parquet has."""
    return [json.loads(line) for line in read(caller, job, "ndjson").splitlines()]


@pytest.mark.parametrize("task", CONTRACTS)
def test_a_file_has_the_rows_of_the_json_in_typed_columns(
    caller: Caller, ground: Ground, tenant: NewKey, task: str
) -> None:
    job = run_job(ground, tenant, task, answers_of(task), leave=1)
    caller.post(f"/v1/jobs/{job}/cancel")
    answer = caller.get(f"/v1/jobs/{job}/results?format=parquet")
    assert answer.content_type == "application/vnd.apache.parquet"
    table = pq.read_table(io.BytesIO(answer.data))
    assert answer.headers["Pixelmill-Rows"] == str(len(table)) == str(len(answers_of(task)))
    assert table.schema == schema_of(prediction_of(task))
    assert pa.types.is_struct(table.schema.field("predictions").type.value_type)
    assert table.to_pylist() == in_json(caller, job)


def test_pandas_polars_and_duckdb_read_it(
    caller: Caller, ground: Ground, tenant: NewKey, tmp_path: Any
) -> None:
    job = run_job(ground, tenant, "detection", answers_of("detection"), leave=1)
    caller.post(f"/v1/jobs/{job}/cancel")
    path = tmp_path / "r.parquet"
    path.write_bytes(read(caller, job, "parquet"))
    rows = in_json(caller, job)
    statuses = ["succeeded", "succeeded", "errored", "cancelled"]

    frame = pd.read_parquet(path, dtype_backend="pyarrow")
    assert frame["status"].tolist() == statuses
    assert list(frame["predictions"][0]) == rows[0]["predictions"]
    assert frame["width"].isna().tolist() == [False, False, True, True]

    table = pl.read_parquet(path)
    assert table.to_dicts() == rows
    boxes = table.select("custom_id", "predictions").explode("predictions").unnest("predictions")
    found = boxes.filter(pl.col("class") == "dog").select(pl.col("box").struct.field("width"))
    assert found.to_series().to_list() == [2.25]

    query = "select custom_id, unnest(predictions, recursive := true) from read_parquet(?)"
    wide = duckdb.execute(query, [str(path)]).fetchall()
    assert wide[0] == (rows[0]["custom_id"], "dog", 1, 0.75, 0.5, 1.0, 2.25, 3.0)
    assert len(wide) == 2
    failed = "select error.code from read_parquet(?) where error is not null"
    assert duckdb.execute(failed, [str(path)]).fetchall() == [("image_decode_failed",)]


def test_a_job_without_rows_is_a_file_with_columns_and_no_row(
    caller: Caller, ground: Ground, tenant: NewKey
) -> None:
    job = run_job(ground, tenant, "detection", [Answer("a.png", [])], leave=1)
    table = pq.read_table(io.BytesIO(read(caller, job, "parquet")))
    assert (len(table), table.schema) == (0, schema_of(prediction_of("detection")))


def test_metadata_is_text_and_a_row_may_be_longer_than_a_block() -> None:
    long = [{"embedding": [0.5] * 900_000}]
    rows = [
        Row(
            0, "a", ItemStatus.SUCCEEDED, predictions_json=to_json(long), metadata_json='{"k":[1]}'
        ),
        Row(1, "b", ItemStatus.SUCCEEDED, predictions_json='[{"embedding":[1],"new":2}]'),
    ]
    table = table_of("embedding", rows)
    assert table["metadata"].to_pylist() == ['{"k":[1]}', None]
    assert table["predictions"].to_pylist() == [long, [{"embedding": [1.0]}]]


def test_a_training_keeps_its_answer_as_text() -> None:
    rows = [Row(0, "a", ItemStatus.SUCCEEDED, predictions_json='{"accuracy":1}')]
    assert table_of(None, rows)["predictions"].to_pylist() == ['{"accuracy":1}']


@pytest.mark.parametrize(("length", "most"), [(1, 10_000), (1000, 1100)])
def test_no_more_rows_are_held_than_make_a_group(length: int, most: int) -> None:
    text = to_json([{"embedding": [0.5] * length}])
    read = [0]

    def rows() -> Any:
        for number in range(45_000):
            read[0] += 1
            yield Row(number, f"{number}.png", ItemStatus.SUCCEEDED, predictions_json=text)

    at, pieces = [0], []
    for piece in parquet.write(export_of("embedding", rows)):
        at.append(read[0])
        pieces.append(piece)
    assert max(after - before for before, after in pairwise(at)) <= most
    file = pq.ParquetFile(io.BytesIO(b"".join(pieces)))
    assert file.metadata.num_rows == 45_000
    assert file.metadata.num_row_groups >= 45_000 / most


def export_of(task: str | None, rows: Any) -> Export:
    job = Job(id="job_1", model_name="m", model_version=1, model_digest="sha256:0", created_at=0)
    return Export(job, task, ("cat", "dog"), rows, prediction_of(task))


def table_of(task: str | None, rows: list[Row]) -> pa.Table:
    return pq.read_table(io.BytesIO(b"".join(parquet.write(export_of(task, lambda: iter(rows))))))
