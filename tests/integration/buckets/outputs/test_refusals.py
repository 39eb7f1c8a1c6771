"""Who may write where: nobody anywhere, until an operator says so for one folder."""

from typing import Any

import pytest

from jobs.base.bootstrap import Ground
from jobs.base.errors import Conflict
from jobs.buckets.allowances import allow, withdraw
from tests.integration.api.callers import Caller, check_problem, job_body, stored
from tests.integration.buckets.conftest import allow_path, with_settings
from tests.integration.buckets.outputs.conftest import RESULTS, Outputs, may_write
from tests.integration.buckets.servers import KEY_ID, S3, SECRET

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def refused(caller: Caller, output: Any) -> dict[str, Any]:
    return check_problem(caller.post("/v1/jobs", json=job_body(output=output)), 422)


@pytest.mark.parametrize(
    "url",
    [
        "s3://photos/",
        "s3://photos/resultsX/",
        "s3://photos/results/../others/",
        "s3://photos/results/%2e%2e/others/",
        "s3://photos/results/..%2fothers/",
        "s3://photos/results//others/",
        "s3://photos/results/.",
        "s3://photos/results/job_01m8pa3t0sxg348dn2jpq3apyz/",
        "s3://photos/results/job_01m8pa3t0sxg348dn2jpq3apyz/deep/",
        "s3://photos/results/a\\b",
        "s3://photos/results/a\nb",
        "s3://secrets/results/",
        "S3://photos/results/",
        "s3://photos@127.0.0.1/results/",
        "s3://photos:9000/results/",
        "gs://photos/results/",
        "az://photos/results/a/",
        "file:///etc/",
        "file://photos/results/",
        "file:///",
        "http://169.254.169.254/latest/",
        "results/",
        "",
    ],
)
def test_an_address_outside_of_what_was_allowed_is_refused(
    outputs: Outputs, caller: Caller, house: Ground, url: str
) -> None:
    before = stored(house)
    problem = refused(caller, url)
    assert problem["error"]["param"] == "output", problem
    assert stored(house) == before


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"format": "csv"}, "output"),
        ({"compression": "zstd"}, "output"),
        ({"endpoint": "http://127.0.0.1:9"}, "output"),
        ({"url": RESULTS + "a" * 1000}, "output"),
    ],
)
def test_what_an_output_cannot_be_is_told(
    outputs: Outputs, caller: Caller, members: dict[str, Any], param: str
) -> None:
    problem = refused(caller, {"url": RESULTS, **members})
    assert problem["error"]["param"].startswith(param), problem


def test_who_may_read_a_folder_may_not_write_to_it(
    caller: Caller, house: Ground, s3: S3, allowed: str
) -> None:
    problem = refused(caller, "s3://photos/path/")
    assert "may write results to" in problem["detail"]
    assert "--write" in problem["detail"]


def test_who_may_write_to_a_folder_may_not_read_it(outputs: Outputs, caller: Caller) -> None:
    answer = caller.post("/v1/jobs", json={"model": "digits", "prefix": RESULTS})
    assert check_problem(answer, 422)["error"]["param"] == "prefix"


def test_another_tenant_may_not_write_where_one_may(outputs: Outputs, stranger: Caller) -> None:
    assert "may write results to" in refused(stranger, RESULTS)["detail"]


def test_another_tenants_connection_opens_nothing(
    outputs: Outputs, caller: Caller, stranger: Caller, s3: S3
) -> None:
    made = stranger.post(
        "/v1/connections",
        json={"name": "lake", "kind": "s3", "endpoint": s3.endpoint, "credentials": s3.credentials},
    )
    assert made.status_code == 201, made.text
    for name in ("lake", made.json["id"]):
        answer = caller.post("/v1/jobs", json=job_body(output={"url": RESULTS, "connection": name}))
        check_problem(answer, 404)


def test_a_connection_of_the_tenants_own_writes(
    outputs: Outputs, caller: Caller, house: Ground, s3: S3
) -> None:
    made = caller.post(
        "/v1/connections",
        json={"name": "lake", "kind": "s3", "endpoint": s3.endpoint, "credentials": s3.credentials},
    )
    assert made.status_code == 201, made.text
    job = outputs.run(2, {"url": RESULTS, "connection": "lake"})
    assert outputs.write(with_settings(house, bucket_credentials=""))
    assert outputs.view(job)["status"] == "written"
    assert outputs.view(job)["connection"] == made.json["id"]


def test_our_own_places_are_never_written_to(
    outputs: Outputs, house: Ground, caller: Caller
) -> None:
    own = house.settings.storage_url.removeprefix("file://")
    for folder in (own, f"{own}/jobs", own.rpartition("/")[0]):
        with pytest.raises(Conflict):
            allow(house.database, house.settings, "acme", f"file://{folder}", "", writing=True)
    # Allowed before the bucket became ours.
    job = outputs.run(1)
    assert outputs.write(with_settings(house, storage_url="s3://photos/pixelmill"))
    assert outputs.view(job)["error"]["code"] == "bucket_not_allowed"
    assert outputs.objects() == []


def test_an_allowance_that_is_taken_back_ends_the_writing(
    house: Ground, caller: Caller, s3: S3
) -> None:
    given = may_write(house, RESULTS, s3.endpoint)
    outputs = Outputs(house, caller, s3)
    job = outputs.run(1)
    withdraw(house.database, given)
    assert outputs.write()
    assert outputs.view(job)["error"]["code"] == "bucket_not_allowed"
    assert outputs.objects() == []
    may_write(house, RESULTS, s3.endpoint)
    outputs.hurry()
    assert outputs.write()
    assert outputs.view(job)["status"] == "written", "it was given back in time"


def test_jobs_of_two_tenants_in_one_folder_touch_nothing_of_each_other(
    outputs: Outputs, house: Ground, stranger: Caller, s3: S3
) -> None:
    may_write(house, RESULTS, s3.endpoint, "other")
    s3.put("results/part-00000.parquet", b"of somebody else")
    mine = outputs.run(1)
    theirs = Outputs(house, stranger, s3).run(1)
    assert outputs.write()
    assert outputs.write()
    folders = {key.split("/")[1] for key in outputs.objects()}
    assert folders == {mine, theirs, "part-00000.parquet"}
    assert outputs.get("results/part-00000.parquet") == b"of somebody else"


def test_reading_and_writing_are_two_allowances(outputs: Outputs, house: Ground, s3: S3) -> None:
    allow_path(house, s3, "acme", RESULTS)
    with pytest.raises(Conflict):
        may_write(house, RESULTS, s3.endpoint)


def test_no_secret_is_told(outputs: Outputs, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    job = outputs.run(1)
    assert outputs.write()
    told = str(outputs.view(job)) + str(outputs.manifest(job)) + caplog.text
    assert SECRET not in told
    assert KEY_ID not in told
