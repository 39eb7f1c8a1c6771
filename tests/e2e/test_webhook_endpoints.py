"""Endpoints of a tenant on a real stack, and docs/webhooks.md as its reader types it."""

import ast
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook
from svix.webhooks import Webhook as Svix
from werkzeug.serving import make_server

from pixelmill import Client
from pixelmill.client.webhooks import WebhookDelivery, WebhookEndpoint
from tests.documents import examples
from tests.e2e.stacks import RunningStack, wait_for
from tests.receivers import Receiver, receiver_server

DOCUMENT = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()
EXAMPLES = examples(DOCUMENT)
ADDRESS = "https://example.org/hook"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiver_server() as running:
        yield running


@contextmanager
def endpoint_at(client: Client, url: str, **more: Any) -> Iterator[WebhookEndpoint]:
    """Have a URL told of every job until the block ends."""
    endpoint = client.webhook_endpoints.create(url, **more)
    try:
        yield endpoint
    finally:
        client.webhook_endpoints.delete(endpoint)


def ended(client: Client, delivery: WebhookDelivery | str) -> WebhookDelivery:
    """Give a delivery as soon as it is over."""

    def look() -> WebhookDelivery | None:
        found = client.webhook_deliveries.get(delivery)
        return None if found.state == "pending" else found

    return wait_for(look, 60, "the end of a delivery")


def verified(secret: str | None, received: tuple[dict[str, str], bytes]) -> dict[str, Any]:
    headers, body = received
    event: dict[str, Any] = Webhook(secret or "").verify(body, headers)
    # It gives nothing back, and raises.
    Svix(secret or "").verify(body, headers)
    return event


def test_a_job_tells_the_endpoint_and_the_event_is_sent_once_more(
    stack: RunningStack, receiver: Receiver, digits_folder: Path
) -> None:
    with stack.client() as client, endpoint_at(client, receiver.url) as endpoint:
        job = client.submit(digits_folder, model="digits")
        first = receiver.received.get(timeout=60)
        assert verified(endpoint.secret, first)["data"]["id"] == job.id
        (logged,) = client.webhook_deliveries.list(job=job.id, endpoint=endpoint.id)
        done = ended(client, logged)
        assert (done.state, done.response_status) == ("delivered", 204)
        again = client.webhook_deliveries.redeliver(done)
        second = receiver.received.get(timeout=60)
        assert second[1] == first[1]
        assert second[0]["webhook-id"] == first[0]["webhook-id"]
        verified(endpoint.secret, second)
        assert ended(client, again).state == "delivered"


def test_two_secrets_are_live_while_one_is_replaced(
    stack: RunningStack, receiver: Receiver
) -> None:
    with stack.client() as client, endpoint_at(client, receiver.url) as old:
        new = client.webhook_endpoints.rotate_secret(old, overlap_s=3600)
        client.webhook_endpoints.ping(old)
        received = receiver.received.get(timeout=60)
        assert verified(old.secret, received) == verified(new.secret, received)
        assert old.secret != new.secret
        log = stack.log()
        assert all(str(each.secret) not in log for each in (old, new))


def test_an_endpoint_that_is_gone_is_disabled(stack: RunningStack, receiver: Receiver) -> None:
    receiver.answers = [410]
    with stack.client() as client, endpoint_at(client, receiver.url) as endpoint:
        failed = ended(client, client.webhook_endpoints.ping(endpoint))
        assert (failed.state, failed.response_status, failed.attempts) == ("failed", 410, 1)
        shown = client.webhook_endpoints.get(endpoint)
        assert not shown.enabled
        assert "410" in (shown.disabled_reason or "")


def test_a_dead_endpoint_delays_no_other(
    stack: RunningStack, receiver: Receiver, digits_folder: Path
) -> None:
    may_answer = threading.Event()

    def hang(_: int) -> int:
        may_answer.wait(60)
        return 204

    with receiver_server() as dead, stack.client() as client:
        dead.behaviours["/hook"] = hang
        with endpoint_at(client, dead.url), endpoint_at(client, receiver.url):
            jobs = [client.submit(digits_folder, model="digits").id for _ in range(5)]
            told = [receiver.received.get(timeout=60) for _ in jobs]
            assert not may_answer.is_set()
            assert {json.loads(body)["data"]["id"] for _, body in told} == set(jobs)
            may_answer.set()


def bash_of(stack: RunningStack, script: str) -> str:
    environ = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PIXELMILL_URL": stack.info["url"],
        "PIXELMILL_API_KEY": stack.info["api_key"],
        "PYTHON": sys.executable,
    }
    command = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_commands_of_the_document_work(stack: RunningStack, receiver: Receiver) -> None:
    blocks = [each.text for each in EXAMPLES if each.language == "bash"]
    assert len(blocks) == 2
    # The command may be installed elsewhere, or not at all.
    command = 'pixelmill() { "$PYTHON" -m pixelmill "$@"; }\n'
    printed = bash_of(stack, command + "".join(blocks).replace(ADDRESS, receiver.url))
    assert "whsec_" in printed
    assert receiver.url in printed
    assert json.loads(receiver.received.get(timeout=60)[1])["type"] == "ping"


def test_the_client_of_the_document_works(stack: RunningStack, receiver: Receiver) -> None:
    (text,) = [each.text for each in EXAMPLES if "Client()" in each.text]
    script = text.replace(ADDRESS, receiver.url)
    printed = bash_of(stack, f"\"$PYTHON\" - <<'END'\n{script}\nEND\n")
    secret, state = printed.split()
    assert secret.startswith("whsec_")
    assert state in ("pending", "delivered")


def test_the_receiver_in_flask_takes_what_is_signed_and_nothing_else(
    stack: RunningStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    (text,) = [each.text for each in EXAMPLES if "from flask" in each.text]
    space: dict[str, Any] = {"__name__": "receiver"}
    server = make_server("127.0.0.1", 0, lambda *call: space["app"](*call), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.port}/hook"
    try:
        with stack.client() as client, endpoint_at(client, url) as endpoint:
            monkeypatch.setenv("WEBHOOK_SECRET", endpoint.secret or "")
            exec(compile(text, "docs/webhooks.md", "exec"), space)
            done = ended(client, client.webhook_endpoints.ping(endpoint))
            assert (done.state, done.response_status) == ("delivered", 204)
        forged = {"webhook-id": "evt_1", "webhook-timestamp": "1", "webhook-signature": "v1,AA=="}
        assert httpx.post(url, content=b"{}", headers=forged, trust_env=False).status_code == 400
    finally:
        server.shutdown()
        thread.join()


def test_the_receiver_in_fastapi_is_python() -> None:
    (text,) = [each.text for each in EXAMPLES if "from fastapi" in each.text]
    ast.parse(text)
