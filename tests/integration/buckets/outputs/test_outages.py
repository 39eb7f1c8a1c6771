"""A bucket that goes away, or takes nothing: tried again after pauses that grow, then told."""

import http.server
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from jobs.aftercare.retention import erase_due
from jobs.base.bootstrap import Ground
from jobs.base.storage import StorageError
from jobs.intake.preparation import prepare_next
from jobs.leases.leases import lease_next
from jobs.outputs.leasing import OUTPUTS, begin
from jobs.tables import Job, JobOutput
from tests.integration.api.callers import Caller
from tests.integration.buckets.conftest import with_settings
from tests.integration.buckets.outputs.conftest import RESULTS, Outputs, may_write
from tests.integration.buckets.servers import S3, client_of
from tests.loopback import serving


def pause_of(outputs: Outputs) -> float:
    with outputs.house.database.read() as session:
        (row,) = session.scalars(select(JobOutput)).all()
    return row.until - outputs.house.database.now()


def test_a_bucket_that_is_not_there_is_tried_again_and_at_last_given_up(
    house: Ground, caller: Caller, s3: S3
) -> None:
    may_write(house, "s3://missing/", s3.endpoint)
    outputs = Outputs(with_settings(house, output_delays_s="100,1000"), caller, s3)
    job = outputs.run(1, "s3://missing/run")
    for tries, pause in ((1, 100), (2, 1000)):
        assert outputs.write()
        assert not outputs.write(), "not again at once"
        view = outputs.view(job)
        assert (view["status"], view["attempts"]) == ("waiting", tries)
        assert view["error"]["code"] == "bucket_gone"
        assert pause - 60 < pause_of(outputs) <= pause
        outputs.hurry()
    assert outputs.write()
    view = outputs.view(job)
    assert (view["status"], view["attempts"]) == ("failed", 3)
    assert view["error"]["message"].endswith("there is no such bucket or folder.")
    outputs.hurry()
    assert not outputs.write()


def test_what_was_gone_for_a_while_is_written_in_the_end(
    outputs: Outputs, house: Ground, s3: S3
) -> None:
    may_write(house, "s3://later/", s3.endpoint)
    job = outputs.run(2, "s3://later/")
    assert outputs.write()
    assert outputs.view(job)["status"] == "waiting"
    client_of(s3.endpoint).create_bucket(Bucket="later")
    outputs.hurry()
    assert outputs.write()
    view = outputs.view(job)
    assert (view["status"], view["error"], view["rows"]) == ("written", None, 2)
    # The server is that of the whole session.
    s3.empty()
    client_of(s3.endpoint).delete_bucket(Bucket="later")


class Store(http.server.BaseHTTPRequestHandler):
    """A store that takes `good` objects, and answers `status` from then on."""

    protocol_version = "HTTP/1.1"
    good, status = 0, 403
    taken: list[str] = []  # noqa: RUF012  # of one test's class

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        is_taken = len(self.taken) < self.good
        if is_taken:
            self.taken.append(self.path)
        self.send_response(200 if is_taken else self.status)
        self.send_header("ETag", '"1"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


@pytest.mark.parametrize(
    ("status", "code"), [(403, "bucket_denied"), (404, "bucket_gone"), (507, "bucket_full")]
)
def test_a_store_that_takes_nothing_any_more_leaves_no_manifest(
    house: Ground,
    caller: Caller,
    s3: S3,
    cut_small: Callable[[int], None],
    status: int,
    code: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jobs.buckets.remote._RETRIES", {"max_retries": 0})
    cut_small(1)
    handler = type("Own", (Store,), {"good": 2, "status": status, "taken": []})
    with serving(handler) as endpoint:
        may_write(house, RESULTS, endpoint)
        keys = {"access_key_id": "K", "secret_access_key": "S"}
        lake = {"name": "lake", "kind": "s3", "endpoint": endpoint, "credentials": keys}
        assert caller.post("/v1/connections", json=lake).status_code == 201
        outputs = Outputs(house, caller, s3)
        job = outputs.run(3, {"url": RESULTS, "connection": "lake"})
        assert outputs.write()
    assert outputs.view(job)["error"]["code"] == code
    assert len(handler.taken) == 2
    assert not any("manifest" in path for path in handler.taken)


def test_a_job_that_failed_has_no_output_and_says_so(outputs: Outputs, caller: Caller) -> None:
    file_id = caller.upload(b"not json", "a.jsonl")
    body = {"model": "digits", "input_file_id": file_id, "output": RESULTS}
    job = caller.post("/v1/jobs", json=body).json["id"]
    assert prepare_next(outputs.house) == job
    assert not outputs.write()
    view = outputs.view(job)
    assert (view["status"], view["error"]["code"]) == ("failed", "job_failed")


def test_results_that_were_erased_are_not_written(outputs: Outputs, house: Ground) -> None:
    job = outputs.run(1, output_expires_after=3600)
    with house.database.write() as session:
        session.get_one(Job, job).ended_at = 1.0
    assert erase_due(house) == 1
    assert outputs.write()
    view = outputs.view(job)
    assert (view["status"], view["error"]["code"]) == ("failed", "results_gone")
    assert outputs.objects() == []


def test_our_own_storage_that_is_away_counts_no_try(
    outputs: Outputs, house: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = outputs.run(1)

    def away(*_: object, **__: object) -> bytes:
        raise StorageError("away")

    with monkeypatch.context() as patched:
        patched.setattr(type(house.storage), "get", away)
        with pytest.raises(StorageError):
            outputs.write()
    assert outputs.view(job)["attempts"] == 0
    outputs.hurry()
    assert outputs.write()
    assert outputs.view(job)["status"] == "written"


def test_a_tenant_whose_store_is_slow_keeps_no_other_waiting(
    outputs: Outputs, house: Ground, stranger: Caller, s3: S3
) -> None:
    may_write(house, RESULTS, s3.endpoint, "other")
    slow, second = outputs.run(1), outputs.run(1)
    lease = lease_next(house, OUTPUTS)
    assert lease is not None
    assert begin(house, lease).id == slow
    assert not outputs.write(), "its own next one waits"
    theirs = Outputs(house, stranger, s3)
    job = theirs.run(1)
    assert outputs.write()
    assert theirs.view(job)["status"] == "written"
    assert outputs.view(second)["status"] == "waiting"
