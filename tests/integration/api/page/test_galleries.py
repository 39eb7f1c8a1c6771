"""The gallery: small pictures for whom the results are, what was found, nothing strange in it."""

import io
import json
from typing import Any

import numpy as np
import pytest
from apiflask import APIFlask

from jobs.base.bootstrap import Ground
from jobs.base.states import ItemStatus
from jobs.base.storage import opened_name, segment_name, thumbnails_name
from jobs.leases.leases import lease_next
from jobs.queue.commits import Tally, commit
from jobs.results.opened import OPENED, end_opened
from jobs.results.segments import Row, to_json, write_segment
from jobs.results.summaries import summarize, write_summary
from jobs.results.thumbnails import write_thumbnails
from models.answers import rle
from tests.integration.api.callers import DATA, Caller, check_problem
from tests.integration.api.page.visitors import Visitor
from tests.integration.jobs.builders import claim_one

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
SMALL = b"\xff\xd8 pretended "


def run_gallery(ground: Ground, predictions: Any, urls: Any = None) -> None:
    """Commit a shard as a worker does; every item but the first has a small picture."""
    lease = claim_one(ground)
    rows = [
        Row(
            index,
            f"item-{index}",
            ItemStatus.SUCCEEDED,
            attempts=1,
            predictions_json=to_json(predictions(index)),
            width=90,
            height=60,
            input_url=(urls or {}).get(index),
        )
        for index in range(lease.first, lease.first + lease.count)
    ]
    name = segment_name(lease.job_id, lease.first, lease.fence)
    places = {n: ((n - 1) * len(SMALL), len(SMALL)) for n in range(1, lease.count)}
    file = io.BytesIO(SMALL * lease.count)
    write_thumbnails(ground.storage, thumbnails_name(name), lease.count, places, file)
    write_segment(ground.storage, name, rows)
    tally = Tally(succeeded=len(rows), summary=write_summary(summarize(rows)))
    assert commit(ground.database, lease, name, tally, 0.1)


def one(label: str, confidence: float, **more: Any) -> dict[str, Any]:
    return {"class": label, "class_id": 1, "confidence": confidence, **more}


