"""A link shows one job and its results to whoever has it, until it is over; and nothing else."""

import io
import json
from typing import Any

import pyarrow.parquet as pq
import pytest
from apiflask import APIFlask
from werkzeug.test import TestResponse

from api.app import create_app
from api.web.logs import without_keys
from jobs.base.bootstrap import Ground
from jobs.base.states import ItemStatus
from jobs.base.storage import segment_name
from jobs.inputs.manifests import Item, write_manifest
from jobs.queue.commits import Tally, commit
from jobs.results.segments import ItemError, Row, write_segment
from jobs.tables import Job, Share
from jobs.tenants.audit import list_entries
from jobs.tenants.keys import NewKey, create_key, revoke_key
from tests.integration.api.callers import Caller, check_problem, with_settings
from tests.integration.api.page.visitors import Visitor
from tests.integration.api.test_results import run_rows
from tests.integration.jobs.builders import claim_one

# Whatever a link must not tell has this word in it.
UNSEEN = "unseen-by-links"
PLACE = f"s3://{UNSEEN}/photos"
ITEMS = (
    Item("a.jpg", "object", "acme/", length=9, size=9, url=f"{PLACE}/a.jpg"),
    Item(f"{PLACE}/b.jpg", "refused", error_code="input_gone", error_message=f"{PLACE}/b.jpg"),
    Item("c.jpg", "url", url=f"https://example.org/{UNSEEN}/c.jpg"),
)
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


@pytest.fixture
def told(caller: Caller, ground: Ground) -> str:
    """A job of items that lie elsewhere, whose rows say where; it waits to be run."""
    job_id = caller.submit(len(ITEMS))["id"]
    with ground.database.write() as session:
        row = session.get_one(Job, job_id)
        row.manifest, row.has_item_metadata = f"jobs/{job_id}/told.parquet", True
        items = [each._replace(metadata=json.dumps({"caption": UNSEEN})) for each in ITEMS]
        write_manifest(ground.storage, row.manifest, items, max_items=9, max_errors=9)
    return job_id


def fail_all(ground: Ground) -> None:
    """Commit a shard whose every item failed, each with a message that says where it lies."""
    lease = claim_one(ground)
    rows = [
        Row(
            index,
            item.custom_id,
            ItemStatus.ERRORED,
            error=ItemError("input_gone", f"{item.url or PLACE} is not there any more."),
            input_url=item.shown_url,
        )
        for index, item in enumerate(ITEMS)
    ]
    name = segment_name(lease.job_id, lease.first, lease.fence)
    write_segment(ground.storage, name, rows)
    assert commit(ground.database, lease, name, Tally(errored=len(rows)), 0.1)


def all_that_is_shown(app: APIFlask, link: str) -> dict[str, str]:
    """Give the text of all that a link shows of its job's items, by form."""
    shown = {
        form: look(app, f"{link}/results?format={form}").text
        for form in ("json", "ndjson", "csv", "label-studio")
    }
    table = pq.read_table(io.BytesIO(look(app, f"{link}/results?format=parquet").data))
    return shown | {"parquet": str(table.to_pylist()), "page": look(app, link).text}


@pytest.mark.parametrize("is_run", [True, False])
def test_a_link_tells_what_came_of_items_and_not_where_they_lie_or_what_came_beside_them(
    app: APIFlask, caller: Caller, ground: Ground, told: str, *, is_run: bool
) -> None:
    if is_run:
        fail_all(ground)
    else:
        caller.post(f"/v1/jobs/{told}/cancel")
    owners = caller.get(f"/v1/jobs/{told}/results").json["data"]
    assert all(UNSEEN in str(row["metadata"]) for row in owners)
    assert UNSEEN in owners[2]["input_url"]
    shown = all_that_is_shown(app, share(caller, told)["url"])
    assert [form for form, text in shown.items() if UNSEEN in text] == []
    assert all("a.jpg" in text for text in shown.values())
    names = [row["custom_id"] for row in json.loads(shown["json"])["data"]]
    assert names == ["a.jpg", "1", "c.jpg"]
    if is_run:
        assert all("input_gone" in text for text in shown.values())
        assert all("not in its bucket any more" in text for text in shown.values())


def test_a_link_says_of_no_picture_why_it_cannot_be_shown(
    app: APIFlask, caller: Caller, told: str
) -> None:
    link = share(caller, told)["url"]
    answers = [look(app, f"{link}/items/{index}/picture") for index in (*range(3), 7, "x")]
    assert {answer.status_code for answer in answers} == {404}
    texts = {answer.text for answer in answers}
    assert all("This picture cannot be shown." in text and UNSEEN not in text for text in texts)


def test_an_open_link_is_listed_however_many_were_made_and_revoked_after_it(
    app: APIFlask, caller: Caller, visitor: Visitor, job: str
) -> None:
    first = share(caller, job)
    for _ in range(51):
        caller.delete(f"/v1/jobs/{job}/shares/{share(caller, job)['id']}")
    last = share(caller, job)
    listed = caller.get(f"/v1/jobs/{job}/shares").json["data"]
    assert [each["id"] for each in listed[:2]] == [last["id"], first["id"]]
    assert len(listed) == 50
    assert first["id"] in visitor.get(f"/jobs/{job}/shares").text
    caller.delete(f"/v1/jobs/{job}/shares/{first['id']}")
    assert look(app, first["url"]).status_code == 404


def test_whoever_has_a_link_shuts_out_neither_its_tenant_nor_other_links(
    caller: Caller, ground: Ground, tenant: NewKey, job: str
) -> None:
    one, other = (share(caller, job)["url"] for _ in range(2))
    limited = create_app(with_settings(ground, rate_limit="5/minute", link_rate_limit="3/minute"))
    ours = Caller(limited, tenant)
    answers = [look(limited, one) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 61
    assert look(limited, other).status_code == 200
    statuses = [ours.get("/v1/jobs").status_code for _ in range(6)]
    assert statuses == [200] * 5 + [429]


def test_links_of_a_tenant_ask_no_more_together_than_the_tenant_may(
    caller: Caller, ground: Ground, tenant: NewKey, job: str
) -> None:
    links = [share(caller, job)["url"] for _ in range(4)]
    limited = create_app(with_settings(ground, rate_limit="3/minute", link_rate_limit=""))
    assert [look(limited, each).status_code for each in links] == [200, 200, 200, 429]
    assert Caller(limited, tenant).get("/v1/jobs").status_code == 200
