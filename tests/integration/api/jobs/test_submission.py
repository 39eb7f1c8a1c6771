"""What is accepted, and what becomes of it: a job that is stored, before anybody is told 202."""

import base64
import io
import json
import tarfile
import zipfile
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from sqlalchemy import select

from api.app import create_app
from jobs.base.bootstrap import Ground
from jobs.inputs.manifests import Manifest
from jobs.intake.preparation import prepare_next
from jobs.queue.webhooks import EVENTS
from jobs.tables import Job
from jobs.tenants.keys import NewKey
from tests.integration.api.callers import (
    DATA,
    Caller,
    check_problem,
    job_body,
    stored,
    with_settings,
)
from tests.integration.jobs.builders import serve


def row_of(ground: Ground, job_id: str) -> Job:
    with ground.database.read() as session:
        return session.scalars(select(Job).where(Job.id == job_id)).one()


def custom_ids(ground: Ground, job_id: str) -> list[str]:
    job = row_of(ground, job_id)
    return [item.custom_id for item in Manifest(ground.storage, job.manifest).items(0, job.total)]


def zip_of(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, b"picture of " + name.encode())
    return buffer.getvalue()


def batch_line(custom_id: str, model: str = "digits", **params: Any) -> bytes:
    body = {"model": model, "input": {"data": DATA}} | ({"params": params} if params else {})
    line = {"custom_id": custom_id, "method": "POST", "url": "/v1/predictions", "body": body}
    return json.dumps(line).encode() + b"\n"


def test_a_json_job_is_answered_with_the_whole_document(caller: Caller) -> None:
    answer = caller.post(
        "/v1/jobs", json=job_body(3, params={"top_k": 2}, metadata={"team": "a"}, priority="low")
    )
    assert answer.status_code == 202
    job = answer.json
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert answer.headers["Retry-After"]
    assert (job["object"], job["status"], job["outcome"]) == ("job", "in_progress", None)
    assert job["model"] == {"name": "digits", "version": 1, "digest": "sha256:" + "0" * 64}
    assert job["params"] == {"decode": "exact", "top_k": 2, "min_confidence": 0.0}
    assert (job["metadata"], job["priority"]) == ({"team": "a"}, "low")
    assert job["request_counts"] == {
        "total": 3, "completed": 0, "failed": 0, "processing": 3, "cancelled": 0, "expired": 0,
    }  # fmt: skip
    assert job["queue"] == {"position": 0, "eta_seconds": None}
    assert job["expires_at"] - job["created_at"] == 7 * 86400
    assert all(job[name] is None for name in ("errors", "output_file_id", "error_file_id"))
    assert job["results_url"] == f"/v1/jobs/{job['id']}/results"
    assert job["endpoint"] == "/v1/predictions"


def test_the_document_is_as_the_openapi_schema_says(caller: Caller) -> None:
    document = caller.get("/openapi.json").json
    schema = {"$ref": "#/components/schemas/JobView", "components": document["components"]}
    OAS31Validator(schema).validate(caller.submit())


def test_items_keep_their_order_and_names(caller: Caller, ground: Ground) -> None:
    requests = [{"custom_id": "b", "input": {"data": DATA}}, {"input": {"url": "https://e.com/x"}}]
    job = caller.submit(requests=requests)
    assert custom_ids(ground, job["id"]) == ["b", "1"]


def test_urls_are_items_named_by_their_place(caller: Caller, ground: Ground) -> None:
    urls = ["https://example.com/a.png", "https://example.com/a.png"]
    answer = caller.post("/v1/jobs", json={"model": "digits", "urls": urls})
    assert custom_ids(ground, answer.json["id"]) == ["0", "1"]


def test_an_uploaded_archive_is_prepared_after_the_answer(caller: Caller, ground: Ground) -> None:
    file = caller.upload(zip_of("a.png", "b/c.png"), "photos.zip")
    answer = caller.post("/v1/jobs", json={"model": "digits", "input_file_id": file})
    assert answer.status_code == 202
    assert (answer.json["status"], answer.json["input_file_id"]) == ("validating", file)
    assert prepare_next(ground) == answer.json["id"]
    job = caller.get(answer.headers["Location"]).json
    assert (job["status"], job["request_counts"]["total"]) == ("in_progress", 2)
    assert custom_ids(ground, job["id"]) == ["a.png", "b/c.png"]


