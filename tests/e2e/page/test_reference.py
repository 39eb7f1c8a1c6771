"""The reference at /docs in a real Chromium, behind a proxy's prefix: read, searched and tried."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from jobs.base.bootstrap import Ground
from jobs.tables import ModelVersion
from jobs.tenants.keys import NewKey
from tests.integration.api.fronts import Front, running_front

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PREFIX = "/apps/pixelmill"


@pytest.fixture
def front(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, tmp_path: Path
) -> Iterator[Front]:
    with running_front(ground, tenant, tmp_path, PIXELMILL_URL_PREFIX=PREFIX) as running:
        yield running


@pytest.fixture
def reference(browser: Browser, front: Front, complaints: list[str]) -> Iterator[Page]:
    """Give a tab that shows the reference, and may ask nobody but its server."""
    context = browser.new_context()
    tab = context.new_page()
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("console", lambda said: said.type == "error" and complaints.append(said.text))
    tab.on("request", lambda sent: _is_ours(sent.url, front) or complaints.append(sent.url))
    tab.goto(f"{front.url}{PREFIX}/docs")
    yield tab
    context.close()


def _is_ours(url: str, front: Front) -> bool:
    return url.startswith((f"{front.url}{PREFIX}/", "data:", "blob:"))


def test_a_call_is_tried_with_a_key_that_is_neither_kept_nor_shown(
    reference: Page, front: Front, complaints: list[str]
) -> None:
    reference.get_by_role("button", name="Authorize").first.click()
    reference.locator("#auth-bearer-value").fill(front.key)
    reference.get_by_role("button", name="Apply credentials").click()
    reference.locator(".modal-ux .btn-done").click()
    reference.locator("#operations-tag-Models").click()
    reference.locator("#operations-Models-get_models").locator("button").first.click()
    call = reference.locator(".opblock.is-open")
    with reference.expect_response(f"**{PREFIX}/v1/models*") as answered:
        call.get_by_role("button", name="Execute").click()
    assert answered.value.status == 200
    expect(call.locator(".live-responses-table")).to_contain_text("digits")
    expect(call.locator(".curl")).to_contain_text("Bearer pm_live_…")
    assert front.key not in reference.content()
    kept = "JSON.stringify([localStorage, sessionStorage, document.cookie])"
    assert front.key not in reference.evaluate(kept)
    assert complaints == []


def test_every_call_stands_there_and_the_page_has_no_complaint(
    reference: Page, front: Front, complaints: list[str]
) -> None:
    with front.client() as client:
        document = client.get("/openapi.json").json()
    tags = {tag["name"] for tag in document["tags"]}
    expect(reference.locator(".opblock-tag")).to_have_count(len(tags))
    expect(reference.locator("footer")).to_contain_text(document["info"]["version"])
    reference.locator("#operations-tag-Jobs").click()
    listed = [
        operation
        for operations in document["paths"].values()
        for operation in operations.values()
        if operation["tags"] == ["Jobs"]
    ]
    jobs = reference.locator("#operations-tag-Jobs")
    calls = reference.locator(".opblock-tag-section", has=jobs).locator(".opblock")
    expect(calls).to_have_count(len(listed))
    for width in (360, 1440):
        reference.set_viewport_size({"width": width, "height": 900})
        wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not reference.evaluate(wide), f"the page is wider than {width} pixels"
    assert complaints == []
