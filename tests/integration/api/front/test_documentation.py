"""The API tells of itself: truthfully, completely, and without asking anybody else."""

import re
from typing import Any

import pytest
from apiflask import APIFlask
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

from api.app import create_app
from api.web.auth import PAGE_PREFIX
from jobs.base.bootstrap import Ground
from jobs.presence.version import installed_version
from jobs.queue.endpoints import PING
from jobs.queue.webhooks import EVENTS


@pytest.fixture
def document(app: APIFlask) -> dict[str, Any]:
    return app.test_client().get("/openapi.json").json


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


# Calls that say all by their path.
BODILESS = ("/cancel", "/retry", "/ping", "/redeliver", "/pause", "/drain", "/resume")


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    validate(document)


def test_every_route_is_described_with_its_answers_and_problems(
    app: APIFlask, document: dict[str, Any]
) -> None:
    described = {(method.upper(), path) for method, path, _ in operations(document)}
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith(("openapi.", "docs.", PAGE_PREFIX)):
            continue
        path = re.sub(r"<(?:[^:>]+:)?([^>]+)>", r"{\1}", rule.rule)
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            assert (method, path) in described
    for method, path, operation in operations(document):
        where = f"{method} {path}"
        assert operation["summary"], where
        statuses = set(operation["responses"])
        assert any(status.startswith("2") for status in statuses), where
        assert {"500", "503"} <= statuses, where
        for status in statuses:
            if status >= "400":
                assert list(operation["responses"][status]["content"]) == [
                    "application/problem+json"
                ]
        if path.startswith("/v1/"):
            assert operation["security"] == [{"bearerKey": []}], where
            assert {"401", "429"} <= statuses, where
        if "{" in path:
            assert "404" in statuses, where
        if method == "post" and not path.endswith(BODILESS):
            assert operation["requestBody"]["content"], where


def test_every_operation_has_a_name_of_its_own_that_reads_as_one(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    for name in names:
        assert re.fullmatch(r"[a-z]+(_[a-z]+){0,4}", name), name
        words = name.split("_")
        assert len(words) == len(set(words)), name
    assert {"create_job", "get_jobs", "get_results", "predict", "upload_file"} <= set(names)
    assert {"create_batch", "get_batches", "get_batch_results", "cancel_batch"} <= set(names)


# What is sent or comes as bytes, or not at all, has nothing to show.
BYTES = (
    "multipart/form-data",
    "application/octet-stream",
    "application/offset+octet-stream",
    "text/event-stream",
)


def test_every_operation_shows_an_example_that_its_schema_allows(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        bodies = operation.get("requestBody", {}).get("content", {})
        answers = [
            (status, kind, content)
            for status, answer in operation["responses"].items()
            if status.startswith("2")
            for kind, content in answer.get("content", {}).items()
        ]
        shown = [*bodies.items(), *[(kind, content) for _, kind, content in answers]]
        for kind, content in shown:
            if kind in BYTES or content["schema"].get("type") == "string":
                continue
            where = f"{method} {path} {kind}"
            assert "example" in content, where
            schema = {**content["schema"], "components": document["components"]}
            faults = [
                f"{'.'.join(map(str, fault.path))}: {fault.message}"
                for fault in OAS31Validator(schema).iter_errors(content["example"])
            ]
            assert faults == [], where


def test_no_member_of_a_body_has_a_default_for_which_generators_would_ask_callers(
    document: dict[str, Any],
) -> None:
    job = document["components"]["schemas"]["JobCreate"]
    assert [name for name, member in job["properties"].items() if "default" in member] == []
    assert job["properties"]["priority"]["description"] == "`normal` if left out."
    webhook = document["components"]["schemas"]["Webhook"]
    assert "default" not in webhook["properties"]["events"], "also of what lies in another"


def test_what_is_called_is_described_with_its_headers_and_body(document: dict[str, Any]) -> None:
    assert set(document["webhooks"]) == {*EVENTS, PING}
    for call in document["webhooks"].values():
        body = call["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert body == {"$ref": "#/components/schemas/WebhookBody"}
        names = [parameter["name"] for parameter in call["post"]["parameters"]]
        assert names == ["webhook-id", "webhook-timestamp", "webhook-signature"]


def test_the_document_does_not_believe_the_first_callers_host(ground: Ground) -> None:
    client = create_app(ground).test_client()
    client.get("/openapi.json", headers={"Host": "evil.example"})
    assert "evil.example" not in client.get("/openapi.json").text


def test_readiness_tells_what_answers(app: APIFlask) -> None:
    client = app.test_client()
    assert client.get("/healthz").json["status"] == "ok"
    told = client.get("/readyz").json
    assert {name: word for name, word in told.items() if isinstance(word, str)} == {
        "status": "ready", "database": "ok", "storage": "ok", "redis": "ok", "listener": "idle",
        "version": installed_version(),
    }  # fmt: skip
