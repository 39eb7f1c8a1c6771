"""Endpoints: told of every job of their tenant, with secrets that are shown once."""

import json

import pytest
from sqlalchemy import select, update
from standardwebhooks import Webhook, WebhookVerificationError

from jobs.base.bootstrap import Ground
from jobs.queue.completion import cancel
from jobs.queue.endpoints import MOST_ENDPOINTS
from jobs.queue.webhooks import lease_delivery, record_answer
from jobs.tables import AuditEntry, Delivery, ModelVersion, WebhookEndpoint
from jobs.tenants.keys import NewKey
from tests.integration.api.callers import Caller, check_problem
from tests.integration.jobs.builders import submit_items
from tests.receivers import Receiver

PATH = "/v1/webhook_endpoints"
EVENTS = [
    "job.completed",
    "job.failed",
    "job.cancelled",
    "job.expired",
    "job.output_written",
    "job.output_failed",
]


def drain(receiver: Receiver, send) -> list[tuple[dict[str, str], bytes]]:
    while send():
        pass
    found = []
    while not receiver.received.empty():
        found.append(receiver.received.get())
    return found


def secrets_of(ground: Ground) -> list[str]:
    with ground.database.read() as session:
        rows = session.scalars(select(WebhookEndpoint)).all()
    return [secret for row in rows for secret in (row.secret, row.old_secret) if secret]


def test_an_endpoint_is_told_of_every_job_and_signed(add, finish, send, receiver: Receiver) -> None:
    made = add(description="my shop")
    assert made["secret"].startswith("whsec_")
    job_id = finish()
    ((headers, body),) = drain(receiver, send)
    event = Webhook(made["secret"]).verify(body, headers)
    assert event["type"] == "job.completed"
    assert event["data"]["id"] == job_id
    assert event["data"]["sequence"] == 1


def test_every_endpoint_and_the_jobs_own_receiver_get_the_same_event(
    add, finish, send, receiver: Receiver, tenant: NewKey
) -> None:
    secrets = [add("/one")["secret"], add("/two")["secret"], tenant.webhook_secret]
    finish(webhook={"url": receiver.url, "events": EVENTS})
    got = drain(receiver, send)
    assert dict(receiver.calls) == {"/one": 1, "/two": 1, "/hook": 1}
    assert len({headers["webhook-id"] for headers, _ in got}) == 1
    assert len({headers["webhook-signature"] for headers, _ in got}) == 3
    for secret in secrets:
        assert sum(verifies(secret, *each) for each in got) == 1


def verifies(secret: str, headers: dict[str, str], body: bytes) -> bool:
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


def test_only_enabled_endpoints_of_the_tenant_that_want_an_event_get_it(
    add, send, receiver: Receiver, caller: Caller, stranger: Caller, here: Ground,
    tenant: NewKey, digits_model: ModelVersion,
) -> None:  # fmt: skip
    add("/completed", events=["job.completed"])
    add("/cancelled", events=["job.cancelled"])
    off = add("/off")
    caller.open("PATCH", f"{PATH}/{off['id']}", json={"enabled": False})
    stranger.post(PATH, json={"url": f"{receiver.root}/strangers"})
    job = submit_items(here, tenant, digits_model, count=3)
    cancel(here.database, tenant.tenant_id, job.id)
    drain(receiver, send)
    assert dict(receiver.calls) == {"/cancelled": 1}
    # Nothing was begun for the others either.
    assert len(caller.get("/v1/webhook_deliveries").json["data"]) == 1


def test_secrets_are_shown_once_and_never_again(
    add, caller: Caller, here: Ground, finish, send
) -> None:
    made = add()
    one = f"{PATH}/{made['id']}"
    rotated = caller.post(f"{one}/rotate_secret", json={}).json
    assert rotated["secret"] not in (made["secret"], None)
    finish()
    send()
    texts = [
        caller.get(PATH).text,
        caller.get(one).text,
        caller.open("PATCH", one, json={"description": "x"}).text,
        caller.get("/v1/webhook_deliveries").text,
        caller.post(f"{one}/ping").text,
    ]
    assert len(secrets_of(here)) == 2
    assert all(secret not in text for secret in secrets_of(here) for text in texts)
    assert all("whsec_" not in text for text in texts)
    with here.database.read() as session:
        log = json.dumps([row.details for row in session.scalars(select(AuditEntry))])
    assert "whsec_" not in log