def test_openais_batch_form_names_its_model_in_the_file(caller: Caller, ground: Ground) -> None:
    content = batch_line("one", top_k=3) + batch_line("two", top_k=3)
    file = caller.upload(content, "batch.jsonl")
    body = {"input_file_id": file, "endpoint": "/v1/predictions", "completion_window": "24h"}
    answer = caller.post("/v1/batches", json=body)
    assert answer.status_code == 202
    batch = answer.json
    assert answer.headers["Location"] == f"/v1/batches/{batch['id']}"
    assert (batch["object"], batch["completion_window"]) == ("batch", "24h")
    assert batch["expires_at"] - batch["created_at"] == 86400
    assert batch["params"]["top_k"] == 3
    asked = {"model": "digits", "params": {"top_k": 3}, "from_lines": True}
    assert row_of(ground, batch["id"]).requested == asked
    prepare_next(ground)
    assert caller.get(answer.headers["Location"]).json["status"] == "in_progress"
    assert custom_ids(ground, batch["id"]) == ["one", "two"]


def test_a_webhook_is_stored_with_all_events_and_shown_without_its_secret(
    caller: Caller, ground: Ground
) -> None:
    secret = "whsec_" + base64.b64encode(b"k" * 32).decode()
    job = caller.submit(webhook={"url": "https://example.com/hook", "secret": secret})
    events = list(EVENTS)
    assert job["webhook"] == {"url": "https://example.com/hook", "events": events}
    assert row_of(ground, job["id"]).webhook["secret"] == secret
    assert secret not in caller.get(f"/v1/jobs/{job['id']}").text
    assert secret not in caller.get("/v1/jobs").text


@pytest.mark.parametrize(
    "wanted", [3600, {"seconds": 3600}, {"seconds": 3600, "anchor": "created_at"}]
)
def test_what_is_to_be_erased_is_stored(caller: Caller, ground: Ground, wanted: Any) -> None:
    job = caller.submit(output_expires_after=wanted, delete_inputs=True)
    assert (job["output_expires_after"], job["delete_inputs"]) == (3600, True)
    row = row_of(ground, job["id"])
    assert (row.output_expires_after, row.delete_inputs) == (3600, True)


def test_jobs_go_to_the_pool_of_the_settings(
    ground: Ground, tenant: NewKey, caller: Caller
) -> None:
    assert row_of(ground, caller.submit()["id"]).pool == "cpu"
    other = Caller(create_app(with_settings(ground, pool_for_jobs="gpu")), tenant)
    assert row_of(ground, other.submit()["id"]).pool == "gpu"


def test_a_dry_run_checks_everything_and_stores_nothing(caller: Caller, ground: Ground) -> None:
    answer = caller.post("/v1/jobs", json=job_body(3, dry_run=True, params={"top_k": 2}))
    assert answer.status_code == 200
    assert answer.json["total"] == 3
    assert answer.json["params"]["top_k"] == 2
    twice = [{"custom_id": "a", "input": {"data": DATA}}] * 2
    refused = caller.post("/v1/jobs", json=job_body(requests=twice, dry_run=True))
    check_problem(refused, 422, "duplicate_custom_id")
    file = caller.upload(zip_of("a.png"))
    before = stored(ground)
    answer = caller.post(
        "/v1/jobs", json={"model": "digits", "input_file_id": file, "dry_run": True}
    )
    assert (answer.status_code, answer.json["total"]) == (200, None)
    assert answer.json["skipped"] is None
    assert stored(ground) == before
    assert before["jobs"] == 0


def submit_form(caller: Caller, job: Any, *files: tuple[bytes, str], **more: Any) -> Any:
    data = {
        "files": [(io.BytesIO(content), name) for content, name in files],
        "job": json.dumps(job),
    }
    return caller.post("/v1/jobs", data=data, content_type="multipart/form-data", **more)


def test_a_form_of_images_is_a_job_named_by_file_names(caller: Caller, ground: Ground) -> None:
    answer = submit_form(caller, {"model": "digits"}, (b"one", "a.png"), (b"two", "b.png"))
    assert answer.status_code == 202
    assert answer.json["request_counts"]["total"] == 2
    assert custom_ids(ground, answer.json["id"]) == ["a.png", "b.png"]
    job = row_of(ground, answer.json["id"])
    items = Manifest(ground.storage, job.manifest).items(0, 2)
    pack = ground.storage.get(items[0].blob)
    assert [pack[item.offset : item.offset + item.length] for item in items] == [b"one", b"two"]
    assert stored(ground)["files"] == 0


