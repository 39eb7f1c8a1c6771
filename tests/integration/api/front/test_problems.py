"""How errors are told: as problems, with an id to find them by, and nothing that must not show."""

import io
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
import structlog
from apiflask import APIFlask
from sqlalchemy.exc import OperationalError

from api.app import create_app
from jobs.base.bootstrap import Ground
from jobs.base.database import Database
from jobs.base.storage import Storage, StorageError
from jobs.tables import ModelVersion
from jobs.tenants.keys import NewKey
from tests.integration.api.callers import Caller, check_problem, chunked, stored, with_settings


class BrokenStorage(Storage):
    """A store that has gone away."""

    def create(self, name: str) -> Any:
        raise StorageError(f"storage failed on blob {name}: no route to host")

    def open(self, name: str) -> Any:
        raise StorageError(f"storage failed on blob {name}: no route to host")

    def get(self, name: str) -> bytes:
        raise StorageError(f"storage failed on blob {name}: no route to host")

    def size(self, name: str) -> int:
        raise StorageError(f"storage failed on blob {name}: no route to host")


class BrokenDatabase(Database):
    """A database that answers keys and then goes away."""

    reads_left = 1

    def read(self) -> Any:
        if self.reads_left == 0:
            raise OperationalError("SELECT secret", {}, ConnectionError("refused"))
        self.reads_left -= 1
        return super().read()


def test_an_unknown_path_and_a_wrong_method_are_problems(caller: Caller) -> None:
    check_problem(caller.get("/v1/nothing"), 404, "not_found")
    check_problem(caller.get("/nothing"), 404, "not_found")
    answer = caller.delete("/v1/jobs")
    check_problem(answer, 405, "method_not_allowed")
    assert "POST" in answer.headers["Allow"]


def test_a_request_id_is_taken_over_if_it_is_harmless_and_made_otherwise(caller: Caller) -> None:
    named = caller.get("/healthz", headers={"X-Request-Id": "trace-1.2:3"})
    assert named.headers["X-Request-Id"] == "trace-1.2:3"
    for bad in ("x" * 65, 'a"b', "a b", "{}"):
        made = caller.get("/healthz", headers={"X-Request-Id": bad}).headers["X-Request-Id"]
        assert made.startswith("req_")


