"""What the pages' forms do: to jobs, to aliases, webhooks and keys; each as far as the key may."""

import re
from typing import Any

import pytest

from jobs.base.bootstrap import Ground
from jobs.tables import ModelVersion
from tests.integration.api.callers import Caller
from tests.integration.api.jobs.test_jobs import finish
from tests.integration.api.page.visitors import Visitor
from tests.integration.api.test_results import run_rows
from tests.integration.jobs.builders import second_version


def status_of(caller: Caller, job_id: str) -> str:
    return caller.get(f"/v1/jobs/{job_id}").json["status"]


def test_chosen_jobs_are_cancelled_and_who_could_not_be_is_counted(
    visitor: Visitor, caller: Caller, ground: Ground
) -> None:
    over = caller.submit()["id"]
    finish(ground)
    open_ones = [caller.submit()["id"] for _ in range(2)]
    answer = visitor.send("/jobs", do="cancel", job=[over, *open_ones])
    assert answer.location == "/jobs?done=cancelled&n=2&left=1"
    assert [status_of(caller, each) for each in open_ones] == ["cancelled"] * 2
    text = visitor.get(answer.location).text
    assert "2 jobs cancelled. 1 could not be" in text


def test_chosen_jobs_are_retried_and_deleted(
    visitor: Visitor, caller: Caller, ground: Ground
) -> None:
    job = caller.submit(2)["id"]
    run_rows(ground)
    assert visitor.send("/jobs", do="retry", job=job).location == "/jobs?done=retried&n=1&left=0"
    assert "retry" in visitor.get("/jobs").text
    assert visitor.send("/jobs", do="delete", job=job).location == "/jobs?done=deleted&n=1&left=0"
    assert visitor.get(f"/jobs/{job}").status_code == 404
    assert visitor.send("/jobs", do="explode", job=job).location == "/jobs?done=none"
    assert visitor.send("/jobs", do="delete").location == "/jobs?done=none"


def test_a_job_is_cancelled_retried_rerun_and_deleted_from_its_page(
    visitor: Visitor, caller: Caller, ground: Ground, digits_model: ModelVersion
) -> None:
    second_version(ground, digits_model)
    job = caller.submit(2)["id"]
    assert visitor.send(f"/jobs/{job}/retry").status_code == 409, "it is not over"
    run_rows(ground)
    assert visitor.send(f"/jobs/{job}/cancel").status_code == 409, "it is over"
    retried = visitor.send(f"/jobs/{job}/retry").location
    assert re.fullmatch(r"/jobs/job_\w+\?done=submitted", retried)
    rerun = visitor.send(f"/jobs/{job}/rerun", model="digits@2").location
    child = caller.get(f"/v1{rerun.partition('?')[0]}").json
    assert (child["kind"], child["parent_id"], child["model"]["version"]) == ("rerun", job, 2)
    assert "compared when both jobs are over" in visitor.get(rerun).text
    assert visitor.send(f"/jobs/{job}/rerun", model="nothing").status_code == 404
    assert visitor.send(f"/jobs/{job}/rerun", model="").status_code == 422
    assert visitor.send(f"/jobs/{job}/delete").location == "/jobs?done=deleted"
    assert visitor.get(f"/jobs/{job}").status_code == 404


def test_jobs_are_found_by_status_model_note_and_id(
    visitor: Visitor, caller: Caller, ground: Ground
) -> None:
    done = caller.submit(metadata={"name": "Grün 50%"})["id"]
    finish(ground)
    waiting = caller.submit(metadata={"owner": "Ada"})["id"]
    for query, found in (
        ("status=completed", {done}),
        ("status=in_progress", {waiting}),
        ("model=digits", {done, waiting}),
        ("model=other", set()),
        ("text=grün", {done}),
        ("text=50%25", {done}),
        ("text=ada", {waiting}),
        ("text=_", set()),
        ("status=&model=&text=", {done, waiting}),
    ):
        text = visitor.get(f"/jobs?{query}").text
        assert {job for job in (done, waiting) if f'value="{job}"' in text} == found, query
    assert visitor.get(f"/jobs?text={done}").location == f"/jobs/{done}"
    assert visitor.get("/jobs?status=sleeping").status_code == 422
    assert "No job is like this" in visitor.get("/jobs?model=other").text


def test_the_list_goes_on_live_and_tells_of_newer_jobs(
    visitor: Visitor, caller: Caller, ground: Ground
) -> None:
    jobs = [caller.submit()["id"] for _ in range(26)]
    text = visitor.get("/jobs").text
    assert jobs[0] not in text
    assert f"after={jobs[1]}" in text
    assert jobs[0] in visitor.get(f"/jobs?after={jobs[1]}").text
    live = f"/jobs/live?job={jobs[25]}&newest={jobs[25]}"
    assert "newer jobs" not in visitor.get(live).text
    caller.submit()
    finish(ground)
    moved = visitor.get(live).text
    assert "newer jobs" in moved
    assert f'id="status-{jobs[25]}" hx-swap-oob="true"' in moved
    assert "Completed" in moved


