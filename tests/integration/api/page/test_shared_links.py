"""A link shows one job and its results to whoever has it, until it is over; and nothing else."""

import io
import json
from typing import Any

import pytest
from apiflask import APIFlask
from werkzeug.test import TestResponse

from api.web.logs import without_keys
from jobs.base.bootstrap import Ground
from jobs.tables import Share
from jobs.tenants.audit import list_entries
from jobs.tenants.keys import NewKey, create_key, revoke_key
from tests.integration.api.callers import Caller, check_problem
from tests.integration.api.page.visitors import Visitor
from tests.integration.api.test_results import run_rows

PNG = b"\x89PNG\r\n\x1a\n and whatever follows"


@pytest.fixture
def job(caller: Caller, ground: Ground) -> str:
    """A job of two pictures that is over, the second of which failed."""
    files = [(io.BytesIO(PNG), f"item-{number}.png") for number in range(2)]
    body = {"job": json.dumps({"model": "digits", "metadata": {"name": "Monday"}}), "files": files}
    job_id = caller.post("/v1/jobs", data=body).json["id"]
    run_rows(ground)
    return job_id


def share(caller: Caller, job: str, **members: Any) -> dict[str, Any]:
    answer = caller.post(f"/v1/jobs/{job}/shares", json=members)
    assert answer.status_code == 201, answer.text
    return answer.json


def look(app: APIFlask, path: str) -> TestResponse:
    """Look without a key and without a session, as whoever was sent a link."""
    return app.test_client().get(path)


def test_a_link_shows_its_job_to_whoever_has_it_and_can_only_be_read(
    app: APIFlask, caller: Caller, tenant: NewKey, job: str
) -> None:
    other = caller.submit(2)["id"]
    link = share(caller, job)["url"]
    shown = look(app, link)
    assert shown.status_code == 200
    for word in ("Monday", "Completed in part", "image_decode_failed", "item-0", "digits"):
        assert word in shown.text
    rows = look(app, f"{link}/results?format=ndjson")
    assert [json.loads(line)["index"] for line in rows.text.splitlines()] == [0, 1]
    assert look(app, f"{link}/items/0/picture").data == PNG
    for secret in (tenant.tenant_id, tenant.key_id, tenant.webhook_secret, other, "acme"):
        assert secret not in shown.text + rows.text
    assert 'method="post"' not in shown.text
    assert 'name="form-token"' not in shown.text
    assert app.test_client().post(link).status_code == 405
    for path in (f"/jobs/{job}", f"/v1/jobs/{job}", f"{link}/../../../v1/jobs"):
        assert look(app, path).status_code in (303, 401, 404), path


def test_a_link_goes_to_no_other_site_no_search_engine_and_no_log(
    app: APIFlask, caller: Caller, job: str
) -> None:
    link = share(caller, job)["url"]
    for path in (link, f"{link}/live", f"{link}/results?format=csv", f"{link}/items/0/picture"):
        headers = look(app, path).headers
        assert headers["Referrer-Policy"] == "no-referrer", path
        assert "noindex" in headers["X-Robots-Tag"], path
        assert "public" not in headers["Cache-Control"], path
        assert link.removeprefix("/shared/") not in without_keys(path)
    assert look(app, link).headers["Cache-Control"] == "no-store"


def test_a_link_is_over_when_it_expires_is_revoked_or_its_key_is_and_says_the_same_each_time(
    app: APIFlask, caller: Caller, ground: Ground, tenant: NewKey, job: str
) -> None:
    expired, revoked, of_key = (share(caller, job) for _ in range(3))
    with ground.database.write() as session:
        session.get_one(Share, expired["id"]).expires_at -= 8 * 86_400
    assert caller.delete(f"/v1/jobs/{job}/shares/{revoked['id']}").json["url"] is None
    other = create_key(ground.database, "acme")
    revoke_key(ground.database, tenant.key_id)
    wrong = of_key["url"][:-1] + ("0" if of_key["url"][-1] != "0" else "1")
    links = [each["url"] for each in (expired, revoked, of_key)]
    texts = {look(app, link).text for link in [*links, wrong, "/shared/x", "/shared/é.é"]}
    assert len(texts) == 1
    assert "shows nothing, or not any more" in texts.pop()
    assert {look(app, f"{link}/results").status_code for link in links} == {404}
    listed = Caller(app, other).get(f"/v1/jobs/{job}/shares").json["data"]
    assert [each["url"] for each in listed] == [None] * 3


def test_nobody_lengthens_a_link_or_turns_it_to_another_job(
    app: APIFlask, caller: Caller, ground: Ground, job: str
) -> None:
    other = caller.submit(2)["id"]
    one, two = share(caller, job), share(caller, job)
    with ground.database.write() as session:
        session.get_one(Share, one["id"]).expires_at += 3600
        session.get_one(Share, two["id"]).job_id = other
    assert [look(app, each["url"]).status_code for each in (one, two)] == [404, 404]


def test_a_deleted_job_is_shown_by_no_link(app: APIFlask, caller: Caller, job: str) -> None:
    link = share(caller, job)["url"]
    caller.delete(f"/v1/jobs/{job}")
    assert look(app, link).status_code == 404


def test_a_link_is_made_and_revoked_on_the_page_and_both_stand_in_the_log_of_changes(
    visitor: Visitor, ground: Ground, job: str
) -> None:
    assert visitor.send(f"/jobs/{job}/shares", days="30").location.endswith("done=shared")
    with ground.database.read() as session:
        made = list_entries(session, after=None, limit=1)[0]
    assert (made.action, made.who) == ("share.created", visitor.key.key_id)
    text = visitor.get(f"/jobs/{job}/shares").text
    assert f'value="/shared/{made.subject}.' in text
    visitor.send(f"/jobs/{job}/shares/{made.subject}/revoke")
    assert made.subject not in visitor.get(f"/jobs/{job}/shares").text
    with ground.database.read() as session:
        assert list_entries(session, after=None, limit=1)[0].action == "share.revoked"
    assert visitor.send(f"/jobs/{job}/shares", days="9999").status_code == 422


def test_a_job_has_so_many_links_and_each_an_end(caller: Caller, job: str) -> None:
    for members in ({"expires_in": 59}, {"expires_in": 31 * 86_400}, {"expires_in": "x"}):
        check_problem(caller.post(f"/v1/jobs/{job}/shares", json=members), 422)
    for _ in range(50):
        share(caller, job, expires_in=60)
    assert (
        "revoke some"
        in check_problem(caller.post(f"/v1/jobs/{job}/shares", json={}), 409)["detail"]
    )
    check_problem(caller.delete(f"/v1/jobs/{job}/shares/shr_0"), 404)