def test_storage_that_is_away_answers_503_and_leaves_nothing(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    broken = replace(ground, storage=BrokenStorage(ground.storage.url))
    caller = Caller(create_app(broken), tenant)
    for answer in (
        caller.post("/v1/files?filename=a.png", data=b"bytes"),
        caller.post("/v1/jobs", json={"model": "digits", "urls": ["https://example.com/a.png"]}),
    ):
        check_problem(answer, 503, "temporarily_unavailable")
        assert int(answer.headers["Retry-After"]) > 0
    assert stored(ground)["jobs"] == 0
    ready = caller.get("/readyz")
    assert "storage" in check_problem(ready, 503)["detail"]
    assert caller.get("/healthz").status_code == 200


def test_a_database_that_is_away_answers_503_without_its_details(
    ground: Ground, tenant: NewKey
) -> None:
    away = BrokenDatabase(ground.settings.database_url)
    caller = Caller(create_app(replace(ground, database=away)), tenant)
    answer = caller.get("/v1/jobs")
    problem = check_problem(answer, 503, "temporarily_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert "secret" not in str(problem)
    assert "database" in check_problem(caller.get("/readyz"), 503)["detail"]
    away.close()


def test_what_nobody_expected_answers_500_and_only_the_log_has_the_details(
    ground: Ground, tenant: NewKey
) -> None:
    app = create_app(ground)

    @app.get("/v1/broken")
    def broken() -> str:
        raise RuntimeError("the password is hunter2")

    with structlog.testing.capture_logs() as events:
        answer = Caller(app, tenant).get("/v1/broken")
    problem = check_problem(answer, 500, "internal_error")
    assert "hunter2" not in str(problem)
    assert problem["request_id"] in problem["detail"]
    assert "request_failed" in {event["event"] for event in events}


def test_the_log_has_one_event_a_request_and_neither_key_nor_query_nor_body(
    caller: Caller, tenant: NewKey
) -> None:
    with structlog.testing.capture_logs() as events:
        caller.get("/v1/jobs?model=private-name")
        caller.post("/v1/jobs", json={"model": "digits", "urls": ["https://e.com/?sig=private"]})
    requests = [event for event in events if event["event"] == "request"]
    assert [(event["method"], event["status"]) for event in requests] == [
        ("GET", 200),
        ("POST", 202),
    ]
    assert requests[0]["path"] == "/v1/jobs"
    assert requests[0]["tenant"] == tenant.tenant_id
    assert "private" not in str(events)
    assert tenant.key not in str(events)


def test_every_answer_has_the_headers_that_tame_a_browser(caller: Caller) -> None:
    for path in ("/v1/jobs", "/healthz", "/docs", "/nothing"):
        headers = caller.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Frame-Options"] == "DENY"
    assert caller.get("/v1/jobs").headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize(
    "path", ["/v1/jobs/a%00b", "/v1/files/%00", "/v1/jobs?model=%00", "/v1/models/a%00b"]
)
def test_a_nul_in_the_url_is_refused_before_the_database_sees_it(caller: Caller, path: str) -> None:
    check_problem(caller.get(path), 400)


def test_an_upload_over_the_limit_is_refused_with_and_without_a_length(
    ground: Ground, tenant: NewKey
) -> None:
    caller = Caller(create_app(with_settings(ground, max_body_bytes=100_000)), tenant)
    body = b"x" * 200_000
    check_problem(caller.post("/v1/files?filename=a", data=body), 413, "body_too_large")
    check_problem(chunked(caller, "/v1/files?filename=a", io.BytesIO(body)), 413, "body_too_large")
    # Within the allowance for multipart's own lines, and still over the limit of a file.
    check_problem(caller.post("/v1/files?filename=a", data=b"x" * 110_000), 413, "body_too_large")
    assert stored(ground)["blobs"] == []
    assert chunked(caller, "/v1/files?filename=a", io.BytesIO(b"x" * 100_000)).status_code == 201


def test_a_form_over_the_limit_is_refused_with_and_without_a_length(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    caller = Caller(create_app(with_settings(ground, max_body_bytes=100_000)), tenant)
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
    form, body = "multipart/form-data; boundary=x", head + b"y" * 300_000
    answer = caller.post("/v1/jobs", data=body, content_type=form)
    check_problem(answer, 413, "body_too_large")
    answer = chunked(caller, "/v1/jobs", io.BytesIO(body), content_type=form)
    check_problem(answer, 413, "body_too_large")


def test_json_over_its_own_limit_is_refused_with_and_without_a_length(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    caller = Caller(create_app(with_settings(ground, max_json_bytes=2000)), tenant)
    body = b'{"model": "digits", "urls": ["' + b"x" * 3000 + b'"]}'
    json_type = {"content_type": "application/json"}
    check_problem(caller.post("/v1/jobs", data=body, **json_type), 413, "body_too_large")
    check_problem(chunked(caller, "/v1/jobs", io.BytesIO(body), **json_type), 413, "body_too_large")
    assert stored(ground) == {
        "jobs": 0, "shards": 0, "files": 0, "idempotency_keys": 0, "blobs": []
    }  # fmt: skip


def test_the_application_is_made_without_torch_and_opencv() -> None:
    code = "import sys, api.app; print(sorted({'torch', 'cv2', 'torchvision'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_making_the_application_twice_gives_two(ground: Ground) -> None:
    one, other = create_app(ground), create_app(ground)
    assert isinstance(one, APIFlask)
    assert one is not other
