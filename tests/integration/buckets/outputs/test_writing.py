"""Results in a bucket: a data set that any reader takes, and a manifest that comes last."""

import gzip
import hashlib
import io
import json
from collections.abc import Callable

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from jobs.aftercare.deletion import delete_job
from jobs.base.bootstrap import Ground
from jobs.forms.arrow_types import schema_of
from jobs.tables import Delivery, JobOutput
from jobs.tenants.keys import NewKey
from models.catalog import prediction_of
from tests.integration.api.callers import Caller
from tests.integration.api.page.visitors import Visitor
from tests.integration.buckets.outputs.conftest import RESULTS, Outputs, may_write


def test_results_lie_in_the_jobs_own_folder_and_the_job_says_so(
    outputs: Outputs, cut_small: Callable[[int], None]
) -> None:
    cut_small(3)
    job = outputs.run(7)
    assert outputs.view(job)["status"] == "waiting"
    assert outputs.write()
    names = [f"part-0000{number}.parquet" for number in range(3)]
    assert outputs.objects() == [f"results/{job}/{name}" for name in ("_manifest.json", *names)]
    manifest = outputs.manifest(job)
    assert [part["name"] for part in manifest["parts"]] == names
    assert [part["rows"] for part in manifest["parts"]] == [3, 3, 1]
    assert (manifest["job_id"], manifest["rows"]) == (job, 7)
    indexes: list[int] = []
    for part in manifest["parts"]:
        data = outputs.get(f"results/{job}/{part['name']}")
        assert len(data) == part["bytes"]
        assert hashlib.sha256(data).hexdigest() == part["sha256"]
        assert part["etag"]
        table = pq.read_table(io.BytesIO(data))
        assert table.schema == schema_of(prediction_of("classification"))
        indexes += table["index"].to_pylist()
    assert sorted(indexes) == list(range(7))
    assert outputs.view(job) == {
        "url": RESULTS,
        "format": "parquet",
        "compression": None,
        "connection": None,
        "status": "written",
        "error": None,
        "attempts": 1,
        "rows": 7,
        "bytes": manifest["bytes"],
        "manifest": f"s3://photos/results/{job}/_manifest.json",
    }
    assert not outputs.write(), "there is nothing left to do"


def test_the_rows_are_those_of_the_api(
    outputs: Outputs, caller: Caller, cut_small: Callable[[int], None]
) -> None:
    cut_small(4)
    output = {"url": RESULTS, "format": "ndjson", "compression": "gzip"}
    job = outputs.run(10, output)
    assert outputs.write()
    lines = b"".join(
        gzip.decompress(outputs.get(f"results/{job}/{part['name']}"))
        for part in outputs.manifest(job)["parts"]
    )
    assert lines == caller.get(f"/v1/jobs/{job}/results?format=ndjson").data


def test_zstd_is_read_by_whoever_reads_it(outputs: Outputs) -> None:
    job = outputs.run(2, {"url": RESULTS, "format": "ndjson", "compression": "zstd"})
    assert outputs.write()
    packed = pa.CompressedInputStream(
        pa.BufferReader(outputs.get(f"results/{job}/part-00000.ndjson.zst")), "zstd"
    )
    assert [json.loads(line)["index"] for line in packed.read().splitlines()] == [0, 1]


def test_pandas_pyarrow_duckdb_and_polars_read_the_data_set(
    outputs: Outputs,
    house: Ground,
    tmp_path_factory: pytest.TempPathFactory,
    cut_small: Callable[[int], None],
) -> None:
    cut_small(3)
    room = tmp_path_factory.mktemp("lake")
    may_write(house, room.as_uri(), "")
    job = outputs.run(7, f"{room.as_uri()}/run 1/")
    assert outputs.write()
    folder = room / "run 1" / job
    assert len(list(folder.iterdir())) == 4
    whole = list(range(7))
    assert sorted(pd.read_parquet(folder)["index"]) == whole
    assert sorted(pyarrow.dataset.dataset(folder).to_table()["index"].to_pylist()) == whole
    query = "select index, predictions[1].class from read_parquet(?) order by index"
    found = duckdb.execute(query, [f"{folder}/*.parquet"]).fetchall()
    assert found == [(index, str(index)) for index in whole]
    assert sorted(pl.read_parquet(f"{folder}/*.parquet")["index"]) == whole


