"""What pages show, to whom, under which policy; and that nothing strange in them runs."""

import io
import json
import re
from typing import Any

import pytest

from jobs.base.bootstrap import Ground
from jobs.presence.version import installed_version
from tests.integration.api.callers import Caller
from tests.integration.api.page.visitors import Visitor
from tests.integration.api.test_results import run_rows

PLACES = (
    "/jobs",
    "/new",
    "/playground",
    "/models",
    "/models/digits",
    "/workers",
    "/webhooks",
    "/trainings",
)
OF_A_JOB = (
    "",
    "/live",
    "/summary",
    "/failures",
    "/results",
    "/versions",
    "/items/0",
    "/items/0/picture",
    "/items/0/small",
)
DONE_TO_A_JOB = ("/cancel", "/retry", "/rerun", "/delete")

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
PNG = b"\x89PNG\r\n\x1a\n and whatever follows"


def parts_of(text: str, tag: str) -> list[str]:
    return re.findall(rf"<{tag}\b[^>]*>", text)


@pytest.mark.parametrize("path", [*PLACES, "/keys", "/sign-in"])
def test_every_page_is_shown_under_a_policy_that_it_keeps(visitor: Visitor, path: str) -> None:
    answer = visitor.get(path)
    assert answer.status_code == 200
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Cache-Control"] == "no-store"
    assert all(" src=" in script for script in parts_of(answer.text, "script"))
    assert "<style" not in answer.text
    assert not re.search(r"<[^>]+\s(?:style|on\w+)=", answer.text)


def test_what_pages_load_is_there_and_may_be_kept(visitor: Visitor) -> None:
    text = visitor.get("/new").text + visitor.get("/playground").text
    found = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', text))
    assert len(found) > 5
    for address in found:
        answer = visitor.get(address.replace("&amp;", "&"))
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]
    assert visitor.get("/static/../app.py").status_code == 404
    assert visitor.get("/static/nothing.css").status_code == 404
    assert "Permission to use" in visitor.get("/static/vendor/htmx.LICENSE.txt").text


def test_a_page_names_the_version_and_leads_to_every_call(visitor: Visitor) -> None:
    text = visitor.get("/jobs").text
    assert f"Pixelmill {installed_version()}" in text
    assert 'href="/docs"' in text


def test_the_openapi_document_lists_no_page(caller: Caller) -> None:
    paths = caller.get("/openapi.json").json["paths"]
    assert all(path.startswith(("/v1/", "/healthz", "/readyz", "/metrics")) for path in paths), (
        paths
    )


def test_hostile_names_notes_and_labels_are_text_and_nothing_else(
    visitor: Visitor, caller: Caller, ground: Ground
) -> None:
    job = caller.submit(4, metadata={"name": HOSTILE, HOSTILE[:64]: HOSTILE})["id"]
    run_rows(ground, custom_id=HOSTILE)
    paths = ["/jobs", *(f"/jobs/{job}{part}" for part in OF_A_JOB[:-1])]
    for path in [*paths, f"/jobs/{job}?view=pictures", f"/jobs?text={HOSTILE}"]:
        text = visitor.get(path).text
        assert "<script>alert" not in text, path
        assert "<img src=x" not in text, path
    assert "&lt;script&gt;alert(1)" in visitor.get(f"/jobs/{job}").text


def test_a_job_page_tells_its_results_its_failures_and_what_to_do(
    visitor: Visitor, caller: Caller, ground: Ground
) -> None:
    job = caller.submit(4, metadata={"name": "Monday"})["id"]
    waiting = visitor.get(f"/jobs/{job}").text
    assert "Monday" in waiting
    assert f'data-every="2" data-jobs="{job}"' in waiting
    assert f'name="events" content="/v1/jobs/{job}/events"' in waiting
    assert "No worker of pool cpu lives" in waiting
    run_rows(ground)
    over = visitor.get(f"/jobs/{job}/live")
    assert over.headers["HX-Trigger"] == "job-over"
    assert "data-every" not in over.text, "nothing moves any more"
    assert "Completed in part" in over.text
    failures = visitor.get(f"/jobs/{job}/failures").text
    assert "image_decode_failed" in failures
    assert "item-1" in failures
    assert "Export it again" in failures
    results = visitor.get(f"/jobs/{job}/results?of=errored").text
    assert "item-1" in results
    assert "item-2" not in results
    assert f"/v1/jobs/{job}/results?format=csv" in visitor.get(f"/jobs/{job}").text
    assert visitor.get(f"/v1/jobs/{job}/results?format=csv").status_code == 200


