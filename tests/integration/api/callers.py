"""A caller of the API with a key, and what the tests of all routes look at."""

import io
import json
from dataclasses import replace
from typing import Any

from apiflask import APIFlask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from jobs.base.bootstrap import Ground
from jobs.leases.leases import lease_next
from jobs.tables import File, IdempotencyKey, Job, Shard
from jobs.tenants.keys import NewKey
from jobs.versions.validation import VALIDATIONS, accept, refuse
from tests.model_files.weights_files import RECORD

IMAGE = b"\x89PNG not really"
DATA = "aGVsbG8="


class Caller:
    """Flask's test client with a tenant's key."""

    def __init__(self, app: APIFlask, key: NewKey) -> None:
        self.client = app.test_client()
        self.tenant_id = key.tenant_id
        self.headers = {"Authorization": f"Bearer {key.key}"}

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.open("GET", path, **more)

    def post(self, path: str, **more: Any) -> TestResponse:
        return self.open("POST", path, **more)

    def put(self, path: str, **more: Any) -> TestResponse:
        return self.open("PUT", path, **more)

    def delete(self, path: str, **more: Any) -> TestResponse:
        return self.open("DELETE", path, **more)

    def open(self, method: str, path: str, **more: Any) -> TestResponse:
        headers = self.headers | more.pop("headers", {})
        return self.client.open(path, method=method, headers=headers, **more)

    def upload(self, content: bytes, filename: str = "image.png") -> str:
        answer = self.post("/v1/files", query_string={"filename": filename}, data=content)
        assert answer.status_code == 201, answer.text
        return answer.json["id"]

    def push(self, name: str, weights: bytes, record: Any = None, *, wait: int = 0) -> TestResponse:
        """Register weights as a form, with the record of the shipped digits or another."""
        text = record if isinstance(record, str) else json.dumps(record or RECORD)
        return self.post(
            f"/v1/models/{name}/versions",
            data={"weights": (io.BytesIO(weights), "w.safetensors"), "record": text},
            headers={"Prefer": f"wait={wait}"} if wait else {},
        )

    def submit(self, count: int = 1, **members: Any) -> dict[str, Any]:
        answer = self.post("/v1/jobs", json=job_body(count, **members))
        assert answer.status_code == 202, answer.text
        return answer.json


def job_body(count: int = 1, **members: Any) -> dict[str, Any]:
    requests = [{"custom_id": f"item-{n}", "input": {"data": DATA}} for n in range(count)]
    return {"model": "digits", "requests": requests, **members}


def check_problem(answer: TestResponse, status: int, code: str | None = None) -> dict[str, Any]:
    """Assert that an answer is a problem in every member of the contract; gives it."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    problem = json.loads(answer.data)
    assert problem["status"] == status
    assert problem["type"].endswith(problem["code"])
    assert problem["title"]
    error = problem["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["message"], error["code"]) == (problem["detail"], problem["code"])
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    assert problem["detail"].endswith("."), "a finished sentence"
    assert code is None or problem["code"] == code, problem
    return problem


def chunked(caller: Caller, path: str, body: Any, content_type: str = "") -> TestResponse:
    """Send a stream whose length nobody was told, as `Transfer-Encoding: chunked` does."""
    environ = {
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "HTTP_TRANSFER_ENCODING": "chunked",
        # Not by the client's own argument: that would choose another boundary for a form.
        "CONTENT_TYPE": content_type,
    }
    return caller.post(path, environ_overrides=environ)


def stored(ground: Ground) -> dict[str, Any]:
    """Give all that a submission or an upload may leave behind: rows and blobs."""
    with ground.database.read() as session:
        rows = {
            table.__tablename__: session.scalar(select(func.count()).select_from(table))
            for table in (Job, Shard, File, IdempotencyKey)
        }
    blobs = [*ground.storage.list("jobs"), *ground.storage.list("inputs")]
    return rows | {"blobs": sorted(blobs)}


def with_settings(ground: Ground, **changes: Any) -> Ground:
    return replace(ground, settings=ground.settings.model_copy(update=changes))


def try_out(ground: Ground, reason: str | None = None) -> None:
    """Find every version that waits to be ready, or refused for a reason, as a worker does."""
    while (turn := lease_next(ground, VALIDATIONS)) is not None:
        refuse(ground.database, turn, reason) if reason else accept(ground.database, turn)