def test_a_job_that_is_cancelled_writes_what_there_is(outputs: Outputs, caller: Caller) -> None:
    job = caller.submit(3, output=RESULTS)["id"]
    assert not outputs.write(), "it is not over"
    caller.post(f"/v1/jobs/{job}/cancel")
    assert outputs.write()
    rows = pq.read_table(io.BytesIO(outputs.get(f"results/{job}/part-00000.parquet")))
    assert rows["status"].to_pylist() == ["cancelled"] * 3
    assert outputs.manifest(job)["status"] == "cancelled"


def test_a_job_without_items_has_a_manifest_without_parts(outputs: Outputs, caller: Caller) -> None:
    file_id = caller.upload(b"{}", "a.jsonl")
    answer = caller.post(
        "/v1/jobs", json={"model": "digits", "input_file_id": file_id, "output": RESULTS}
    )
    job = answer.json["id"]
    caller.post(f"/v1/jobs/{job}/cancel")
    assert outputs.write()
    assert outputs.objects() == [f"results/{job}/_manifest.json"]
    assert outputs.manifest(job)["parts"] == []


def test_a_form_names_an_output_too(outputs: Outputs, caller: Caller) -> None:
    job = {"model": "digits", "output": {"url": RESULTS, "format": "ndjson"}}
    answer = caller.post(
        "/v1/jobs", data={"job": json.dumps(job), "files": (io.BytesIO(b"x"), "a.png")}
    )
    assert answer.status_code == 202, answer.text
    outputs.answer()
    assert outputs.write()
    assert outputs.view(answer.json["id"])["status"] == "written"


def test_a_deleted_job_leaves_what_it_wrote(outputs: Outputs, caller: Caller) -> None:
    job = outputs.run(2)
    assert outputs.write()
    assert caller.delete(f"/v1/jobs/{job}").status_code == 200
    assert f"results/{job}/_manifest.json" in outputs.objects()
    with outputs.house.database.read() as session:
        assert session.scalars(select(JobOutput)).all() == []


def test_a_job_that_is_deleted_before_it_is_written_writes_nothing(outputs: Outputs) -> None:
    job = outputs.run(2)
    delete_job(outputs.house, outputs.caller.tenant_id, job)
    assert not outputs.write()
    assert outputs.objects() == []


def test_receivers_are_told_when_everything_is_there(outputs: Outputs) -> None:
    events = ["job.completed", "job.output_written", "job.output_failed"]
    job = outputs.run(2, webhook={"url": "https://example.com/hook", "events": events})
    assert outputs.write()
    with outputs.house.database.read() as session:
        bodies = [json.loads(each) for each in session.scalars(select(Delivery.body))]
    told = {body["type"]: body["data"] for body in bodies}
    assert sorted(told) == ["job.completed", "job.output_written"]
    assert told["job.output_written"]["output"] == outputs.view(job)
    assert [told[name]["sequence"] for name in sorted(told)] == [1, 2]


def test_a_watchs_jobs_write_each_to_a_folder_of_its_own(
    outputs: Outputs, caller: Caller, allowed: str
) -> None:
    body = {"model": "digits", "prefix": "s3://photos/path/", "output": RESULTS}
    answer = caller.post("/v1/watches", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.json["output"]["url"] == RESULTS


def test_the_jobs_page_says_where_they_lie(outputs: Outputs, tenant: NewKey) -> None:
    job = outputs.run(1)
    assert outputs.write()
    visitor = Visitor(outputs.caller.client.application, tenant)
    assert visitor.sign_in().status_code == 303
    page = visitor.get(f"/jobs/{job}").text
    assert f"<code>s3://photos/results/{job}/_manifest.json</code> written" in page
