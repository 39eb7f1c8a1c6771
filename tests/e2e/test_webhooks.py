"""Webhooks as their receiver sees them, checked by the public library."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from tests.e2e.stacks import RunningStack
from tests.receivers import Receiver, receiver_server

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiver_server() as running:
        yield running


def test_a_finished_job_is_told_once_and_signed(
    stack: RunningStack, receiver: Receiver, digits_folder: Path
) -> None:
    webhook = {"url": receiver.url, "secret": SECRET}
    with stack.client() as client:
        job = client.submit(digits_folder, model="digits", webhook=webhook)
        headers, body = receiver.received.get(timeout=60)
        done = client.wait(job, timeout=30)
    event = Webhook(SECRET).verify(body, headers)
    assert event["type"] == "job.completed"
    assert event["data"]["id"] == job.id
    assert event["data"]["outcome"] == "succeeded"
    assert event["data"]["request_counts"] == dict(done.raw["request_counts"])
    assert len(body) < 20_000
    assert SECRET not in json.dumps(dict(done.raw))


def test_a_receiver_that_fails_is_tried_again_with_the_same_id(
    stack: RunningStack, receiver: Receiver, digits_folder: Path
) -> None:
    receiver.answers = [500, 302]
    with stack.client() as client:
        client.submit(
            digits_folder, model="digits", webhook={"url": receiver.url, "secret": SECRET}
        )
    attempts = [receiver.received.get(timeout=60) for _ in range(3)]
    assert len({headers["webhook-id"] for headers, _ in attempts}) == 1
    assert len({body for _, body in attempts}) == 1
    for headers, body in attempts:
        Webhook(SECRET).verify(body, headers)


def test_a_job_without_a_secret_of_its_own_is_signed_with_the_tenants(
    stack: RunningStack, receiver: Receiver, digits_folder: Path
) -> None:
    credentials = json.loads((stack.data / "credentials.json").read_text())
    with stack.client() as client:
        client.submit(digits_folder, model="digits", webhook=receiver.url)
    headers, body = receiver.received.get(timeout=60)
    Webhook(credentials["webhook_secret"]).verify(body, headers)


def test_only_the_events_that_were_asked_for_are_sent(
    stack: RunningStack, receiver: Receiver, digits_folder: Path
) -> None:
    webhook = {"url": receiver.url, "events": ["job.failed"]}
    broken = digits_folder.parent / "broken.zip"
    broken.write_bytes(b"PK\x03\x04 and then nothing of the kind")
    with stack.client() as client:
        client.wait(client.submit(digits_folder, model="digits", webhook=webhook), timeout=60)
        failed = client.submit(broken, model="digits", webhook=webhook)
        _, body = receiver.received.get(timeout=60)
    assert json.loads(body)["type"] == "job.failed"
    assert json.loads(body)["data"]["id"] == failed.id
    assert receiver.received.empty()
