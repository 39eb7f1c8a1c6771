"""What a job has written becomes no input: neither of its own watch nor of another one."""

from typing import Any

import pytest

from tests.integration.api.callers import check_problem
from tests.integration.buckets.outputs.conftest import RESULTS, Outputs, may_write
from tests.integration.buckets.servers import S3
from tests.integration.buckets.watches.conftest import PREFIX, Watching

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

NDJSON = {"format": "ndjson", "compression": "gzip"}


@pytest.mark.parametrize("path", ["jobs", "watches"])
@pytest.mark.parametrize("below", ["", "results/"])
def test_results_may_not_go_where_the_inputs_come_from(
    outputs: Outputs, allowed: str, path: str, below: str
) -> None:
    may_write(outputs.house, PREFIX, outputs.s3.endpoint)
    body = {"model": "digits", "prefix": PREFIX, "output": {"url": PREFIX + below, **NDJSON}}
    problem = check_problem(outputs.caller.post(f"/v1/{path}", json=body), 422)
    assert problem["error"]["param"] == "output"
    assert f"Results would lie in {PREFIX}" in problem["detail"]


@pytest.mark.parametrize("output", [RESULTS, "s3://photos/results/path/"])
def test_results_may_go_beside_the_inputs(outputs: Outputs, allowed: str, output: str) -> None:
    body = {"model": "digits", "prefix": PREFIX, "output": output}
    assert outputs.caller.post("/v1/watches", json=body).status_code == 201


@pytest.mark.parametrize("members", [NDJSON, {"format": "ndjson", "compression": "zstd"}, {}])
def test_a_folder_that_another_job_writes_to_gives_no_items(
    outputs: Outputs, allowed: str, s3: S3, members: dict[str, Any]
) -> None:
    may_write(outputs.house, PREFIX, s3.endpoint)
    job = outputs.run(1, {"url": PREFIX, **members})
    assert outputs.write()
    assert outputs.view(job)["status"] == "written"
    # Of these one lies in no job's folder, and one is none of what jobs write.
    for key in ("part-00000.png", f"{job}/part-of-a-whole.png"):
        s3.put(f"path/{key}", b"x")
    watching = Watching(outputs.house, outputs.caller)
    watch = watching.add()
    assert watching.look()
    assert watching.view(watch)["skipped"]["by_reason"] == {"not_media": 2}
    assert sorted(watching.names()[-1]) == sorted([f"{job}/part-of-a-whole.png", "part-00000.png"])
