"""Watches over HTTP: made, listed, shown, paused, resumed, deleted; nobody sees another's."""

from typing import Any

import pytest
from sqlalchemy import select

from jobs.base.bootstrap import Ground
from jobs.intake.submission import Idempotency
from jobs.tables import AuditEntry
from jobs.tenants.audit import Actor
from jobs.watches.watches import MOST_WATCHES, Wanted, create_watch
from tests.integration.api.callers import Caller, check_problem
from tests.integration.buckets.servers import S3
from tests.integration.buckets.watches.conftest import PREFIX, Watching

BODY = {"model": "digits", "prefix": PREFIX}


def test_a_watch_is_made_listed_and_shown(watching: Watching, caller: Caller) -> None:
    answer = caller.post(
        "/v1/watches",
        json={
            **BODY,
            "include": ["*.png"],
            "params": {"top_k": 2},
            "metadata": {"of": "the gate"},
            "webhook": {"url": "https://example.com/hook"},
            "completion_window": "24h",
            "output_expires_after": 3600,
            "interval_seconds": 60,
        },
    )
    assert answer.status_code == 201, answer.text
    watch = answer.json
    assert answer.headers["Location"] == f"/v1/watches/{watch['id']}"
    assert watch["object"] == "watch"
    assert watch["state"] == "active"
    assert watch["source"]["include"] == ["*.png"]
    assert (watch["model"], watch["params"]) == ("digits", {"top_k": 2})
    assert watch["webhook"]["url"] == "https://example.com/hook"
    assert (watch["interval_seconds"], watch["output_expires_after"]) == (60, 3600)
    assert caller.get(f"/v1/watches/{watch['id']}").json == watch
    assert caller.get("/v1/watches").json["data"] == [watch]


@pytest.mark.parametrize(
    ("members", "status", "param"),
    [
        ({"prefix": None}, 422, "prefix"),
        ({"prefix": "s3://photos/"}, 422, "prefix"),
        ({"prefix": "file:///etc/"}, 422, "prefix"),
        ({"prefix": PREFIX, "model": "nobody"}, 404, "model"),
        ({"prefix": PREFIX, "params": {"tok_k": 1}}, 422, "params.tok_k"),
        ({"prefix": PREFIX, "connection": "none"}, 404, "connection"),
        ({"prefix": PREFIX, "interval_seconds": 0}, 422, "interval_seconds"),
        ({"prefix": PREFIX, "webhook": {"url": "http://10.0.0.1/"}}, 422, "webhook.url"),
        ({"prefix": PREFIX, "delete_inputs": True}, 422, "delete_inputs"),
        ({"prefix": PREFIX, "urls": []}, 422, "urls"),
    ],
)
def test_what_a_job_would_be_refused_for_a_watch_is(
    watching: Watching, caller: Caller, members: dict[str, Any], status: int, param: str
) -> None:
    body = {name: said for name, said in {**BODY, **members}.items() if said is not None}
    problem = check_problem(caller.post("/v1/watches", json=body), status)
    assert problem["error"]["param"] == param, problem
    assert caller.get("/v1/watches").json["data"] == []


def test_a_repeated_request_makes_no_second_watch(watching: Watching, caller: Caller) -> None:
    once = {"Idempotency-Key": "the gate"}
    first = caller.post("/v1/watches", json=BODY, headers=once)
    again = caller.post("/v1/watches", json=BODY, headers=once)
    assert (first.json["id"], again.status_code) == (again.json["id"], 201)
    assert again.headers["Idempotent-Replayed"] == "true"
    other = caller.post("/v1/watches", json={**BODY, "priority": "low"}, headers=once)
    check_problem(other, 422, "idempotency_key_reused")
    assert len(caller.get("/v1/watches").json["data"]) == 1


def test_one_key_of_two_tenants_makes_a_watch_for_each(
    watching: Watching, caller: Caller, stranger: Caller, house: Ground
) -> None:
    options = dict.fromkeys(("metadata", "webhook", "completion_window", "output_expires_after"))
    wanted = Wanted({"prefix": PREFIX}, {"model": "digits", "params": {}}, options, 30.0)
    once = Idempotency("the gate", "one and the same request")
    made = [
        create_watch(house, Actor("key", each.tenant_id), wanted, once)
        for each in (caller, stranger, caller)
    ]
    assert [is_new for _, is_new in made] == [True, True, False]
    assert made[0][0].id == made[2][0].id != made[1][0].id


def test_another_tenant_sees_and_changes_nothing(
    watching: Watching, stranger: Caller, s3: S3
) -> None:
    s3.put("path/a.png", b"a")
    watch = watching.add()
    assert watching.look()
    assert stranger.get("/v1/watches").json["data"] == []
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/pause"), ("POST", "/resume")):
        for each in (watch, "wat_00000000000000000000000000"):
            answer = stranger.open(method, f"/v1/watches/{each}{path}")
            check_problem(answer, 404, "not_found")
    assert stranger.get("/v1/jobs", query_string={"watch": watch}).json["data"] == []
    assert watching.view(watch)["state"] == "active"


def test_the_jobs_of_a_watch_are_listed_also_when_it_is_gone(
    watching: Watching, caller: Caller, s3: S3
) -> None:
    caller.submit()
    s3.put("path/a.png", b"a")
    watch = watching.add()
    assert watching.look()
    assert caller.delete(f"/v1/watches/{watch}").json["deleted"] is True
    check_problem(caller.get(f"/v1/watches/{watch}"), 404)
    listed = caller.get("/v1/jobs", query_string={"watch": watch}).json["data"]
    assert [job["watch_id"] for job in listed] == [watch]
    assert listed[0]["source"]["prefix"] == PREFIX
    assert len(caller.get("/v1/jobs").json["data"]) == 2


def test_a_paused_watch_is_not_looked_at_and_finds_what_came_when_it_is_resumed(
    watching: Watching, caller: Caller, s3: S3
) -> None:
    watch = watching.add()
    for _ in range(2):
        paused = caller.post(f"/v1/watches/{watch}/pause").json
        assert (paused["state"], paused["next_listing_at"]) == ("paused", None)
    s3.put("path/a.png", b"a")
    assert not watching.look()
    for _ in range(2):
        assert caller.post(f"/v1/watches/{watch}/resume").json["state"] == "active"
    assert watching.look()
    assert watching.names() == [["a.png"]]


def test_there_are_only_so_many_watches(watching: Watching, caller: Caller, house: Ground) -> None:
    options = dict.fromkeys(("metadata", "webhook", "completion_window", "output_expires_after"))
    said = {**options, "priority": "low", "overlays": False, "completion_window_s": 60.0}
    wanted = Wanted({"prefix": PREFIX}, {"model": "digits", "params": {}}, said, 30.0)
    for _ in range(MOST_WATCHES):
        create_watch(house, Actor("key", caller.tenant_id), wanted)
    problem = check_problem(caller.post("/v1/watches", json=BODY), 409)
    assert "Delete one first" in problem["detail"]


def test_changes_are_written_down(watching: Watching, caller: Caller, house: Ground) -> None:
    watch = watching.add()
    for path in ("pause", "pause", "resume", "resume"):
        caller.post(f"/v1/watches/{watch}/{path}")
    caller.delete(f"/v1/watches/{watch}")
    with house.database.read() as session:
        noted = session.scalars(
            select(AuditEntry.action).where(AuditEntry.subject == watch).order_by(AuditEntry.id)
        )
        assert list(noted) == ["watch.created", "watch.paused", "watch.resumed", "watch.deleted"]