def test_an_alias_is_moved_tried_promoted_and_removed(
    visiting_operator: Visitor, ground: Ground, digits_model: ModelVersion
) -> None:
    second_version(ground, digits_model)
    path = "/models/digits/aliases"
    visiting_operator.send(path, alias="production", version="1", canary="2", percent="20")
    text = visiting_operator.get("/models/digits").text
    assert "Promote 2" in text
    assert "gets 20 % of new jobs" in text
    moved = visiting_operator.send(path, alias="production", version="2")
    assert moved.location == "/models/digits?done=moved"
    assert "promoted" in visiting_operator.get("/models/digits@production").text
    visiting_operator.send(path, alias="production", version="1")
    assert "→ 1" in visiting_operator.get("/models/digits").text
    visiting_operator.send(path, alias="production", do="remove")
    assert visiting_operator.get("/models/digits@production").status_code == 404
    for wrong in ({"version": "x"}, {"version": "1", "canary": "2", "percent": "many"}):
        assert visiting_operator.send(path, alias="production", **wrong).status_code == 422


def test_a_tenants_key_sees_no_buttons_of_operators_and_is_refused_what_they_do(
    visitor: Visitor, ground: Ground
) -> None:
    text = visitor.get("/models/digits").text + visitor.get("/keys").text
    for word in ("Move an alias", "Make a key", "Revoke", "Log of changes"):
        assert word not in text
    for path, fields in (
        ("/models/digits/aliases", {"alias": "production", "version": "1"}),
        ("/keys", {"tenant": "acme"}),
        (f"/keys/{visitor.key.key_id}/revoke", {}),
    ):
        assert visitor.send(path, **fields).status_code == 403, path
    assert visitor.get("/audit").status_code == 403


def test_a_tenant_sees_its_own_keys_alone(
    visitor: Visitor, visiting_stranger: Visitor, visiting_operator: Visitor
) -> None:
    own, other = visitor.key.key_id, visiting_stranger.key.key_id
    assert own in visitor.get("/keys").text
    assert other not in visitor.get("/keys").text
    assert {own, other} <= set(re.findall(r"[0-9a-z]{26}", visiting_operator.get("/keys").text))


def test_a_key_is_shown_once_and_revoked_with_its_maker_in_the_log(
    visiting_operator: Visitor, ground: Ground
) -> None:
    made = visiting_operator.send("/keys", tenant="acme", name="<b>CI</b>")
    (key,) = re.findall(r"pm_live_\w+", made.text)
    assert made.headers["Cache-Control"] == "no-store"
    listed = visiting_operator.get("/keys").text
    assert key not in listed
    assert "&lt;b&gt;CI" in listed
    key_id = key.split("_")[2]
    visiting_operator.send(f"/keys/{key_id}/revoke")
    log = visiting_operator.get("/audit").text
    assert log.count(key_id) == 2
    assert visiting_operator.key.key_id in log
    assert "pm_live_" not in log


def test_an_endpoint_is_made_with_a_secret_that_is_shown_once(
    visitor: Visitor, caller: Caller
) -> None:
    fields: dict[str, Any] = {"url": "https://93.184.216.34/hook", "events": ["job.failed"]}
    made = visitor.send("/webhooks", **fields)
    (secret,) = re.findall(r"whsec_[^<]+", made.text)
    assert secret not in visitor.get("/webhooks").text
    (endpoint,) = caller.get("/v1/webhook_endpoints").json["data"]
    assert endpoint["events"] == ["job.failed"]
    path = f"/webhooks/{endpoint['id']}"
    assert "whsec_" in visitor.send(path, do="rotate").text
    assert visitor.send(path, do="ping").location == "/webhooks?done=pinged"
    assert "ping" in visitor.get("/webhooks").text
    visitor.send(path, do="disable")
    assert "disabled" in visitor.get("/webhooks").text
    assert visitor.send(path, do="delete").location == "/webhooks?done=removed"
    assert caller.get("/v1/webhook_endpoints").json["data"] == []
    assert visitor.send("/webhooks", url="http://127.0.0.1/").status_code == 422


@pytest.mark.parametrize("do", ["ping", "rotate", "disable", "delete"])
def test_nobody_changes_another_tenants_endpoint(
    visitor: Visitor, visiting_stranger: Visitor, caller: Caller, do: str
) -> None:
    visitor.send("/webhooks", url="https://93.184.216.34/hook")
    (endpoint,) = caller.get("/v1/webhook_endpoints").json["data"]
    assert visiting_stranger.send(f"/webhooks/{endpoint['id']}", do=do).status_code == 404
    assert caller.get("/v1/webhook_endpoints").json["data"] == [endpoint]
