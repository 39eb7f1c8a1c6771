"""Whatever client strangers come with, against one stack: answers, refusals, limits, streams.

All in one file, so that a run on several processes starts one stack for it.
"""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import openai
import pytest

from jobs.base.database import Database
from jobs.tenants.keys import create_key
from models.pictures.data import heldout_digits, write_png_folder
from tests.e2e.stacks import RunningStack, running_stack, wait_for
from tests.stranger.calls import Answer, Ask, Call
from tests.stranger.clients import CLIENTS, is_here

KIB, MIB = 1024, 1024**2
# Of one tenant in a minute. What was refused for its key counts for nobody.
LIMIT = 40
DIGITS = 12
# Bodies that a refusal finds on their way: one that is read to its end, and one that is not.
SIZES = (512 * KIB, 6 * MIB)
TIMES = 40
WRONG = {"Authorization": "Bearer nobody"}
UPLOAD = "/v1/files?filename=a.bin"

_numbers = count(1)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    folder = tmp_path_factory.mktemp("stranger")
    with running_stack(folder, PIXELMILL_RATE_LIMIT=f"{LIMIT}/minute") as running:
        yield running


@pytest.fixture(scope="module")
def new_key(stack: RunningStack) -> Iterator[Callable[[], str]]:
    """Make a key of a tenant of its own, whose limit nobody else uses up."""
    database = Database(f"sqlite:///{stack.data / 'pixelmill.db'}")
    yield lambda: create_key(database, f"stranger {next(_numbers)}").key
    database.close()


@pytest.fixture
def headers(new_key: Callable[[], str]) -> dict[str, str]:
    return {"Authorization": f"Bearer {new_key()}"}


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, str]:
    """Some held-out digits as PNG files, and what each of them is."""
    folder = tmp_path_factory.mktemp("digits")
    images, labels = heldout_digits()
    written = write_png_folder(folder, images[:DIGITS], labels[:DIGITS])
    return {path: str(label) for path, label in written}


@pytest.fixture(params=CLIENTS)
def ask(request: pytest.FixtureRequest) -> Ask:
    if not is_here(request.param):
        pytest.skip(f"needs {request.param}")
    return CLIENTS[request.param]


def body_of(folder: Path, size: int) -> Path:
    path = folder / f"{size}.bin"
    path.write_bytes(b"x" * size)
    return path


def statuses(answers: list[Answer]) -> list[int]:
    return [answer.status for answer in answers]


def test_an_upload_comes_back_as_it_went(
    ask: Ask, stack: RunningStack, headers: dict[str, str], digits: dict[Path, str]
) -> None:
    manifest = stack.data / "manifest.jsonl"
    manifest.write_text('{"input": {"url": "https://example.com/ü.png"}}\n' * 50_000, "utf-8")
    (kept,) = ask(stack.info["url"], [Call("POST", UPLOAD, headers, body=manifest)])
    assert kept.status == 201, kept.text
    (back,) = ask(stack.info["url"], [Call("GET", f"{kept.headers['location']}/content", headers)])
    assert back.status == 200
    assert back.text == manifest.read_text("utf-8")


def test_a_form_is_submitted_waited_for_and_its_results_stream(
    ask: Ask, stack: RunningStack, headers: dict[str, str], digits: dict[Path, str]
) -> None:
    url = stack.info["url"]
    form = Call("POST", "/v1/jobs", headers, job={"model": "digits"}, files=tuple(digits))
    (accepted,) = ask(url, [form])
    assert accepted.status == 202, accepted.text
    place = f"/v1/jobs/{accepted.json()['id']}"
    held, rows = ask(
        url,
        [
            Call("GET", place, {**headers, "Prefer": "wait=50"}),
            Call("GET", f"{place}/results?format=ndjson", headers),
        ],
    )
    assert held.json()["status"] == "completed"
    assert held.headers["preference-applied"] == "wait=50"
    assert rows.headers["content-type"].startswith("application/x-ndjson")
    found = [json.loads(line) for line in rows.text.splitlines()]
    said = {row["custom_id"]: row["predictions"][0]["class"] for row in found}
    assert said == {path.name: label for path, label in digits.items()}


