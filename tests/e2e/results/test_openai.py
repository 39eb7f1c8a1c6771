"""The `openai` package against a real stack, from the upload to both files, as a user has it."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import ConflictError, NotFoundError, OpenAI, UnprocessableEntityError
from openai.types import Batch, FileObject

from jobs.base.bootstrap import open_ground
from jobs.base.settings import load_settings
from jobs.tenants.keys import create_key
from tests.documents import examples
from tests.e2e.stacks import RunningStack, results_of, wait_for

DOCUMENT = (Path(__file__).parents[3] / "docs" / "openai.md").read_text()
OVER = ("completed", "failed", "expired", "cancelled")


def connect(stack: RunningStack, key: str) -> OpenAI:
    return OpenAI(base_url=f"{stack.info['url']}/v1", api_key=key)


@pytest.fixture(scope="module")
def openai(stack: RunningStack) -> Iterator[OpenAI]:
    with connect(stack, stack.info["api_key"]) as client:
        yield client


@pytest.fixture(scope="module")
def stranger(stack: RunningStack) -> Iterator[OpenAI]:
    ground = open_ground(
        load_settings(
            database_url=f"sqlite:///{stack.data / 'pixelmill.db'}",
            storage_url=(stack.data / "blobs").as_uri(),
        )
    )
    made = create_key(ground.database, "somebody else")
    ground.close()
    with connect(stack, made.key) as client:
        yield client


def manifest(pictures: list[bytes]) -> bytes:
    lines = []
    for number, picture in enumerate(pictures):
        item = {"data": base64.b64encode(picture).decode()}
        body = {"model": "digits", "input": item}
        line = {"method": "POST", "url": "/v1/predictions", "body": body}
        lines.append(json.dumps({"custom_id": f"request-{number}", **line}))
    return "\n".join(lines).encode()


def create(openai: OpenAI, pictures: list[bytes], **more: Any) -> Batch:
    file = openai.files.create(file=("batch.jsonl", manifest(pictures)), purpose="batch")
    return openai.batches.create(
        input_file_id=file.id, endpoint="/v1/predictions", completion_window="24h", **more
    )


def shown(openai: OpenAI, batch_id: str) -> Batch:
    """Retrieve a batch, held strictly against the package's own type."""
    answer = openai.batches.with_raw_response.retrieve(batch_id)
    return Batch.model_validate_json(answer.text, strict=True)


def ended(openai: OpenAI, batch_id: str) -> Batch:
    def over() -> Batch | None:
        batch = shown(openai, batch_id)
        return batch if batch.status in OVER else None

    return wait_for(over, 120, "the batch to end")


def lines_of(openai: OpenAI, file_id: str | None) -> list[dict[str, Any]]:
    if file_id is None:
        return []
    file = openai.files.with_raw_response.retrieve(file_id)
    made = FileObject.model_validate_json(file.text, strict=True)
    assert (made.id, made.purpose, made.status) == (file_id, "batch_output", "processed")
    content = openai.files.content(file_id).read()
    assert made.bytes == len(content)
    return [json.loads(line) for line in content.decode().splitlines()]


def check_files(stack: RunningStack, openai: OpenAI, batch: Batch) -> tuple[int, int]:
    """Hold both files of a batch against its results, row by row; gives their lengths."""
    with stack.client() as client:
        rows = {row["custom_id"]: row for row in results_of(client, batch.id)}
    answers = lines_of(openai, batch.output_file_id)
    errors = lines_of(openai, batch.error_file_id)
    lines = [*answers, *errors]
    assert sorted(line["custom_id"] for line in lines) == sorted(rows)
    assert len({line["id"] for line in lines}) == len(rows)
    for line in answers:
        assert line["error"] is None
        assert line["response"]["status_code"] == 200
        assert line["response"]["request_id"]
        assert line["response"]["body"] == rows[line["custom_id"]]
        assert line["response"]["body"]["status"] == "succeeded"
    for line in errors:
        assert line["response"] is None
        row = rows[line["custom_id"]]
        if row["status"] == "errored":
            told = {name: row["error"][name] for name in ("code", "message")}
            assert line["error"] == told
        else:
            assert line["error"]["code"] == f"batch_{row['status']}"
    return len(answers), len(errors)


@pytest.fixture(scope="module")
def pictures(digits_folder: Path) -> list[bytes]:
    return [each.read_bytes() for each in sorted(digits_folder.iterdir())]


@pytest.fixture(scope="module")
def batch(openai: OpenAI, pictures: list[bytes]) -> Batch:
    """A batch that is over, in which every tenth item is no picture."""
    mixed = [b"no picture" if n % 10 == 0 else each for n, each in enumerate(pictures)]
    made = create(openai, mixed, metadata={"run": "7"})
    assert (made.output_file_id, made.error_file_id) == (None, None)
    return ended(openai, made.id)


def test_both_files_hold_what_the_results_say(
    stack: RunningStack, openai: OpenAI, batch: Batch
) -> None:
    assert (batch.status, batch.metadata) == ("completed", {"run": "7"})
    assert batch.completed_at is not None
    assert batch.created_at <= (batch.in_progress_at or 0) <= batch.completed_at
    ends = [batch.failed_at, batch.expired_at, batch.cancelled_at, batch.cancelling_at]
    assert ends == [None] * 4
    counts = batch.request_counts
    assert counts is not None
    assert (counts.total, counts.completed, counts.failed) == (360, 324, 36)
    assert check_files(stack, openai, batch) == (324, 36)


