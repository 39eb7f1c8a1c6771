"""A bucket as the input of a job: who may name which, and what is told of it."""

import logging
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from jobs.base.bootstrap import Ground
from jobs.base.errors import Conflict, NotFound
from jobs.buckets.allowances import allow, is_own_place, withdraw
from jobs.buckets.locations import read_location
from jobs.buckets.sources import Buckets
from jobs.intake.preparation import prepare_next
from tests.integration.api.callers import Caller, check_problem, stored
from tests.integration.buckets.conftest import allow_path, with_settings
from tests.integration.buckets.servers import KEY_ID, S3, SECRET
from tests.integration.jobs.checks import read_job

pytestmark = pytest.mark.usefixtures("allowed")
PREFIX = "s3://photos/path/"


def submit(caller: Caller, **members: Any) -> Any:
    return caller.post("/v1/jobs", json={"model": "digits", **members})


@pytest.mark.parametrize(
    ("members", "param", "code"),
    [
        ({"prefix": "s3://photos/"}, "prefix", "bucket_not_allowed"),
        ({"prefix": "s3://photos/pathX"}, "prefix", "bucket_not_allowed"),
        ({"prefix": "s3://photos/path/../other"}, "prefix", "invalid_request"),
        ({"prefix": "s3://photos/%2e%2e/other"}, "prefix", "invalid_request"),
        ({"prefix": "s3://secrets/path/"}, "prefix", "bucket_not_allowed"),
        ({"prefix": "gs://photos/path/"}, "prefix", "bucket_not_allowed"),
        ({"prefix": "file:///etc/"}, "prefix", "bucket_not_allowed"),
        ({"prefix": "https://photos/path"}, "prefix", "invalid_request"),
        ({"prefix": PREFIX, "delete_inputs": True}, "delete_inputs", "invalid_request"),
        ({"prefix": PREFIX, "urls": []}, "prefix", "invalid_request"),
        ({"prefix": PREFIX, "include": [""]}, "include.0", "invalid_request"),
        ({"urls": ["https://a/b"], "include": ["*"]}, "include", "invalid_request"),
        ({"manifest": f"{PREFIX}a.csv", "exclude": ["*"]}, "exclude", "invalid_request"),
        ({"manifest": f"{PREFIX}a.txt"}, "manifest", "invalid_request"),
        ({"archive": "s3://photos/a.tar"}, "archive", "bucket_not_allowed"),
        ({"archive": "s3://photos/"}, "archive", "invalid_request"),
        ({"archive": f"{PREFIX}a.tar", "include": ["*"]}, "include", "invalid_request"),
        ({"archive": f"{PREFIX}a.tar", "prefix": PREFIX}, "archive", "invalid_request"),
        ({"archive": f"{PREFIX}a.tar", "delete_inputs": True}, "delete_inputs", "invalid_request"),
        ({"manifest": "s3://secrets/a.csv"}, "manifest", "bucket_not_allowed"),
    ],
)
def test_what_may_not_be_named_is_refused(
    caller: Caller, house: Ground, members: dict[str, Any], param: str, code: str
) -> None:
    before = stored(house)
    problem = check_problem(submit(caller, **members), 422)
    assert problem["error"]["param"] == param, problem
    assert problem["error"]["code"] in (code, "invalid_input"), problem
    assert stored(house) == before


def test_nobody_may_name_anything_before_the_operator_has_said_so(
    stranger: Caller, s3: S3, house: Ground
) -> None:
    s3.put("path/a.png", b"x")
    check_problem(submit(stranger, prefix=PREFIX), 422)
    allow_path(house, s3, "other", PREFIX)
    # What was looked up is kept for some seconds; another process knows at once.
    assert prepared(house, submit_elsewhere(house, stranger)) == 1


def submit_elsewhere(house: Ground, caller: Caller) -> str:
    from api.app import create_app
    from api.current import BUCKETS
    from api.web.listener import LISTENER

    app = create_app(house)
    client, caller.client = caller.client, app.test_client()
    answer = submit(caller, prefix=PREFIX)
    caller.client = client
    app.extensions[LISTENER].close()
    app.extensions[BUCKETS].close()
    assert answer.status_code == 202, answer.text
    return str(answer.json["id"])


def prepared(house: Ground, job_id: str) -> int:
    assert prepare_next(house) == job_id
    return read_job(house, job_id).total


def test_an_endpoint_that_is_not_the_allowed_one_is_refused(
    caller: Caller, house: Ground, s3: S3, tenant: Any, allowed: str
) -> None:
    withdraw(house.database, allowed)
    allow(house.database, house.settings, "acme", PREFIX, "")
    problem = check_problem(submit(caller, prefix=PREFIX), 422)
    assert s3.endpoint in problem["detail"]


