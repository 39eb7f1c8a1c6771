"""Every page, fragment, form and stream that names something of a tenant, asked for by another."""

import re
from typing import Any

import pytest
from apiflask import APIFlask

from api.web.auth import OPEN_ENDPOINTS, PAGE_PREFIX
from jobs.base.bootstrap import Ground
from tests.integration.api.callers import Caller
from tests.integration.api.jobs.test_trainings import train
from tests.integration.api.models.test_version_pages import insert_versions
from tests.integration.api.page.visitors import Visitor
from tests.integration.api.test_results import run_rows

# What a form of another tenant's would say, so that it is refused for whose it is alone.
FIELDS = {"do": "delete", "model": "digits", "days": "7", "alias": "production", "version": "1"}


@pytest.fixture
def named(caller: Caller, ground: Ground, visitor: Visitor) -> dict[str, str]:
    """Something of the visitor's for each name that stands in a page's address."""
    job = caller.submit(2)["id"]
    run_rows(ground)
    insert_versions(ground, visitor.key, "cats", 1)
    visitor.send("/webhooks", url="https://93.184.216.34/hook")
    endpoint = caller.get("/v1/webhook_endpoints").json["data"][0]["id"]
    caller.post(f"/v1/webhook_endpoints/{endpoint}/ping")
    return {
        "job_id": job,
        "index": "0",
        "name": "my/cats",
        "key_id": visitor.key.key_id,
        "endpoint_id": endpoint,
        "delivery_id": caller.get("/v1/webhook_deliveries").json["data"][0]["id"],
        "training_id": train(caller, name="my/dogs")["id"],
        "share_id": caller.post(f"/v1/jobs/{job}/shares", json={}).json["id"],
    }


def test_no_page_form_or_stream_knows_anything_of_another_tenants(
    app: APIFlask, visitor: Visitor, visiting_stranger: Visitor, named: dict[str, str]
) -> None:
    walked = 0
    for rule in app.url_map.iter_rules():
        is_page = rule.endpoint.startswith(PAGE_PREFIX) and rule.endpoint not in OPEN_ENDPOINTS
        if not rule.arguments or not (is_page or rule.endpoint.endswith("events")):
            continue
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: named[found[1]], rule.rule)
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            answer = ask(visiting_stranger, method, path)
            # What only operators do is refused before anybody looks whose it is.
            refused = (403, 404) if rule.endpoint == "page_keys.revoke" else (404,)
            assert answer.status_code in refused, f"{method} {path}: {answer.text[:300]}"
            if method == "GET":
                assert ask(visitor, method, path).status_code in (200, 404, 409), path
            walked += 1
    assert walked > 25
    assert visitor.get(f"/v1/jobs/{named['job_id']}").json["outcome"] == "partial"
    assert visitor.get(f"/v1/jobs/{named['job_id']}/shares").json["data"][0]["url"]


def ask(visitor: Visitor, method: str, path: str) -> Any:
    return visitor.send(path, **FIELDS) if method == "POST" else visitor.get(path)


def test_a_path_that_leads_nowhere_is_a_page_for_people_and_a_problem_for_programs(
    app: APIFlask,
) -> None:
    client = app.test_client()
    shown = client.get("/nope", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (shown.status_code, shown.mimetype) == (404, "text/html")
    assert "nothing at this address" in shown.text
    assert "default-src 'none'" in shown.headers["Content-Security-Policy"]
    for path, accept in (
        ("/nope", "*/*"),
        ("/nope", "application/json"),
        ("/v1/nope", "text/html"),
    ):
        told = client.get(path, headers={"Accept": accept})
        assert (told.status_code, told.mimetype) == (404, "application/problem+json")