def test_a_batch_that_is_cancelled_has_what_it_had_done(
    stack: RunningStack, openai: OpenAI, pictures: list[bytes]
) -> None:
    made = create(openai, pictures * 60)

    def is_under_way() -> bool:
        counts = openai.batches.retrieve(made.id).request_counts
        return counts is not None and counts.completed > 0

    wait_for(is_under_way, 120, "the first items")
    assert openai.batches.cancel(made.id).status in ("cancelling", "cancelled")
    batch = ended(openai, made.id)
    assert batch.status == "cancelled"
    assert batch.cancelled_at is not None
    assert batch.cancelling_at is not None
    done, left = check_files(stack, openai, batch)
    assert done + left == len(pictures) * 60
    assert min(done, left) > 0


def test_lists_turn_their_pages(openai: OpenAI, batch: Batch, pictures: list[bytes]) -> None:
    others = [ended(openai, create(openai, pictures[:2]).id) for _ in range(2)]
    assert all(other.error_file_id is None for other in others)
    batches = [each.id for each in openai.batches.list(limit=1)]
    assert batches[:2] == [others[1].id, others[0].id]
    assert batch.id in batches[2:]
    files = [each.id for each in openai.files.list(purpose="batch_output", limit=1)]
    assert files[:2] == [others[1].output_file_id, others[0].output_file_id]
    place = files.index(batch.output_file_id or "")
    assert files[place : place + 2] == [batch.output_file_id, batch.error_file_id]
    page = openai.batches.list(limit=1)
    assert (page.has_more, page.has_next_page()) == (True, True)
    assert [each.id for each in openai.batches.list(after=batches[-1])] == []
    uploads = [each.id for each in openai.files.list(limit=2, purpose="batch")]
    assert batch.input_file_id in uploads
    assert not set(uploads) & set(files)


def test_nobody_sees_anothers_files(stranger: OpenAI, batch: Batch) -> None:
    for file_id in (batch.output_file_id, batch.error_file_id, batch.input_file_id):
        assert file_id is not None
        for call in (stranger.files.retrieve, stranger.files.content, stranger.files.delete):
            with pytest.raises(NotFoundError) as caught:
                call(file_id)
            assert (caught.value.code, caught.value.type) == ("not_found", "invalid_request_error")
    with pytest.raises(NotFoundError):
        stranger.batches.retrieve(batch.id)
    assert list(stranger.files.list(purpose="batch_output")) == []


def test_refusals_are_the_packages_errors_and_are_not_repeated(
    openai: OpenAI, batch: Batch
) -> None:
    with pytest.raises(UnprocessableEntityError) as refused:
        openai.batches.create(
            input_file_id=batch.input_file_id, endpoint="/v1/responses", completion_window="24h"
        )
    assert (refused.value.code, refused.value.param) == ("invalid_request", "endpoint")
    assert batch.output_file_id is not None
    for call, given in (
        (openai.files.delete, batch.output_file_id),
        (openai.batches.cancel, batch.id),
    ):
        with pytest.raises(ConflictError) as caught:
            call(given)
        assert caught.value.code == "conflict"
        # It would have been sent three times.
        assert caught.value.response.request.headers["x-stainless-retry-count"] == "0"
    assert openai.files.content(batch.output_file_id).read()


def test_files_go_with_the_job(stack: RunningStack, openai: OpenAI, pictures: list[bytes]) -> None:
    batch = ended(openai, create(openai, pictures[:2]).id)
    assert batch.output_file_id is not None
    with stack.client() as client:
        client.delete(batch.id)
    with pytest.raises(NotFoundError):
        openai.files.content(batch.output_file_id)
    with pytest.raises(NotFoundError):
        openai.batches.retrieve(batch.id)


def test_the_documents_example_works(
    stack: RunningStack, digits_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "pictures").mkdir()
    for each in sorted(digits_folder.iterdir())[:5]:
        (tmp_path / "pictures" / each.name).write_bytes(each.read_bytes())
    (tmp_path / "pictures" / "broken.png").write_bytes(b"no picture")
    (text,) = [each.text for each in examples(DOCUMENT) if each.language == "python"]
    environ = os.environ | {
        "PIXELMILL_URL": stack.info["url"],
        "PIXELMILL_API_KEY": stack.info["api_key"],
    }
    done = subprocess.run(
        [sys.executable, "-c", text],
        cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len([line for line in lines if line.split()[1] in "0123456789"]) == 5
    (broken,) = [line for line in lines if line.startswith("broken.png ")]
    # The code that the document shows, and a sentence.
    assert f'"code": "{broken.split()[1]}"' in DOCUMENT
    assert broken.endswith(".")


def test_the_documents_lines_have_the_members_that_lines_have(openai: OpenAI, batch: Batch) -> None:
    (text,) = [each.text for each in examples(DOCUMENT) if each.language == "json"]
    answer, error = map(json.loads, text.splitlines())
    told = lines_of(openai, batch.output_file_id)[0]
    assert list(answer) == list(told)
    assert list(answer["response"]) == list(told["response"])
    assert set(answer["response"]["body"]) <= set(told["response"]["body"])
    failed = lines_of(openai, batch.error_file_id)[0]
    assert list(error) == list(failed)
    assert list(error["error"]) == list(failed["error"])
