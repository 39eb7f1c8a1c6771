"""The log of deliveries, and what is sent once more."""

from jobs.aftercare.deletion import delete_job
from jobs.base.bootstrap import Ground
from jobs.tables import Job
from jobs.tenants.keys import NewKey
from tests.integration.api.callers import Caller, check_problem
from tests.receivers import Receiver

PATH = "/v1/webhook_deliveries"


def listed(caller: Caller, query: str = "") -> list[str]:
    answer = caller.get(PATH + query)
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json["data"]]


def test_a_delivery_says_what_was_answered_and_when_it_is_tried_again(
    add, finish, send, caller: Caller, receiver: Receiver, here: Ground
) -> None:
    endpoint = add()
    receiver.answers = [500]
    receiver.texts = ["no\0room: \xfc" + "x" * 2000]
    job_id = finish()
    (waiting,) = caller.get(PATH).json["data"]
    assert (waiting["state"], waiting["attempts"]) == ("pending", 0)
    assert waiting["next_attempt_at"] is not None
    assert send()
    logged = caller.get(f"{PATH}/{waiting['id']}").json
    assert (logged["job_id"], logged["endpoint_id"]) == (job_id, endpoint["id"])
    assert (logged["type"], logged["url"]) == ("job.completed", receiver.url)
    assert (logged["state"], logged["attempts"], logged["response_status"]) == ("pending", 1, 500)
    assert logged["response_body"].startswith("no\N{REPLACEMENT CHARACTER}room: \xfcxxx")
    assert len(logged["response_body"]) == 1023, "1,024 bytes"
    assert 3 < logged["next_attempt_at"] - here.database.now() <= 6
    assert logged["ended_at"] is None


def test_a_receiver_that_is_not_there_leaves_its_error(
    finish, send, caller: Caller, receiver: Receiver
) -> None:
    receiver.behaviours["/hook"] = lambda _: None
    finish(webhook={"url": receiver.url, "events": ["job.completed"]})
    assert send()
    (logged,) = caller.get(PATH).json["data"]
    assert (logged["endpoint_id"], logged["response_status"]) == (None, None)
    assert (logged["response_body"], bool(logged["error"])) == (None, True)


def test_they_are_listed_newest_first_by_job_endpoint_and_state(
    add, finish, send, caller: Caller, stranger: Caller
) -> None:
    one, two = add("/one"), add("/two")
    first, second = finish(), finish()
    everyone = listed(caller)
    assert everyone == sorted(everyone, reverse=True)
    assert len(everyone) == 4
    assert len(listed(caller, f"?job_id={first}")) == 2
    assert len(listed(caller, f"?job_id={second}&endpoint_id={one['id']}")) == 1
    assert len(listed(caller, f"?endpoint_id={two['id']}")) == 2
    send()
    assert len(listed(caller, "?state=delivered")) == 1
    assert len(listed(caller, "?state=pending")) == 3
    page = caller.get(f"{PATH}?limit=3").json
    assert page["has_more"]
    rest = caller.get(f"{PATH}?limit=3&after={page['last_id']}").json
    assert [each["id"] for each in page["data"] + rest["data"]] == everyone
    assert not rest["has_more"]
    assert listed(stranger) == []
    assert listed(stranger, f"?job_id={first}") == []
    for query in ("?state=odd", "?limit=101", "?job_id=x", "?endpoint_id=x", "?after=x", "?odd=1"):
        check_problem(caller.get(PATH + query), 422, "invalid_request")


def test_an_event_is_sent_once_more_under_its_id(
    add, finish, send, caller: Caller, receiver: Receiver
) -> None:
    endpoint = add("/before")
    finish()
    (first,) = listed(caller)
    check_problem(caller.post(f"{PATH}/{first}/redeliver"), 409, "conflict")
    assert send()
    caller.open(
        "PATCH", f"/v1/webhook_endpoints/{endpoint['id']}", json={"url": f"{receiver.root}/after"}
    )
    answer = caller.post(f"{PATH}/{first}/redeliver")
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == f"{PATH}/{answer.json['id']}"
    assert send()
    (headers, body), (again, same) = receiver.received.get(), receiver.received.get()
    assert headers["webhook-id"] == again["webhook-id"] == answer.json["event_id"]
    assert body == same
    assert dict(receiver.calls) == {"/before": 1, "/after": 1}
    assert listed(caller) == [answer.json["id"], first]


def test_a_failed_delivery_has_all_its_tries_again(
    finish, send, caller: Caller, receiver: Receiver
) -> None:
    receiver.answers = [410, 500]
    finish(webhook={"url": receiver.url, "events": ["job.completed"]})
    assert send()
    (first,) = listed(caller, "?state=failed")
    again = caller.post(f"{PATH}/{first}/redeliver").json
    assert send()
    logged = caller.get(f"{PATH}/{again['id']}").json
    assert (logged["state"], logged["attempts"]) == ("pending", 1)


def test_what_cannot_be_sent_again_says_why(
    add, finish, send, caller: Caller, stranger: Caller, here: Ground, tenant: NewKey
) -> None:
    endpoint = add()
    job_id = finish()
    assert send()
    (first,) = listed(caller)
    for path in (f"{PATH}/{first}", f"{PATH}/whd_{'0' * 26}"):
        check_problem(stranger.get(path), 404, "not_found")
        check_problem(stranger.post(f"{path}/redeliver"), 404, "not_found")
    one = f"/v1/webhook_endpoints/{endpoint['id']}"
    caller.open("PATCH", one, json={"enabled": False})
    check_problem(caller.post(f"{PATH}/{first}/redeliver"), 409, "conflict")
    caller.open("PATCH", one, json={"enabled": True})
    with here.database.write() as session:
        # Deleted, and not yet erased.
        session.get_one(Job, job_id).deleted_at = 1.0
    check_problem(caller.post(f"{PATH}/{first}/redeliver"), 404, "not_found")
    delete_job(here, tenant.tenant_id, job_id)
    assert listed(caller) == []
    check_problem(caller.post(f"{PATH}/{first}/redeliver"), 404, "not_found")
