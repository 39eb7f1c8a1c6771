"""Every bad submission: refused with what is wrong and where, and nothing of it is stored."""

import io
import json
from typing import Any

import pytest

from api.jobs.schemas import Event
from jobs.base.bootstrap import Ground
from jobs.intake.preparation import prepare_next
from jobs.queue.webhooks import EVENTS
from jobs.versions.registry import register
from models.catalog import SHIPPED, ModelRecord
from tests.integration.api.callers import DATA, Caller, check_problem, job_body, stored
from tests.integration.api.jobs.test_submission import batch_line, zip_of

NOTHING = {"jobs": 0, "shards": 0, "files": 0, "idempotency_keys": 0, "blobs": []}


def item(custom_id: str = "a", **source: str) -> dict[str, Any]:
    return {"custom_id": custom_id, "input": source or {"data": DATA}}


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"model": 7}, "model"),
        ({"requests": None}, "input_file_id"),
        ({"urls": ["https://e.com/a"]}, "urls"),
        ({"requests": "all"}, "requests"),
        ({"requests": [[]]}, "requests.0"),
        ({"bogus": 1, "mode1": 2}, "bogus"),
        ({"params": {"top_k": 0}}, "params.top_k"),
        ({"params": {"top_k": "5"}}, "params.top_k"),
        ({"params": {"threshold": 1}}, "params.threshold"),
        ({"params": []}, "params"),
        ({"priority": "urgent"}, "priority"),
        ({"metadata": {str(n): "x" for n in range(17)}}, "metadata"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        ({"metadata": {"a": "x" * 513}}, "metadata.a"),
        ({"metadata": {"k" * 65: "x"}}, "metadata." + "k" * 65 + ".[key]"),
        ({"completion_window": "31d"}, "completion_window"),
        ({"completion_window": "59s"}, "completion_window"),
        ({"completion_window": "0m"}, "completion_window"),
        ({"completion_window": "1w"}, "completion_window"),
        ({"completion_window": "٣m"}, "completion_window"),
        ({"output_expires_after": 5}, "output_expires_after"),
        ({"output_expires_after": {"seconds": 9e9}}, None),
        ({"delete_inputs": "yes"}, "delete_inputs"),
        ({"dry_run": 1}, "dry_run"),
        ({"endpoint": "/v1/chat/completions"}, "endpoint"),
        ({"webhook": {"url": "https://e.com", "events": ["job.bogus"]}}, "webhook.events.0"),
        ({"webhook": {"url": "https://e.com", "events": []}}, "webhook.events"),
        ({"webhook": {"url": "https://e.com", "secret": "short"}}, "webhook.secret"),
        ({"webhook": {"url": "https://e.com", "retries": 3}}, "webhook.retries"),
        ({"webhook": {"url": "http://169.254.169.254/latest"}}, "webhook.url"),
        ({"webhook": {"url": "file:///etc/passwd"}}, "webhook.url"),
        ({"webhook": {"url": "https://e.com:22/"}}, "webhook.url"),
        ({"input_file_id": "../../etc/passwd", "requests": None}, "input_file_id"),
    ],
)
def test_a_member_that_makes_no_sense_is_named(
    caller: Caller, ground: Ground, members: dict[str, Any], param: str | None
) -> None:
    answer = caller.post("/v1/jobs", json=job_body(**members))
    problem = check_problem(answer, 422, "invalid_request")
    assert param is None or problem["error"]["param"] == param
    assert stored(ground) == NOTHING


def test_a_window_that_a_model_for_videos_does_not_take_is_named(
    caller: Caller, ground: Ground
) -> None:
    record = ModelRecord.from_json({**SHIPPED["motion"].to_json(), "name": "films"})
    digest = "sha256:" + "1" * 64
    register(ground.database, ground.storage, "films", record.to_json(), b"weights", digest)
    for params, param in (({"overlap": 16}, "overlap"), ({"window": 600}, "window")):
        answer = caller.post("/v1/jobs", json=job_body(model="films", params=params))
        problem = check_problem(answer, 422, "invalid_request")
        assert problem["error"]["param"] == f"params.{param}"
    answer = caller.post("/v1/jobs", json=job_body(model="films", params={"window": 4}))
    assert answer.status_code == 202


def test_all_unknown_members_are_named_and_the_known_ones_listed(caller: Caller) -> None:
    problem = check_problem(caller.post("/v1/jobs", json=job_body(bogus=1, mode1=2)), 422)
    assert "`bogus`" in problem["detail"]
    assert "`mode1`" in problem["detail"]
    assert "input_file_id" in problem["detail"]


