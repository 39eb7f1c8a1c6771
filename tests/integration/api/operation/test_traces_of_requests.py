"""A request has a span, which its job keeps; it tells the route and the status alone."""

import dataclasses
from collections.abc import Iterator

import pytest
from apiflask import APIFlask
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from api.app import create_app
from api.web.listener import LISTENER
from jobs.base.bootstrap import Ground
from jobs.base.traces.otel import open_otel
from jobs.tables import Job, ModelVersion
from jobs.tenants.keys import NewKey
from tests.integration.api.callers import Caller, job_body

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

CALLER = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def traced(ground: Ground, spans: InMemorySpanExporter) -> Iterator[APIFlask]:
    traces = open_otel("pixelmill-api", "1", SimpleSpanProcessor(spans))
    app = create_app(dataclasses.replace(ground, traces=traces))
    yield app
    app.extensions[LISTENER].close()


def test_a_job_keeps_the_span_of_its_request_below_its_callers(
    traced: APIFlask,
    ground: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    spans: InMemorySpanExporter,
) -> None:
    caller = Caller(traced, tenant)
    headers = {"traceparent": CALLER, "tracestate": "who=me", "baggage": "name=me"}
    job_id = caller.post("/v1/jobs?who=me", json=job_body(), headers=headers).json["id"]
    found = {span.name: span for span in spans.get_finished_spans()}
    request = found["POST /v1/jobs"]
    assert request.parent is not None
    assert f"{request.parent.span_id:016x}" == "cd" * 8
    assert dict(request.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": "/v1/jobs",
        "http.response.status_code": 202,
    }
    assert {"prepare", "submit"} < set(found)
    with ground.database.read() as session:
        kept = session.get_one(Job, job_id).traceparent
    assert request.context is not None
    assert kept == f"00-{'ab' * 16}-{request.context.span_id:016x}-01"
    assert "who=me" not in " ".join(span.to_json() for span in found.values())


def test_pages_and_probes_and_paths_that_lead_nowhere_have_no_span(
    traced: APIFlask, tenant: NewKey, spans: InMemorySpanExporter
) -> None:
    caller = Caller(traced, tenant)
    for path in ("/healthz", "/readyz", "/metrics", "/v1/secret-words", "/"):
        caller.get(path)
    assert spans.get_finished_spans() == ()


def test_a_path_is_told_by_its_template(
    traced: APIFlask, tenant: NewKey, spans: InMemorySpanExporter
) -> None:
    Caller(traced, tenant).get("/v1/jobs/job_of_somebody")
    (span,) = spans.get_finished_spans()
    assert span.name == "GET /v1/jobs/<job_id>"
    assert (span.attributes or {})["http.response.status_code"] == 404
    assert "job_of_somebody" not in span.to_json()


def test_without_traces_a_job_keeps_nothing_of_its_callers(
    app: APIFlask, ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    caller = Caller(app, tenant)
    headers = {"traceparent": CALLER}
    job_id = caller.post("/v1/jobs", json=job_body(), headers=headers).json["id"]
    with ground.database.read() as session:
        assert session.get_one(Job, job_id).traceparent is None