def test_both_secrets_sign_while_one_is_replaced(
    add, finish, send, caller: Caller, receiver: Receiver, here: Ground
) -> None:
    old = add()
    answer = caller.post(f"{PATH}/{old['id']}/rotate_secret", json={"overlap_s": 600}).json
    assert 590 < answer["old_secret_until"] - here.database.now() <= 600
    finish()
    ((headers, body),) = drain(receiver, send)
    assert len(headers["webhook-signature"].split(" ")) == 2
    assert verifies(old["secret"], headers, body)
    assert verifies(answer["secret"], headers, body)
    with here.database.write() as session:
        session.execute(update(WebhookEndpoint).values(old_secret_until=1.0))
    finish()
    ((headers, body),) = drain(receiver, send)
    assert not verifies(old["secret"], headers, body)
    assert verifies(answer["secret"], headers, body)
    assert caller.get(f"{PATH}/{old['id']}").json["old_secret_until"] is None


def test_a_rotation_may_end_the_old_secret_at_once(
    add, finish, send, caller: Caller, receiver: Receiver
) -> None:
    old = add()
    new = caller.post(f"{PATH}/{old['id']}/rotate_secret", json={"overlap_s": 0}).json
    finish()
    ((headers, body),) = drain(receiver, send)
    assert not verifies(old["secret"], headers, body)
    assert verifies(new["secret"], headers, body)


def test_a_ping_is_of_no_job_and_takes_the_place_of_the_earlier_one(
    add, send, caller: Caller, receiver: Receiver
) -> None:
    made = add(events=["job.failed"])
    first = caller.post(f"{PATH}/{made['id']}/ping")
    assert first.status_code == 202
    second = caller.post(f"{PATH}/{made['id']}/ping").json
    ((headers, body),) = drain(receiver, send)
    event = Webhook(made["secret"]).verify(body, headers)
    assert (event["type"], event["data"]) == ("ping", {"id": made["id"]})
    (logged,) = caller.get("/v1/webhook_deliveries").json["data"]
    assert (logged["id"], logged["type"], logged["job_id"]) == (second["id"], "ping", None)
    assert (logged["state"], logged["response_status"]) == ("delivered", 204)


def test_a_410_disables_the_endpoint_and_gives_up_what_is_on_its_way(
    add, finish, send, caller: Caller, receiver: Receiver
) -> None:
    made, other = add("/gone"), add("/there")
    receiver.behaviours["/gone"] = lambda _: 410
    finish()
    finish()
    drain(receiver, send)
    assert dict(receiver.calls) == {"/gone": 1, "/there": 2}
    shown = caller.get(f"{PATH}/{made['id']}").json
    assert (shown["enabled"], shown["disabled_reason"]) == (
        False,
        "The receiver answered 410 Gone.",
    )
    assert caller.get(f"{PATH}/{other['id']}").json["enabled"]
    query = f"/v1/webhook_deliveries?endpoint_id={made['id']}"
    failed = caller.get(query).json["data"]
    assert [each["state"] for each in failed] == ["failed", "failed"]
    assert {each["response_status"] for each in failed} == {410, None}
    check_problem(caller.post(f"{PATH}/{made['id']}/ping"), 409, "conflict")
    again = caller.open("PATCH", f"{PATH}/{made['id']}", json={"enabled": True}).json
    assert (again["enabled"], again["disabled_reason"]) == (True, None)


def test_a_410_of_an_earlier_address_disables_nothing(
    add, finish, caller: Caller, receiver: Receiver, here: Ground
) -> None:
    one = f"{PATH}/{add('/gone')['id']}"
    finish()
    sent = lease_delivery(here)
    assert sent is not None
    caller.open("PATCH", one, json={"url": f"{receiver.root}/there"})
    record_answer(here, sent, status=410, error=None)
    assert caller.get(one).json["enabled"]


