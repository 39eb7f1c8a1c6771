"""Figures over HTTP: whose they are, what they tell of the queue, and that they stay few."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from apiflask import APIFlask
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event, update

from api.app import create_app
from api.web.listener import LISTENER
from jobs.base.bootstrap import Ground
from jobs.metrics.queue_figures import QueueFigures
from jobs.presence.workers import announce, drain
from jobs.tables import Job
from jobs.tenants.keys import NewKey, create_key
from tests.integration.api.callers import Caller, check_problem
from tests.integration.api.fronts import Front

TOKEN = "a-token-of-the-operator"


def figures(text: str) -> dict[tuple[str, ...], float]:
    """Give each sample by its name and the values of its labels, in the order of their names."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def submit(caller: Caller, **more: Any) -> str:
    job = {"model": "digits", "requests": [{"input": {"data": "aGVsbG8="}}], **more}
    answer = caller.post("/v1/jobs", json=job)
    assert answer.status_code == 202, answer.text
    return answer.json["id"]


@pytest.fixture
def scraped(ground: Ground, tenant: NewKey) -> Iterator[APIFlask]:
    """The API of an operator who has given Prometheus a token."""
    settings = ground.settings.model_copy(update={"metrics_token": TOKEN})
    app = create_app(replace(ground, settings=settings))
    yield app
    app.extensions[LISTENER].close()


def test_an_operators_key_reads_them_and_a_tenants_does_not(
    caller: Caller, operator: Caller
) -> None:
    check_problem(caller.get("/metrics"), 403)
    answer = operator.get("/metrics")
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/plain; version=0.0.4")
    check_problem(caller.client.get("/metrics"), 401, "invalid_api_key")


def test_a_token_of_the_settings_opens_them_and_nothing_else(scraped: APIFlask) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    client = scraped.test_client()
    assert client.get("/metrics", headers=headers).status_code == 200
    check_problem(client.get("/v1/jobs", headers=headers), 401, "invalid_api_key")
    wrong = {"Authorization": f"Bearer {TOKEN}x"}
    check_problem(client.get("/metrics", headers=wrong), 401, "invalid_api_key")


def test_without_a_token_in_the_settings_an_empty_one_opens_nothing(app: APIFlask) -> None:
    answer = app.test_client().get("/metrics", headers={"Authorization": "Bearer  "})
    check_problem(answer, 401, "invalid_api_key")


def test_the_queue_is_told_by_pool_and_priority(
    caller: Caller, operator: Caller, ground: Ground
) -> None:
    submit(caller)
    old = submit(caller, priority="high")
    with ground.database.write() as session:
        an_hour_ago = {Job.in_progress_at: Job.in_progress_at - 3600}
        session.execute(update(Job).where(Job.id == old).values(an_hour_ago))
    announce(ground.database, "a-1/cpu0", "cpu", "1.0")
    announce(ground.database, "a-1/cpu1", "cpu", "1.0")
    with ground.database.write() as session:
        drain(session, "a-1/cpu1")
    told = figures(operator.get("/metrics").text)
    assert told["pixelmill_database_up",] == 1
    assert told["pixelmill_queue_shards", "cpu", "normal"] == 1
    assert told["pixelmill_queue_shards", "cpu", "high"] == 1
    assert 0 <= told["pixelmill_queue_oldest_seconds", "cpu", "normal"] < 60
    assert 3600 <= told["pixelmill_queue_oldest_seconds", "cpu", "high"] < 3660
    assert told["pixelmill_jobs", "in_progress"] == 2
    assert told["pixelmill_workers", "cpu", "working"] == 1
    assert told["pixelmill_workers", "cpu", "draining"] == 1
    assert told["pixelmill_deliveries_overdue_seconds",] == 0


def test_the_queue_is_asked_by_one_statement_and_again_only_after_some_seconds(
    ground: Ground,
) -> None:
    asked, now = [], [100.0]
    queue = QueueFigures(ground.database, clock=lambda: now[0])

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        if statement.startswith("SELECT"):
            asked.append(statement)

    event.listen(ground.database.engine, "after_cursor_execute", note)
    list(queue.collect())
    now[0] += 4.9
    list(queue.collect())
    assert len(asked) == 1
    now[0] += 0.2
    list(queue.collect())
    assert len(asked) == 2


def test_a_database_that_is_away_leaves_the_other_figures(operator: Caller, ground: Ground) -> None:
    class Away:
        def read(self) -> Any:
            from sqlalchemy.exc import OperationalError

            raise OperationalError("SELECT", {}, Exception("gone"))

    families = list(QueueFigures(Away()).collect())  # type: ignore[arg-type]
    assert [(each.name, each.samples[0].value) for each in families] == [
        ("pixelmill_database_up", 0.0)
    ]


def test_requests_are_counted_by_the_template_of_their_route(
    caller: Caller, operator: Caller
) -> None:
    job_id = submit(caller)
    before = figures(operator.get("/metrics").text)
    for name in (job_id, "job_unknown", "job_other"):
        caller.get(f"/v1/jobs/{name}")
    caller.get("/nowhere/at/all")
    caller.client.open("/healthz", method="BREW")
    after = figures(operator.get("/metrics").text)
    counted = "pixelmill_http_requests_total"

    def more(*labels: str) -> float:
        return after.get((counted, *labels), 0) - before.get((counted, *labels), 0)

    assert more("GET", "/v1/jobs/<job_id>", "200") == 1
    assert more("GET", "/v1/jobs/<job_id>", "404") == 2
    assert more("GET", "(none)", "404") == 1
    assert more("other", "(none)", "405") + more("other", "/healthz", "405") == 1
    assert not [key for key in after if job_id in key]


def test_the_time_for_which_an_answer_is_held_is_no_time_of_the_server(
    caller: Caller, operator: Caller
) -> None:
    job_id = submit(caller)
    count = ("pixelmill_http_request_seconds_count", "/v1/jobs/<job_id>")
    before = figures(operator.get("/metrics").text).get(count, 0)
    held = caller.get(f"/v1/jobs/{job_id}", headers={"Prefer": "wait=1"})
    assert held.status_code == 200
    assert figures(operator.get("/metrics").text).get(count, 0) == before


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_whichever_process_answers_tells_what_all_of_them_have_counted(
    ground: Ground, front: Front
) -> None:
    key = create_key(ground.database, "ops", admin=True).key
    asked = "pixelmill_http_requests_total", "GET", "/healthz", "200"

    def told() -> dict[tuple[str, ...], float]:
        # A connection of its own each time: either of the processes may take it.
        headers = {"Authorization": f"Bearer {key}"}
        answer = httpx.get(f"{front.url}/metrics", headers=headers, trust_env=False)
        assert answer.status_code == 200
        return figures(answer.text)

    before = told().get(asked, 0)
    for _ in range(20):
        httpx.get(f"{front.url}/healthz", trust_env=False)
    for _ in range(6):
        after = told()
        assert after[asked] == before + 20
        assert after["pixelmill_http_bytes_total", "out"] > 0