def test_small_pictures_are_shown_to_their_tenant_alone_and_kept_by_no_cache(
    visitor: Visitor, caller: Caller, stranger: Caller, ground: Ground
) -> None:
    job = caller.submit(3, gallery=True)
    assert job["gallery"] is True
    path = f"/v1/jobs/{job['id']}/results/1/thumbnail"
    check_problem(caller.get(path), 409, "conflict")
    run_gallery(ground, lambda _: [one("cat", 0.9)])
    for who in (caller, visitor):
        answer = who.get(path)
        assert (answer.status_code, answer.data, answer.content_type) == (200, SMALL, "image/jpeg")
        assert answer.headers["Cache-Control"].startswith("private")
        assert "Cookie" in answer.headers["Vary"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    check_problem(stranger.get(path), 404)
    for other in ("0", "3", "-1", "1e3", "9" * 30):
        check_problem(caller.get(path.replace("/1/", f"/{other}/")), 404, "not_found")
    small = f"/jobs/{job['id']}/items/1/small"
    assert small in visitor.get(f"/jobs/{job['id']}?view=pictures").text
    assert visitor.get(small).data == SMALL
    # A browser shows no file of this kind by itself.
    assert visitor.get(f"/jobs/{job['id']}/items/1/picture").data == SMALL


def test_a_picture_that_no_browser_shows_is_asked_for_and_shown_when_it_is_made(
    app: APIFlask, visitor: Visitor, caller: Caller, stranger: Caller, ground: Ground
) -> None:
    tiff = b"II*\0" + b"0" * 300_000
    files = [(io.BytesIO(tiff), "a.tif"), (io.BytesIO(b"\x89PNG\r\n\x1a\n"), "b.png")]
    body = {"job": json.dumps({"model": "digits"}), "files": files}
    job = caller.post("/v1/jobs", data=body).json["id"]
    assert visitor.get(f"/jobs/{job}/items/1/small").data.startswith(b"\x89PNG"), "small already"
    link = caller.post(f"/v1/jobs/{job}/shares", json={}).json["url"]
    api = f"/v1/jobs/{job}/results/0/thumbnail"
    check_problem(stranger.get(api), 404)
    pages = (f"/jobs/{job}/items/0/picture", f"/jobs/{job}/items/0/small")
    for answer in (*map(visitor.get, pages), app.test_client().get(f"{link}/items/0/picture")):
        assert answer.status_code == 409
        assert (answer.headers["Retry-After"], answer.headers["Refresh"]) == ("1", "1")
        assert "is being made" in answer.text
    check_problem(caller.get(api), 409, "being_made")
    lease = lease_next(ground, OPENED)
    assert lease is not None
    assert lease_next(ground, OPENED) is None, "asked for four times, made once"
    name = opened_name(job, 0, lease.fence)
    write_thumbnails(ground.storage, name, 2, {0: (0, len(SMALL))}, io.BytesIO(SMALL))
    end_opened(ground, lease, name)
    assert caller.get(api).data == SMALL
    assert [visitor.get(path).data for path in pages] == [SMALL, SMALL]
    assert app.test_client().get(f"{link}/items/0/picture").data == SMALL


def test_a_link_leads_to_pictures_that_there_may_be_alone(
    app: APIFlask, caller: Caller, ground: Ground
) -> None:
    requests = [{"input": {"data": DATA}}, {"input": {"url": "http://a.example/b.jpg"}}]
    for gallery in (True, False):
        job = caller.submit(requests=requests, gallery=gallery)["id"]
        run_gallery(ground, lambda _: [one("cat", 0.9)], urls={1: "http://a.example/b.jpg"})
        link = caller.post(f"/v1/jobs/{job}/shares", json={}).json["url"]
        shown = app.test_client().get(link).text
        assert [f"items/{n}/picture" in shown for n in range(2)] == [True, gallery]


def test_what_was_found_is_summed_up_for_callers_and_on_the_page(
    visitor: Visitor, caller: Caller, stranger: Caller, ground: Ground
) -> None:
    job = caller.submit(8)["id"]
    run_gallery(ground, lambda index: [one("cat" if index % 4 else HOSTILE, index / 10)])
    answer = caller.get(f"/v1/jobs/{job}/summary?limit=1").json
    assert answer["classes"] == [{"class": "cat", "count": 6}]
    assert answer["other_classes"] == {"classes": 1, "count": 2}
    assert (answer["items"], answer["findings"], answer["is_complete"]) == (8, 8, True)
    assert [each["count"] for each in answer["confidences"][:15:2]] == [1] * 8
    check_problem(stranger.get(f"/v1/jobs/{job}/summary"), 404)
    check_problem(caller.get(f"/v1/jobs/{job}/summary?limit=0"), 422)
    shown = visitor.get(f"/jobs/{job}/summary").text
    assert "8 found in 8 items" in shown
    assert "<script>alert" not in shown
    assert "&lt;script&gt;alert(1)" in shown


def test_results_are_chosen_by_class_and_confidence(
    visitor: Visitor, caller: Caller, ground: Ground
) -> None:
    job = caller.submit(8)["id"]
    run_gallery(ground, lambda index: [one("cat" if index % 2 else HOSTILE, index / 10)])
    for view in ("", "&view=pictures"):
        chosen = visitor.get(f"/jobs/{job}?class=cat&least=0.3&below=0.5{view}").text
        assert [n for n in range(8) if f"item-{n}<" in chosen] == [3]
        chosen = visitor.get(f"/jobs/{job}?class=cat&least=0.3&below=1{view}").text
        assert [n for n in range(8) if f"item-{n}<" in chosen] == [3, 5, 7]
    by_label = visitor.get(f"/jobs/{job}", query_string={"class": HOSTILE}).text
    assert [n for n in range(8) if f"item-{n}<" in by_label] == [0, 2, 4, 6]
    assert "<script>alert" not in by_label
    refused = visitor.get(f"/jobs/{job}?least=2")
    assert refused.status_code == 422
    assert "from 0 to 1" in refused.text


def test_masks_are_drawn_over_pictures_and_films_along_their_length(
    visitor: Visitor, caller: Caller, ground: Ground
) -> None:
    mask = np.zeros((60, 90), bool)
    mask[10:20, 30:60] = True
    drawn = [one("cat", 0.9, mask=rle.encode(mask), area=300)]
    film = [{**one("b", 0.5), "segments": [{**one(HOSTILE, 0.5), "start_ms": 0, "end_ms": 900}]}]
    job = caller.submit(2, gallery=True)["id"]
    run_gallery(ground, lambda index: film if index else drawn)
    for path in (f"/jobs/{job}?view=pictures", f"/jobs/{job}/items/0"):
        assert 'class="mask k1"' in visitor.get(path).text
    for path in (f"/jobs/{job}?view=pictures", f"/jobs/{job}/items/1"):
        text = visitor.get(path).text
        assert 'viewBox="0 0 900 10"' in text
        assert "<script>alert" not in text
    assert 'class="strip"' in visitor.get(f"/jobs/{job}/items/1").text


@pytest.mark.parametrize("what", ["summary", "results/1/thumbnail"])
def test_what_was_erased_is_shown_to_nobody(caller: Caller, ground: Ground, what: str) -> None:
    job = caller.submit(2, gallery=True)["id"]
    run_gallery(ground, lambda _: [one("cat", 0.9)])
    assert caller.get(f"/v1/jobs/{job}/{what}").status_code == 200
    caller.delete(f"/v1/jobs/{job}")
    check_problem(caller.get(f"/v1/jobs/{job}/{what}"), 404)