def test_an_endpoint_that_was_disabled_or_deleted_meanwhile_is_not_called(
    add, finish, send, caller: Caller, receiver: Receiver, here: Ground
) -> None:
    gone, off = add("/gone"), add("/off")
    finish()
    with here.database.write() as session:
        # As a job leaves it that ends at the very moment of the change.
        session.execute(
            update(WebhookEndpoint).where(WebhookEndpoint.id == off["id"]).values(enabled=False)
        )
        session.delete(session.get_one(WebhookEndpoint, gone["id"]))
    assert drain(receiver, send) == []
    with here.database.read() as session:
        ended = session.scalars(select(Delivery)).all()
    assert [(row.state, row.last_status) for row in ended] == [("failed", None)] * 2
    assert all("disabled or deleted" in row.last_error for row in ended)


def test_what_waits_goes_to_the_new_address_and_away_with_the_endpoint(
    add, finish, send, caller: Caller, receiver: Receiver
) -> None:
    moved, deleted = add("/from"), add("/deleted")
    finish()
    caller.open("PATCH", f"{PATH}/{moved['id']}", json={"url": f"{receiver.root}/to"})
    receipt = caller.delete(f"{PATH}/{deleted['id']}")
    assert receipt.json == {"id": deleted["id"], "object": "webhook_endpoint", "deleted": True}
    drain(receiver, send)
    assert dict(receiver.calls) == {"/to": 1}
    (left,) = caller.get("/v1/webhook_deliveries").json["data"]
    assert left["endpoint_id"] == moved["id"]
    check_problem(caller.get(f"{PATH}/{deleted['id']}"), 404, "not_found")


def test_a_tenant_has_sixteen_of_them(add, caller: Caller, receiver: Receiver) -> None:
    made = [add(f"/{number}")["id"] for number in range(MOST_ENDPOINTS)]
    check_problem(caller.post(PATH, json={"url": receiver.url}), 409, "conflict")
    assert [each["id"] for each in caller.get(PATH).json["data"]] == sorted(made, reverse=True)


def test_another_tenants_endpoint_is_not_there(add, stranger: Caller, caller: Caller) -> None:
    one = f"{PATH}/{add()['id']}"
    for answer in (
        stranger.get(one),
        stranger.open("PATCH", one, json={"enabled": False}),
        stranger.delete(one),
        stranger.post(f"{one}/ping"),
        stranger.post(f"{one}/rotate_secret", json={}),
    ):
        check_problem(answer, 404, "not_found")
    assert stranger.get(PATH).json["data"] == []
    assert caller.get(one).json["enabled"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "url"),
        ({"url": "http://10.0.0.1/hook"}, "url"),
        ({"url": "ftp://example.org/"}, "url"),
        ({"url": "http://user:pass@example.org/"}, "url"),
        ({"url": "https://example.org/", "events": []}, "events"),
        ({"url": "https://example.org/", "events": ["job.begun"]}, "events.0"),
        ({"url": "https://example.org/", "secret": "whsec_"}, "secret"),
        ({"url": "https://example.org/", "description": "x" * 513}, "description"),
    ],
)
def test_an_endpoint_that_cannot_be_is_refused(caller: Caller, body: dict, param: str) -> None:
    problem = check_problem(caller.post(PATH, json=body), 422, "invalid_request")
    assert problem["error"]["param"] == param


@pytest.mark.parametrize("body", [{"url": "http://10.0.0.1/"}, {"url": None}, {"enabled": 1}])
def test_a_change_that_cannot_be_is_refused(add, caller: Caller, body: dict) -> None:
    one = f"{PATH}/{add()['id']}"
    problem = check_problem(caller.open("PATCH", one, json=body), 422, "invalid_request")
    assert problem["error"]["param"] == next(iter(body))


@pytest.mark.parametrize("overlap", [-1, 604_801, 1.5, None])
def test_an_overlap_of_secrets_is_a_week_at_most(add, caller: Caller, overlap: object) -> None:
    path = f"{PATH}/{add()['id']}/rotate_secret"
    problem = check_problem(caller.post(path, json={"overlap_s": overlap}), 422)
    assert problem["error"]["param"] == "overlap_s"
