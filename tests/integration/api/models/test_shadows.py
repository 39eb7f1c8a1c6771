"""Versions in the shadow through HTTP: set, looked at and ended by operators alone."""

import pytest
from apiflask import APIFlask
from flask import g

from jobs.base.bootstrap import Ground
from jobs.intake.preparation import prepare_next
from jobs.tables import ModelAlias, ModelVersion
from tests.integration.api.callers import Caller, check_problem
from tests.integration.jobs.builders import answer_all, second_version
from workers.errands.comparing import compare_next

PATH = "/v1/models/digits/aliases/production/shadow"


@pytest.fixture
def operator(app: APIFlask, caller: Caller, ground: Ground, digits_model: ModelVersion) -> Caller:
    """A caller with an operator's key, and a second version of the model."""
    app.before_request(_become_operator)
    second_version(ground, digits_model, description="tried")
    with ground.database.write() as session:
        session.add(ModelAlias(name="digits", alias="production", version=1, updated_at=0.0))
    return caller


def _become_operator() -> None:
    g.is_admin = True


def test_only_operators_try_versions_on_what_others_send(caller: Caller) -> None:
    for method in ("GET", "PUT", "DELETE"):
        check_problem(caller.open(method, PATH, json={}), 403, "insufficient_scope")


def test_a_shadow_is_set_watched_and_ended(ground: Ground, operator: Caller) -> None:
    check_problem(operator.get(PATH), 404)
    put = operator.open("PUT", PATH, json={"version": 2, "percent": 100})
    assert put.status_code == 200, put.text
    assert (put.json["version"], put.json["percent"], put.json["agreement"]) == (2, 100, None)
    job = operator.submit(4)
    answer_all(ground, lambda _: [{"class": "1"}], device_s=0.1)
    prepare_next(ground)
    answer_all(ground, lambda index: [{"class": "1" if index else "7"}], device_s=0.2)
    assert compare_next(ground)
    seen = operator.get(PATH).json
    assert seen["items"] == {
        "compared": 4, "same": 3, "errored_both": 0, "errored_before": 0, "errored_after": 0,
    }  # fmt: skip
    assert (seen["jobs"], seen["agreement"], seen["error_rate_after"]) == (1, 0.75, 0.0)
    assert seen["latency_ratio"] == pytest.approx(2)
    assert [each["id"] for each in operator.get("/v1/jobs").json["data"]] == [job["id"]]
    assert operator.delete(PATH).json["deleted"] is True
    check_problem(operator.get(PATH), 404)
    check_problem(operator.delete(PATH), 404)


def test_a_setting_that_makes_no_sense_is_refused(operator: Caller) -> None:
    for body in ({}, {"version": 2, "percent": 0}, {"version": 2, "percent": 101}):
        check_problem(operator.open("PUT", PATH, json=body), 422)
    check_problem(operator.open("PUT", PATH, json={"version": 9}), 404)
    nobody = PATH.replace("production", "nobody")
    check_problem(operator.open("PUT", nobody, json={"version": 2}), 404)