def test_results_are_paged_by_the_exact_cursor(
    visitor: Visitor, caller: Caller, ground: Ground
) -> None:
    job = caller.submit(90)["id"]
    while caller.get(f"/v1/jobs/{job}").json["status"] == "in_progress":
        run_rows(ground)
    first = visitor.get(f"/jobs/{job}").text
    assert (first.count('class="cut"'), "item-49<" in first, "item-50<" in first) == (
        50,
        True,
        False,
    )
    (after,) = re.findall(r"[?&;]after=([\d.]+)", first)
    second = visitor.get(f"/jobs/{job}?after={after}").text
    assert "item-49<" not in second
    assert "item-50<" in second
    assert "item-89<" in second
    assert visitor.get(f"/jobs/{job}?after=x").status_code == 422


def test_a_picture_is_shown_as_one_and_nothing_else_is(
    visitor: Visitor, caller: Caller, ground: Ground
) -> None:
    files = [(io.BytesIO(PNG), "a.png"), (io.BytesIO(b"<svg onload=alert(1)>"), "b.svg")]
    body = {"job": json.dumps({"model": "digits"}), "files": files}
    job = caller.post("/v1/jobs", data=body).json["id"]
    shown = visitor.get(f"/jobs/{job}/items/0/picture")
    assert (shown.data, shown.content_type) == (PNG, "image/png")
    assert "sandbox" in shown.headers["Content-Security-Policy"]
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    refused = visitor.get(f"/jobs/{job}/items/1/picture")
    assert refused.status_code == 409
    assert "onload" not in refused.text, "a worker is asked for pixels of it"
    for index in ("2", "-1", "1e3", "9" * 30):
        assert visitor.get(f"/jobs/{job}/items/{index}").status_code == 404


@pytest.mark.parametrize("part", OF_A_JOB)
def test_another_tenants_job_is_not_there(
    visiting_stranger: Visitor, caller: Caller, ground: Ground, part: str
) -> None:
    job = caller.submit(2)["id"]
    run_rows(ground)
    assert visiting_stranger.get(f"/jobs/{job}{part}").status_code == 404
    assert visiting_stranger.get(f"/jobs/{job}/comparison").status_code == 404
    assert visiting_stranger.get(f"/playground/{job}").status_code == 404
    assert job not in visiting_stranger.get("/jobs").text
    assert job not in visiting_stranger.get(f"/jobs/live?job={job}").text


@pytest.mark.parametrize("part", DONE_TO_A_JOB)
def test_nothing_can_be_done_to_another_tenants_job(
    visiting_stranger: Visitor, caller: Caller, part: str
) -> None:
    job = caller.submit(2)["id"]
    answer = visiting_stranger.send(f"/jobs/{job}{part}", model="digits")
    assert answer.status_code == 404
    visiting_stranger.send("/jobs", do="delete", job=job)
    assert caller.get(f"/v1/jobs/{job}").json["status"] == "in_progress"


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/webhooks/whe_00000000000000000000000000", {"do": "delete"}),
        ("/deliveries/whd_00000000000000000000000000", {}),
        ("/models/nothing/aliases", {"alias": "a", "version": "1"}),
    ],
)
def test_what_is_not_there_cannot_be_changed(
    visiting_operator: Visitor, path: str, fields: dict[str, Any]
) -> None:
    assert visiting_operator.send(path, **fields).status_code == 404
