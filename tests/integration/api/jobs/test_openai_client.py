"""The `openai` package against our files and batches: its own types hold our answers."""

import json
from collections.abc import Iterator

import pytest
from openai import OpenAI, UnprocessableEntityError
from openai.types import Batch, FileDeleted, FileObject
from sqlalchemy import update

from jobs.aftercare.uploaded_files import erase_expired_files
from jobs.base.bootstrap import Ground
from jobs.intake.preparation import prepare_next
from jobs.queue.completion import cancel
from jobs.tables import File
from jobs.tenants.keys import NewKey
from tests.integration.api.callers import DATA, job_body
from tests.integration.api.fronts import Front

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def openai(front: Front) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{front.url}/v1", api_key=front.key, max_retries=0) as client:
        yield client


def lines(count: int) -> bytes:
    body = {"model": "digits", "input": {"data": DATA}}
    line = {"method": "POST", "url": "/v1/predictions", "body": body}
    return b"".join(
        json.dumps({"custom_id": f"item-{index}", **line}).encode() + b"\n"
        for index in range(count)
    )


def test_files_are_what_the_package_says_they_are(openai: OpenAI, ground: Ground) -> None:
    expiry = {"anchor": "created_at", "seconds": 3600}
    first = openai.files.with_raw_response.create(
        file=("a.jsonl", lines(1)), purpose="batch", expires_after=expiry
    )
    # Strictly: the package itself takes whatever comes.
    made = FileObject.model_validate_json(first.text, strict=True)
    assert (made.status, made.filename, made.purpose) == ("processed", "a.jsonl", "batch")
    assert made.expires_at == made.created_at + 3600
    ids = [made.id]
    for _ in range(4):
        file = openai.files.create(file=("b.jsonl", lines(1)), purpose="user_data")
        assert file.expires_at is None
        ids.append(file.id)
    # Page by page, as the package turns them.
    assert [file.id for file in openai.files.list(limit=2, order="asc")] == ids
    assert [file.id for file in openai.files.list(limit=2, order="desc")] == ids[::-1]
    assert [file.id for file in openai.files.list(purpose="batch")] == ids[:1]
    assert openai.files.content(ids[0]).read() == lines(1)
    gone = openai.files.with_raw_response.delete(ids[1])
    assert FileDeleted.model_validate_json(gone.text, strict=True).deleted


@pytest.mark.parametrize(
    ("seconds", "anchor"), [(60, "created_at"), (3600, "used_at"), (None, "created_at")]
)
def test_an_expiry_that_makes_no_sense_is_refused_by_name(
    openai: OpenAI, seconds: int | None, anchor: str
) -> None:
    expiry = {"anchor": anchor} | ({} if seconds is None else {"seconds": seconds})
    with pytest.raises(UnprocessableEntityError, match=r"expires_after\[") as caught:
        openai.files.create(file=("a", b"x"), purpose="batch", expires_after=expiry)
    assert caught.value.param.startswith("expires_after[")


def test_a_file_whose_time_is_over_is_erased_unless_a_job_needs_it(
    openai: OpenAI, ground: Ground, tenant: NewKey
) -> None:
    expiry = {"anchor": "created_at", "seconds": 3600}
    free, used = (
        openai.files.create(file=("a.jsonl", lines(1)), purpose="batch", expires_after=expiry)
        for _ in range(2)
    )
    kept = openai.files.create(file=("b.jsonl", lines(1)), purpose="batch")
    batch = openai.batches.create(
        input_file_id=used.id, endpoint="/v1/predictions", completion_window="24h"
    )
    assert erase_expired_files(ground) == 0
    with ground.database.write() as session:
        session.execute(update(File).where(File.expires_at.is_not(None)).values(expires_at=1.0))
    assert erase_expired_files(ground) == 1
    assert {file.id for file in openai.files.list()} == {used.id, kept.id}
    assert [name for name in ground.storage.list("inputs") if free.id in name] == []
    assert prepare_next(ground) == batch.id
    cancel(ground.database, tenant.tenant_id, batch.id)
    assert erase_expired_files(ground) == 1
    assert [file.id for file in openai.files.list()] == [kept.id]


def test_batches_are_what_the_package_says_they_are(openai: OpenAI, ground: Ground) -> None:
    file = openai.files.create(file=("a.jsonl", lines(3)), purpose="batch")
    answer = openai.batches.with_raw_response.create(
        input_file_id=file.id,
        endpoint="/v1/predictions",
        completion_window="24h",
        metadata={"run": "7"},
    )
    batch = Batch.model_validate_json(answer.text, strict=True)
    assert (batch.model, batch.status, batch.metadata) == ("digits@1", "validating", {"run": "7"})
    assert prepare_next(ground) == batch.id
    shown = openai.batches.with_raw_response.retrieve(batch.id)
    counts = Batch.model_validate_json(shown.text, strict=True).request_counts
    assert (counts.total, counts.completed, counts.failed) == (3, 0, 0)
    ids = [batch.id]
    for _ in range(2):
        more = openai.batches.create(
            input_file_id=file.id, endpoint="/v1/predictions", completion_window="24h"
        )
        ids.append(more.id)
    assert [each.id for each in openai.batches.list(limit=1)] == ids[::-1]
    oldest = openai.batches.list(limit=1, extra_query={"order": "asc"})
    assert [each.id for each in oldest.data] == ids[:1]
    cancelled = openai.batches.with_raw_response.cancel(batch.id)
    Batch.model_validate_json(cancelled.text, strict=True)
    bad = openai.files.create(file=("b.jsonl", lines(1) + b"{broken\n"), purpose="batch")
    with pytest.raises(UnprocessableEntityError):
        openai.batches.create(
            input_file_id=bad.id, endpoint="/v1/responses", completion_window="24h"
        )


def test_a_job_without_a_file_is_a_batch_too(openai: OpenAI) -> None:
    job: dict[str, str] = openai.post("/jobs", body=job_body(), cast_to=dict)
    shown = openai.batches.with_raw_response.retrieve(job["id"])
    batch = Batch.model_validate_json(shown.text, strict=True)
    assert (batch.id, batch.input_file_id, batch.output_file_id) == (job["id"], "", None)