def test_an_unknown_model_is_not_found_and_the_answer_says_how_to_list_them(
    caller: Caller, ground: Ground
) -> None:
    for model in ("nope", "digits@2", "digits@staging", "digits@", "x" * 300):
        answer = caller.post("/v1/jobs", json=job_body(model=model))
        if model == "digits@":
            # An empty version is no version: what `digits` means.
            assert answer.status_code == 202
            continue
        problem = check_problem(answer, 404, "model_not_found")
        assert "GET /v1/models" in problem["detail"]
        assert problem["error"]["param"] == "model"
    assert stored(ground)["jobs"] == 1


def test_an_empty_job_is_refused(caller: Caller, ground: Ground) -> None:
    check_problem(caller.post("/v1/jobs", json=job_body(requests=[])), 422, "empty_input")
    urls = {"model": "digits", "urls": []}
    check_problem(caller.post("/v1/jobs", json=urls), 422, "empty_input")
    check_problem(caller.post("/v1/jobs", json={}), 422)
    assert stored(ground) == NOTHING


def test_a_repeated_custom_id_is_refused_with_both_lines(caller: Caller, ground: Ground) -> None:
    requests = [item("same"), item("other"), item("same")]
    answer = caller.post("/v1/jobs", json=job_body(requests=requests))
    problem = check_problem(answer, 422, "duplicate_custom_id")
    assert "Line 3 repeats custom_id 'same' of line 1" in problem["detail"]
    assert [fault["line"] for fault in problem["errors"]["data"]] == [3]
    assert stored(ground) == NOTHING


def test_every_bad_item_is_named_with_its_place(caller: Caller, ground: Ground) -> None:
    requests = [
        item("good"),
        item("bad", data="not base64!"),
        {"custom_id": "no input"},
        item("ftp", url="ftp://example.com/a.png"),
        item("", data=DATA),
        {"input": {"data": DATA}, "extra": 1},
    ]
    answer = caller.post("/v1/jobs", json=job_body(requests=requests))
    problem = check_problem(answer, 422)
    faults = problem["errors"]["data"]
    assert [fault["line"] for fault in faults] == [2, 3, 4, 5, 6]
    assert faults[0]["param"] == "requests.1.input.data"
    assert problem["detail"].startswith("Item 2:")
    assert stored(ground) == NOTHING


def test_a_file_that_is_not_there_is_named_with_its_item(caller: Caller, ground: Ground) -> None:
    requests = [item("a"), item("b", file_id="file_" + "0" * 26)]
    answer = caller.post("/v1/jobs", json=job_body(requests=requests))
    problem = check_problem(answer, 422, "file_not_found")
    assert problem["errors"]["data"][0]["line"] == 2
    missing = {"model": "digits", "input_file_id": "file_" + "0" * 26}
    problem = check_problem(caller.post("/v1/jobs", json=missing), 404)
    assert problem["error"]["param"] == "input_file_id"
    assert stored(ground) == NOTHING


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "line 1, column 2"),
        (b'{"model": "digits",\n "urls": [}', "line 2, column 11"),
        (b"", "line 1, column 1"),
        (b'{"model": NaN}', "NaN"),
        (b'{"model": "\xff"}', "utf-8"),
        (b'{"model": "a\\u0000b"}', "NUL"),
        (b'{"model": "a\\ud800"}', "surrogates"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_json_that_cannot_be_read_says_where(
    caller: Caller, ground: Ground, body: bytes, says: str
) -> None:
    answer = caller.post("/v1/jobs", data=body, content_type="application/json")
    assert says in check_problem(answer, 400, "malformed_request")["detail"]
    assert stored(ground) == NOTHING


@pytest.mark.parametrize("body", [b"[]", b'"digits"', b"null", b"7"])
def test_json_that_is_no_object_is_refused(caller: Caller, body: bytes) -> None:
    answer = caller.post("/v1/jobs", data=body, content_type="application/json")
    check_problem(answer, 422)


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", None]
)
def test_a_wrong_content_type_is_refused(
    caller: Caller, ground: Ground, content_type: str | None
) -> None:
    body = json.dumps(job_body())
    for path in ("/v1/jobs", "/v1/batches", "/v1/predictions"):
        answer = caller.post(path, data=body, content_type=content_type)
        check_problem(answer, 415, "unsupported_media_type")
    assert stored(ground) == NOTHING


def test_json_under_another_name_and_text_outside_ascii_are_read(caller: Caller) -> None:
    body = json.dumps(job_body(metadata={"ключ": "😀"})).encode()
    for content_type in ("application/json; charset=utf-8", "application/vnd.api+json"):
        answer = caller.post("/v1/jobs", data=body, content_type=content_type)
        assert answer.status_code == 202
    assert answer.json["metadata"] == {"ключ": "😀"}


