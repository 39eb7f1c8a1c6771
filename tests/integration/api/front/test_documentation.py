"""The API tells of itself: truthfully, completely, and without asking anybody else."""

import re
from typing import Any

import pytest
from apiflask import APIFlask
from openapi_spec_validator import validate

from api.app import create_app
from api.web.auth import PAGE_PREFIX
from jobs.base.bootstrap import Ground
from jobs.presence.version import installed_version


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
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))


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