@pytest.mark.parametrize("size", SIZES)
def test_a_refusal_arrives_and_what_is_asked_next_is_answered(
    ask: Ask, stack: RunningStack, size: int, tmp_path: Path
) -> None:
    refused = Call("POST", UPLOAD, WRONG, body=body_of(tmp_path, size))
    answers = ask(stack.info["url"], [refused, Call("GET", "/healthz")] * TIMES)
    assert statuses(answers) == [401, 200] * TIMES


def test_beyond_the_rate_limit_every_upload_is_told_so(
    ask: Ask, stack: RunningStack, headers: dict[str, str], tmp_path: Path
) -> None:
    small = Call("GET", "/v1/models", headers)
    upload = Call("POST", UPLOAD, headers, body=body_of(tmp_path, SIZES[0]))
    answers = ask(stack.info["url"], [small] * LIMIT + [upload] * TIMES)
    assert statuses(answers) == [200] * LIMIT + [429] * TIMES
    # A window of a minute, rounded up by who counts.
    assert all(1 <= int(answer.headers["retry-after"]) <= 61 for answer in answers[LIMIT:])
    assert all(
        answer.json()["error"]["code"] == "rate_limit_exceeded" for answer in answers[LIMIT:]
    )


def curl(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = ["curl", "--verbose", "--noproxy", "*", "--max-time", "60", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=90)


@pytest.mark.skipif(not is_here("curl"), reason="needs curl")
def test_curl_asks_before_it_sends_much_and_sends_nothing_in_vain(
    stack: RunningStack, headers: dict[str, str], tmp_path: Path
) -> None:
    body = body_of(tmp_path, 6 * MIB)
    asks = ["--header", "Expect: 100-continue", "--expect100-timeout", "30"]
    sent = ["--data-binary", f"@{body}", "--write-out", "\n%{http_code} %{size_upload}"]
    url = stack.info["url"] + UPLOAD
    kept = curl(*asks, *sent, "--header", f"Authorization: {headers['Authorization']}", url)
    assert kept.stdout.splitlines()[-1] == f"201 {6 * MIB}", kept.stderr
    assert "HTTP/1.1 100 Continue" in kept.stderr
    refused = curl(*asks, *sent, "--header", "Authorization: Bearer nobody", url)
    assert refused.stdout.splitlines()[-1] == "401 0", refused.stderr
    assert "100 Continue" not in refused.stderr


def batch_lines(digits: dict[Path, str], file_ids: list[str]) -> bytes:
    lines = [
        {
            "custom_id": path.name,
            "method": "POST",
            "url": "/v1/predictions",
            "body": {"model": "digits", "input": {"file_id": file_id}},
        }
        for path, file_id in zip(digits, file_ids, strict=True)
    ]
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def test_the_openai_package_runs_a_batch(
    stack: RunningStack, new_key: Callable[[], str], digits: dict[Path, str]
) -> None:
    with openai.OpenAI(
        base_url=f"{stack.info['url']}/v1", api_key=new_key(), max_retries=0, timeout=60
    ) as client:
        ids = [client.files.create(file=path, purpose="vision").id for path in digits]
        lines = ("batch.jsonl", batch_lines(digits, ids))
        file = client.files.create(file=lines, purpose="batch")
        assert (file.object, file.bytes) == ("file", len(lines[1]))
        batch = client.batches.create(
            input_file_id=file.id,
            endpoint="/v1/predictions",  # type: ignore[arg-type]  # ours, not OpenAI's
            completion_window="24h",
            metadata={"of": "a stranger"},
        )
        assert batch.status in ("validating", "in_progress")
        done = wait_for(lambda: over(client, batch.id), 60, "the batch")
        assert done.status == "completed"
        assert done.request_counts is not None
        assert (done.request_counts.total, done.request_counts.failed) == (len(digits), 0)
        assert done.metadata == {"of": "a stranger"}
        assert [each.id for each in client.batches.list(limit=1)][:1] == [batch.id]
        with pytest.raises(openai.NotFoundError, match=re.escape("batch_nobodys")):
            client.batches.retrieve("batch_nobodys")
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=f"{stack.info['url']}/v1", api_key="nobody").models.list()


def over(client: openai.OpenAI, batch_id: str) -> Any:
    batch = client.batches.retrieve(batch_id)
    return batch if batch.status not in ("validating", "in_progress") else None