def test_a_bad_jsonl_line_fails_the_job_with_its_number(caller: Caller, ground: Ground) -> None:
    content = batch_line("a") + b"{not json}\n" + batch_line("b", "other") + batch_line("c")
    job = refused_job(caller, ground, content, "batch.jsonl")
    assert [fault["line"] for fault in job["errors"]["data"]] == [2, 3]
    assert job["errors"]["object"] == "list"
    assert job["status_reason"].startswith("Line 2:")


def test_a_repeated_custom_id_in_jsonl_fails_the_job_with_its_number(
    caller: Caller, ground: Ground
) -> None:
    content = batch_line("a") + batch_line("b") + batch_line("a")
    job = refused_job(caller, ground, content, "batch.jsonl")
    assert job["errors"]["data"][0]["code"] == "duplicate_custom_id"
    assert job["errors"]["data"][0]["line"] == 3


def test_a_corrupt_archive_fails_the_job_with_the_reason(caller: Caller, ground: Ground) -> None:
    job = refused_job(caller, ground, zip_of("a.png", "b.png")[:-30], "photos.zip")
    assert "photos.zip" in job["status_reason"]
    assert job["errors"]["data"][0]["message"] == job["status_reason"]
    assert job["request_counts"]["total"] == 0


def refused_job(caller: Caller, ground: Ground, content: bytes, name: str) -> dict[str, Any]:
    """Submit a file that cannot be listed; gives the job after its preparation failed."""
    body = {"model": "digits", "input_file_id": caller.upload(content, name)}
    accepted = caller.post("/v1/jobs", json=body).json
    prepare_next(ground)
    job: dict[str, Any] = caller.get(f"/v1/jobs/{accepted['id']}").json
    assert (job["status"], job["failed_at"] is None) == ("failed", False)
    assert stored(ground)["shards"] == 0
    return job


def test_a_file_whose_first_line_names_no_model_needs_one_in_the_body(
    caller: Caller, ground: Ground
) -> None:
    for content in (b'{"input": {"data": "aGk="}}\n', b"\x89PNG"):
        file = caller.upload(content)
        answer = caller.post("/v1/batches", json={"input_file_id": file})
        assert check_problem(answer, 422)["error"]["param"] == "model"
    assert stored(ground)["jobs"] == 0


def test_the_events_of_the_schema_are_those_that_are_sent() -> None:
    assert Event.__args__ == EVENTS  # type: ignore[attr-defined]


def test_a_key_that_stands_twice_is_refused_by_name(caller: Caller, ground: Ground) -> None:
    body = b'{"model": "digits", "urls": ["https://example.com/a.png"], "model": "other"}'
    answer = caller.post("/v1/jobs", data=body, content_type="application/json")
    assert check_problem(answer, 422, "invalid_request")["error"]["param"] == "model"
    parts = {"job": '{"model": "digits", "model": "x"}', "files": (io.BytesIO(b"x"), "a.png")}
    check_problem(caller.post("/v1/jobs", data=parts), 422, "invalid_request")
    assert stored(ground) == NOTHING


def test_a_body_of_millions_of_values_is_refused_before_they_are_made(
    caller: Caller, ground: Ground
) -> None:
    body = b'{"model": "digits", "requests": [' + b"{}," * 1_000_000 + b"{}]}"
    answer = caller.post("/v1/jobs", data=body, content_type="application/json")
    assert "values" in check_problem(answer, 413, "body_too_large")["detail"]
    assert stored(ground) == NOTHING


@pytest.mark.parametrize(
    ("path", "parts", "param"),
    [
        ("/v1/jobs", [("files", True), ("job", False), ("file", True)], "file"),
        ("/v1/jobs", [("files", True), ("job", False), ("metadata", False)], "metadata"),
        ("/v1/jobs", [("files", True), ("job", False), ("job", False)], "job"),
        ("/v1/predictions", [("file", True), ("model", False), ("top_k", False)], "top_k"),
        ("/v1/predictions", [("file", True), ("params", False), ("params", False)], "params"),
        ("/v1/files", [("file", True), ("priority", False)], "priority"),
        ("/v1/files", [("file", True), ("file", True)], "file"),
        ("/v1/models/my/a/versions", [("weights", True), ("name", False)], "name"),
    ],
)
def test_a_part_that_is_unknown_or_repeated_is_refused_by_name(
    caller: Caller, ground: Ground, path: str, parts: list[tuple[str, bool]], param: str
) -> None:
    body = b"".join(
        b'--b\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n{"model": "digits"}\r\n'
        % (name.encode(), b'; filename="a"' if is_file else b"")
        for name, is_file in parts
    )
    answer = caller.post(
        path, data=body + b"--b--\r\n", content_type="multipart/form-data; boundary=b"
    )
    assert check_problem(answer, 422, "invalid_request")["error"]["param"] == param
    assert stored(ground) == NOTHING
