"""Results as data frames and as COCO, and what is said where a library is missing."""

import copy
import dataclasses
import io
import json
import pickle
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pixelmill import InvalidInput, Job

RESULTS = "/v1/jobs/job_1/results"
ROWS = [
    {"index": 0, "width": 640, "predictions": [{"class": "cat", "box": {"x": 0.5}}]},
    {"index": 1, "width": None, "predictions": None},
]


@pytest.fixture
def parquet(server, say):
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), sink)
    headers = {"Pixelmill-Rows": "2"}
    server.on("GET", RESULTS, say.answer(200, sink.getvalue(), headers))
    server.on("GET", "/v1/jobs/job_1", say.job(status="completed"))
    return server


def test_a_jobs_results_are_frames_with_typed_columns(parquet, client):
    results = client.job("job_1").results()
    assert results.to_arrow().to_pylist() == ROWS
    frame = results.to_pandas()
    assert str(frame["width"].dtype) == "int64[pyarrow]"
    assert frame["predictions"].dtype.pyarrow_dtype == results.to_arrow().schema.field(2).type
    assert frame["width"].isna().tolist() == [False, True]
    table = results.to_polars()
    assert table.to_dicts() == ROWS
    assert table.explode("predictions")["predictions"].struct.field("class")[0] == "cat"
    assert {each.query.get("format") for each in parquet.to("GET", RESULTS)} == {"parquet"}


def test_frames_of_results_that_are_followed_wait_for_the_end(server, parquet, client, say):
    server.on("GET", "/v1/jobs/job_1", say.job(), say.job(), say.job(status="completed"))
    client.results("job_1", follow=True).to_arrow()
    assert [each.path for each in server.seen] == ["/v1/jobs/job_1"] * 3 + [RESULTS]


def test_coco_is_an_object(server, client, say):
    coco = {"images": [], "annotations": [], "categories": []}
    text = json.dumps(coco).encode() + b"\n"
    server.on("GET", RESULTS, say.answer(200, text, {"Pixelmill-Rows": "0"}))
    assert client.results("job_1").to_coco() == coco


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_a_library_that_is_missing_is_named(parquet, client, monkeypatch, library):
    for name in [name for name in sys.modules if name.partition(".")[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    method = "to_arrow" if library == "pyarrow" else f"to_{library}"
    with pytest.raises(InvalidInput, match=f"pip install {library}"):
        getattr(client.results("job_1"), method)()


def test_a_job_from_no_client_says_what_to_do(client, parquet):
    with pytest.raises(InvalidInput, match=r"client\.results\('job_1'\)"):
        Job.from_raw(client.job("job_1").raw).results()


def test_a_job_can_be_copied_and_sent_to_another_process(client, parquet):
    job = client.job("job_1")
    assert copy.deepcopy(job).read_results is job.read_results
    assert dataclasses.asdict(job)["id"] == "job_1"
    sent = pickle.loads(pickle.dumps(job))
    assert (sent, sent.read_results) == (job, None)
    assert job == Job.from_raw(job.raw)