def test_a_form_of_one_archive_is_kept_as_a_file(caller: Caller, ground: Ground) -> None:
    answer = submit_form(caller, {"model": "digits"}, (zip_of("a.png", "b.png"), "all.zip"))
    assert answer.status_code == 202
    file = caller.get(f"/v1/files/{answer.json['input_file_id']}").json
    assert file["filename"] == "all.zip"
    prepare_next(ground)
    assert custom_ids(ground, answer.json["id"]) == ["a.png", "b.png"]


def test_a_form_of_one_jsonl_file_may_name_its_model_inside(caller: Caller, ground: Ground) -> None:
    answer = submit_form(caller, {}, (batch_line("one"), "batch.jsonl"))
    assert answer.status_code == 202
    prepare_next(ground)
    assert custom_ids(ground, answer.json["id"]) == ["one"]


def test_a_form_of_thousands_of_images_needs_one_descriptor(caller: Caller, ground: Ground) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        # Each larger than what werkzeug would keep in memory, so it would open a file for each.
        images = [(b"x" * 600_000, f"{number}.png") for number in range(300)]
        answer = submit_form(caller, {"model": "digits"}, *images)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert answer.json["request_counts"]["total"] == 300


def test_images_of_a_form_that_share_a_name_are_told_apart(caller: Caller, ground: Ground) -> None:
    images = [(b"one", "a.png"), (b"two", "a.png"), (b"three", "a.png (2)")]
    answer = submit_form(caller, {"model": "digits"}, *images)
    assert answer.status_code == 202
    assert custom_ids(ground, answer.json["id"]) == ["a.png", "a.png (3)", "a.png (2)"]


def test_names_in_a_form_are_seen_and_fit_their_budget(caller: Caller, ground: Ground) -> None:
    images = [(b"one", "gnp\u202egpj.exe"), (b"two", "x" * 5000 + ".png")]
    answer = submit_form(caller, {"model": "digits"}, *images)
    assert answer.status_code == 202, answer.text
    turned, long = custom_ids(ground, answer.json["id"])
    assert turned == "gnp\\u202egpj.exe"
    assert (len(long), long[-4:]) == (512, ".png")


def test_a_form_of_one_archive_in_any_packing_is_walked(caller: Caller, ground: Ground) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as archive:
        archive.addfile(tarfile.TarInfo("a.png"))
        archive.addfile(tarfile.TarInfo(".DS_Store"))
    answer = submit_form(caller, {"model": "digits"}, (buffer.getvalue(), "all\u202e.tar.xz"))
    assert answer.status_code == 202, answer.text
    prepare_next(ground)
    assert custom_ids(ground, answer.json["id"]) == ["a.png"]
    shown = caller.get(f"/v1/jobs/{answer.json['id']}").json
    assert shown["skipped"] == {
        "count": 1,
        "by_reason": {"system_file": 1},
        "names": [{"name": ".DS_Store", "reason": "system_file"}],
    }


def test_a_job_without_skipped_files_says_so(caller: Caller) -> None:
    nothing = {"count": 0, "by_reason": {}, "names": []}
    assert caller.post("/v1/jobs", json=job_body(2)).json["skipped"] == nothing
    assert caller.post("/v1/jobs", json=job_body(2, dry_run=True)).json["skipped"] == nothing


@pytest.mark.parametrize("data", ["aGVs\nbG8=\r\n", "aGVsbG8", "aGVs bG8"])
def test_base64_is_read_however_it_is_wrapped(caller: Caller, data: str) -> None:
    body = job_body(requests=[{"custom_id": "a", "input": {"data": data}}])
    assert caller.post("/v1/jobs", json=body).status_code == 202


def test_a_custom_id_that_cannot_be_seen_is_refused_with_its_place(caller: Caller) -> None:
    for custom_id in ("gnp\u202egpj.exe", " ", "a\tb"):
        body = job_body(requests=[{"custom_id": custom_id, "input": {"data": DATA}}])
        problem = check_problem(caller.post("/v1/jobs", json=body), 422)
        assert problem["errors"]["data"][0]["param"] == "requests.0.custom_id"
        assert "seen" in problem["detail"]


