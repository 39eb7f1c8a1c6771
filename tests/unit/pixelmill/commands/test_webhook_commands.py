"""Webhook endpoints and deliveries by the client and on the command line."""

import pytest
from typer.testing import CliRunner

from pixelmill import UnexpectedAnswer
from pixelmill.cli.commands import app

ENDPOINTS = "/v1/webhook_endpoints"
DELIVERIES = "/v1/webhook_deliveries"
ONE = f"{ENDPOINTS}/whe_1"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

ENDPOINT = {
    "id": "whe_1",
    "object": "webhook_endpoint",
    "url": "https://example.org/hook",
    "events": ["job.completed", "job.failed"],
    "description": "shop",
    "enabled": True,
    "disabled_reason": None,
    "old_secret_until": None,
    "created_at": 1_700_000_000,
}
DELIVERY = {
    "id": "whd_1",
    "object": "webhook_delivery",
    "event_id": "evt_1",
    "type": "job.completed",
    "job_id": "job_1",
    "endpoint_id": "whe_1",
    "url": "https://example.org/hook",
    "state": "pending",
    "attempts": 2,
    "next_attempt_at": 1_700_000_300,
    "response_status": 503,
    "response_body": "away",
    "error": None,
    "created_at": 1_700_000_000,
    "ended_at": None,
}


@pytest.fixture
def run(server, tmp_path):
    env = {
        "PIXELMILL_URL": server.url,
        "PIXELMILL_API_KEY": "key",
        "PIXELMILL_DATA": str(tmp_path / "none"),
    }
    return lambda *args: CliRunner().invoke(app, ["webhooks", *args], env=env)


def test_an_endpoint_is_made_with_what_was_given(server, say, client):
    server.on("POST", ENDPOINTS, say.answer(201, ENDPOINT | {"secret": SECRET}))
    made = client.webhook_endpoints.create(ENDPOINT["url"], events=["job.failed"])
    assert (made.id, made.secret, made.enabled) == ("whe_1", SECRET, True)
    assert SECRET not in repr(made)
    assert server.seen[-1].json == {"url": ENDPOINT["url"], "events": ["job.failed"]}


def test_an_endpoint_is_changed_rotated_and_deleted(server, say, client):
    server.on("GET", ONE, say.answer(200, ENDPOINT))
    server.on("PATCH", ONE, say.answer(200, ENDPOINT | {"enabled": False}))
    server.on("DELETE", ONE, say.answer(200, {"id": "whe_1", "deleted": True}))
    server.on("POST", f"{ONE}/rotate_secret", say.answer(200, ENDPOINT | {"secret": SECRET}))
    endpoint = client.webhook_endpoints.get("whe_1")
    assert endpoint.secret is None
    assert not client.webhook_endpoints.change(endpoint, enabled=False).enabled
    assert server.seen[-1].json == {"enabled": False}
    assert client.webhook_endpoints.rotate_secret(endpoint, overlap_s=0).secret == SECRET
    assert server.seen[-1].json == {"overlap_s": 0}
    client.webhook_endpoints.delete(endpoint)
    assert server.seen[-1].method == "DELETE"


def test_deliveries_are_read_page_by_page(server, say, client):
    pages = [
        say.answer(200, {"data": [DELIVERY], "last_id": "whd_1", "has_more": True}),
        say.answer(200, {"data": [DELIVERY | {"id": "whd_0"}], "last_id": None, "has_more": False}),
    ]
    server.on("GET", DELIVERIES, *pages)
    found = list(client.webhook_deliveries.list(job="job_1", state="pending"))
    assert [each.id for each in found] == ["whd_1", "whd_0"]
    assert [seen.query for seen in server.seen] == [
        {"job_id": "job_1", "state": "pending"},
        {"job_id": "job_1", "state": "pending", "after": "whd_1"},
    ]


def test_an_id_that_somebody_typed_reaches_no_other_call(server, say, client):
    server.on("GET", f"{DELIVERIES}/..%2Fjobs", say.answer(200, DELIVERY))
    assert client.webhook_deliveries.get("../jobs").id == "whd_1"


def test_an_answer_without_an_id_is_told(server, say, client):
    server.on("GET", ONE, say.answer(200, {}))
    with pytest.raises(UnexpectedAnswer, match="lacks its id"):
        client.webhook_endpoints.get("whe_1")


def test_add_prints_id_and_secret_once(server, say, run):
    server.on("POST", ENDPOINTS, say.answer(201, ENDPOINT | {"secret": SECRET}))
    printed = run("add", ENDPOINT["url"], "--event", "job.failed", "--description", "shop")
    assert (printed.exit_code, printed.stdout) == (0, f"whe_1 {SECRET}\n")
    assert "not shown again" in printed.stderr
    body = {"url": ENDPOINT["url"], "events": ["job.failed"], "description": "shop"}
    assert server.seen[-1].json == body


def test_list_shows_them_with_why_one_is_disabled(server, say, run):
    off = ENDPOINT | {"enabled": False, "disabled_reason": "The receiver answered 410 Gone."}
    server.on("GET", ENDPOINTS, say.page([ENDPOINT, off]))
    printed = run("list")
    assert printed.exit_code == 0
    header, one, other = printed.stdout.splitlines()
    assert header.split() == ["ENDPOINT", "ENABLED", "URL", "EVENTS", "ABOUT"]
    assert one.split()[1:] == ["yes", ENDPOINT["url"], "job.completed,job.failed", "shop"]
    assert "no " in other
    assert "410 Gone" in other


def test_rotate_ping_redeliver_and_remove(server, say, run):
    server.on("POST", f"{ONE}/rotate_secret", say.answer(200, ENDPOINT | {"secret": SECRET}))
    server.on("POST", f"{ONE}/ping", say.answer(202, DELIVERY))
    server.on("POST", f"{DELIVERIES}/whd_1/redeliver", say.answer(202, DELIVERY | {"id": "whd_2"}))
    server.on("DELETE", ONE, say.answer(200, {"id": "whe_1", "deleted": True}))
    assert run("rotate", "whe_1", "--overlap", "60").stdout == f"whe_1 {SECRET}\n"
    assert server.seen[-1].json == {"overlap_s": 60}
    assert run("ping", "whe_1").stdout == "whd_1\n"
    assert run("redeliver", "whd_1").stdout == "whd_2\n"
    assert run("remove", "whe_1").stdout == "whe_1 deleted\n"


def test_deliveries_say_what_was_answered(server, say, run):
    broken = DELIVERY | {"response_status": None, "error": "h could not be reached"}
    server.on("GET", DELIVERIES, say.page([DELIVERY, broken]))
    printed = run("deliveries", "--endpoint", "whe_1", "--state", "pending")
    assert printed.exit_code == 0
    assert "503" in printed.stdout
    assert "could not be reached" in printed.stdout
    assert server.seen[-1].query == {"endpoint_id": "whe_1", "state": "pending"}


def test_json_is_the_servers_answer(server, say, run):
    server.on("GET", ENDPOINTS, say.page([ENDPOINT]))
    assert '"disabled_reason": null' in run("list", "--json").stdout