def test_our_own_places_are_refused_whatever_was_allowed(house: Ground) -> None:
    own = house.settings.storage_url.removeprefix("file://")
    for folder in (own, f"{own}/inputs", own.rpartition("/")[0]):
        with pytest.raises(Conflict):
            allow(house.database, house.settings, "acme", f"file://{folder}", "")
    for url in (
        "s3://photos",
        "s3://photos/prefix",
        "https://photos.s3.eu-central-1.amazonaws.com/prefix",
        "https://s3.eu-central-1.amazonaws.com/photos/prefix",
    ):
        settings = with_settings(house, storage_url=url).settings
        assert is_own_place(settings, read_location("s3://photos/anything"))
        assert not is_own_place(settings, read_location("s3://others/anything"))
        if url.startswith("s3"):
            assert not is_own_place(settings, read_location("s3://prefix/anything"))
    settings = with_settings(house, storage_url="az://account/container/prefix").settings
    assert is_own_place(settings, read_location("az://account/container/a"))


def test_our_own_bucket_is_refused_when_it_was_allowed_before_it_became_ours(
    house: Ground, s3: S3, tenant: Any
) -> None:
    from jobs.buckets.errors import BucketError
    from jobs.buckets.sources import Owner

    buckets = Buckets(with_settings(house, storage_url="s3://photos/pixelmill"))
    with pytest.raises(BucketError, match="keeps its own data"):
        buckets.bucket(Owner(tenant.tenant_id), read_location(PREFIX))
    buckets.close()


def test_who_may_name_nothing_is_not_told_where_our_own_data_lie(
    house: Ground, tenant: Any, tmp_path: Path
) -> None:
    from jobs.buckets.errors import BucketError
    from jobs.buckets.sources import Owner

    own = tmp_path / "data"
    buckets = Buckets(with_settings(house, storage_url=own.as_uri()))
    said = []
    for folder in (own, tmp_path, tmp_path / "other"):
        with pytest.raises(BucketError) as caught:
            buckets.bucket(Owner(tenant.tenant_id), read_location(f"{folder.as_uri()}/"))
        said.append(str(caught.value).replace(folder.as_uri(), "FOLDER"))
    buckets.close()
    assert len(set(said)) == 1


def test_a_job_tells_its_source_and_no_secret(
    caller: Caller, house: Ground, s3: S3, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    s3.put("path/a.png", b"x")
    answer = submit(caller, prefix=PREFIX, include=["*.png"])
    assert answer.status_code == 202, answer.text
    assert answer.json["source"] == {
        "prefix": PREFIX,
        "include": ["*.png"],
        "manifest": None,
        "archive": None,
        "exclude": None,
        "connection": None,
    }
    assert prepared(house, answer.json["id"]) == 1
    blob = house.storage.get(read_job(house, answer.json["id"]).manifest or "")
    for told in (answer.text, caplog.text, repr(blob), everything(house)):
        assert SECRET not in told
        assert KEY_ID not in told


def everything(house: Ground) -> str:
    with house.database.read() as session:
        tables = ("jobs", "shards", "connections", "bucket_allowances", "audit_log")
        return str([session.execute(text(f"SELECT * FROM {name}")).all() for name in tables])


def test_dry_run_counts_and_keeps_nothing(caller: Caller, house: Ground, s3: S3) -> None:
    for name in ("a.png", "b/c.jpg", "notes.txt", "thumbs/d.jpg", ".DS_Store"):
        s3.put(f"path/{name}", b"x")
    before = stored(house)
    answer = submit(caller, prefix=PREFIX, exclude=["thumbs/*"], dry_run=True)
    assert answer.status_code == 200, answer.text
    assert answer.json["total"] == 2
    assert answer.json["skipped"]["by_reason"] == {
        "not_media": 1,
        "not_chosen": 1,
        "system_file": 1,
    }
    assert stored(house) == before


def test_dry_run_of_a_bucket_that_is_not_there_says_so(
    caller: Caller, house: Ground, s3: S3
) -> None:
    allow_path(house, s3, "acme", "s3://missing/")
    problem = check_problem(submit(caller, prefix="s3://missing/a/", dry_run=True), 422)
    assert "s3://missing/a" in problem["detail"]
    assert "Traceback" not in problem["detail"]


def test_withdrawing_what_is_not_there_says_so(house: Ground) -> None:
    with pytest.raises(NotFound):
        withdraw(house.database, "alw_none")