def test_a_form_that_is_refused_leaves_nothing(caller: Caller, ground: Ground) -> None:
    images = [(b"one", "a.png"), (b"two", "b.png")]
    archive = (zip_of("a.png"), "all.zip")
    check_problem(submit_form(caller, {"model": "nope"}, *images), 404, "model_not_found")
    check_problem(submit_form(caller, {"model": "nope"}, archive), 404, "model_not_found")
    check_problem(submit_form(caller, {}, archive), 422)
    check_problem(submit_form(caller, {}, (batch_line("a", "nope"), "b.jsonl")), 404)
    check_problem(submit_form(caller, {"model": "digits", "bogus": 1}, archive), 422)
    check_problem(submit_form(caller, {"model": "digits"}), 422, "empty_input")
    check_problem(submit_form(caller, [], archive), 422)
    headers = {"Idempotency-Key": "x" * 256}
    check_problem(submit_form(caller, {"model": "digits"}, archive, headers=headers), 422)
    assert stored(ground) == {
        "jobs": 0, "shards": 0, "files": 0, "idempotency_keys": 0, "blobs": []
    }  # fmt: skip


def test_a_form_without_a_job_part_or_with_nameless_files_is_refused(caller: Caller) -> None:
    data = {"files": (io.BytesIO(b"x"), "a.png")}
    answer = caller.post("/v1/jobs", data=data, content_type="multipart/form-data")
    assert check_problem(answer, 422)["error"]["param"] == "job"
    data = {"files": "just text", "job": '{"model": "digits"}'}
    answer = caller.post("/v1/jobs", data=data, content_type="multipart/form-data")
    assert check_problem(answer, 422)["error"]["param"] == "files"


def test_a_form_with_more_parts_than_items_are_allowed_is_too_large(
    ground: Ground, tenant: NewKey, caller: Caller
) -> None:
    small = Caller(create_app(with_settings(ground, max_inline_items=10)), tenant)
    images = [(b"x", f"{number}.png") for number in range(30)]
    check_problem(submit_form(small, {"model": "digits"}, *images), 413, "body_too_large")
    few = submit_form(small, {"model": "digits"}, *images[:11])
    check_problem(few, 422, "too_many_items")
    assert stored(ground)["jobs"] == 0


def test_an_inline_item_may_not_contradict_its_job(caller: Caller, ground: Ground) -> None:
    body = {"model": "other", "input": {"data": DATA}}
    requests = [{"custom_id": "a", "method": "POST", "url": "/v1/predictions", "body": body}]
    answer = caller.post("/v1/jobs", json={"model": "digits", "requests": requests})
    assert answer.status_code == 422
    assert "other" in answer.json["detail"]
    assert stored(ground)["jobs"] == 0


def test_a_repetition_gets_its_job_also_when_the_input_file_is_gone(caller: Caller) -> None:
    body = {"model": "digits", "input_file_id": caller.upload(zip_of("a.png"))}
    key = {"Idempotency-Key": "once"}
    first = caller.post("/v1/jobs", json=body, headers=key)
    assert caller.delete(f"/v1/files/{body['input_file_id']}").status_code == 200
    again = caller.post("/v1/jobs", json=body, headers=key)
    assert (again.status_code, again.json["id"]) == (202, first.json["id"])


def test_a_dry_run_tells_what_it_would_take_by_the_last_jobs_of_the_version(
    caller: Caller, ground: Ground
) -> None:
    unknown = caller.post("/v1/jobs", json=job_body(3, dry_run=True)).json
    assert (unknown["device_seconds"], unknown["eta_seconds"]) == (None, None)
    caller.submit(4)
    serve(ground, seconds=2)
    alone = caller.post("/v1/jobs", json=job_body(30, dry_run=True)).json
    assert (alone["device_seconds"], alone["eta_seconds"]) == (15.0, 15)
    caller.submit(4, priority="high")
    behind = caller.post("/v1/jobs", json=job_body(30, dry_run=True)).json
    assert (behind["device_seconds"], behind["eta_seconds"]) == (15.0, 75)
    file = caller.upload(zip_of("a.png"))
    uploaded = {"model": "digits", "input_file_id": file, "dry_run": True}
    assert caller.post("/v1/jobs", json=uploaded).json["device_seconds"] is None
