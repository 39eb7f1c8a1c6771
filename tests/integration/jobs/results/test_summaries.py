"""Summaries count what every shard's answers come to, once, whoever asks and however often."""

import zlib
from collections import Counter
from typing import Any

import orjson
import pytest
from sqlalchemy import select, update

from jobs.aftercare.deletion import delete_job
from jobs.aftercare.retention import erase_due
from jobs.base.bootstrap import Ground
from jobs.base.states import ItemStatus
from jobs.overview.failures import failures_of
from jobs.results import summaries
from jobs.results.rows import Cursor
from jobs.results.search import Wanted, find_rows
from jobs.results.segments import ItemError, Row, to_json
from jobs.results.summaries import (
    MOST_CLASSES,
    Summary,
    read_summary,
    summarize,
    summary_of,
    write_summary,
)
from jobs.tables import Job, ModelVersion, Shard
from jobs.tenants.keys import NewKey
from tests.integration.jobs.builders import answer_all, submit_items
from tests.integration.jobs.checks import read_job
from tests.integration.jobs.test_retention import age

BROKEN = ItemError("image_decode_failed", "Cut short.")
LONG = 10.0


def answer(index: int) -> Any:
    """Every tenth item is broken; the others are `even` or `odd`, and item 77 is a `cat`."""
    if index % 10 == 0:
        return BROKEN
    label = "cat" if index == 77 else ("odd" if index % 2 else "even")
    first = {"class": label, "class_id": 1, "confidence": index / 100}
    return [first, {"class": "second thought", "class_id": 2, "confidence": 0.01}]


@pytest.fixture
def job(ground: Ground, tenant: NewKey, digits_model: ModelVersion) -> Job:
    job = submit_items(ground, tenant, digits_model, 100)
    answer_all(ground, answer)
    return read_job(ground, job.id)


def row(index: int, predictions: Any) -> Row:
    return Row(index, str(index), ItemStatus.SUCCEEDED, predictions_json=to_json(predictions))


def columns(ground: Ground, job: Job) -> list[bytes | None]:
    with ground.database.read() as session:
        shards = session.scalars(select(Shard.summary).where(Shard.job_id == job.id)).all()
        return [*shards, session.scalar(select(Job.summary).where(Job.id == job.id))]


def test_each_item_is_counted_by_its_first_class(ground: Ground, job: Job) -> None:
    summary, is_whole = summary_of(ground, job, LONG)
    assert is_whole
    assert summary.classes == {"odd": 49, "even": 40, "cat": 1}
    assert summary.statuses == {"succeeded": 90, "errored": 10}
    assert (summary.confidences[0], summary.confidences[19]) == (4, 5)
    assert sum(summary.confidences) == 90


def test_each_object_is_counted_and_vectors_are_not() -> None:
    box = {"x": 0, "y": 0, "width": 1, "height": 1}
    found = [{"class": name, "confidence": 1.0, "box": box} for name in ("a", "b", "a")]
    summary = summarize([row(0, found), row(1, [{"embedding": [0.5, 1.0]}]), row(2, [])])
    assert summary.classes == {"a": 2, "b": 1}
    assert summary.confidences[19] == 3
    assert summary.items == 3


def test_items_that_were_broken_off_are_not_among_those_that_were_counted() -> None:
    rows = [row(0, [{"class": "a"}]), Row(1, "1", ItemStatus.CANCELLED)]
    assert summarize(rows).items == 1


@pytest.mark.parametrize(("wanted", "is_there"), [(Wanted(), True), (Wanted(at_least=0.9), False)])
def test_what_has_no_confidence_is_within_no_bounds(wanted: Wanted, is_there: bool) -> None:
    assert wanted.has(row(0, [{"class": "a"}])) is is_there


def test_a_confidence_that_is_no_number_is_in_no_bin() -> None:
    summary = summarize([row(0, [{"class": "a", "confidence": "very"}]), row(1, [{"class": "a"}])])
    assert (summary.classes, sum(summary.confidences)) == ({"a": 2}, 0)


def test_a_summary_is_read_as_it_was_written_and_holds_so_many_classes() -> None:
    rows = (row(n, [{"class": f"class {n}", "confidence": 0.5}]) for n in range(MOST_CLASSES + 7))
    written = write_summary(summarize(rows))
    read = read_summary(written)
    assert (len(read.classes), read.others, read.found) == (MOST_CLASSES, 7, MOST_CLASSES + 7)
    assert write_summary(read) == written
    assert read.may_hold(None, "class 5003"), "nobody knows which classes lost their names"
    assert len(written) < 64 * 1024


def test_whoever_asks_next_goes_on_where_time_was_over(
    ground: Ground, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    is_whole = False
    while not is_whole:
        summary, is_whole = summary_of(ground, job, 0.0)
        asked += 1
    assert asked > 1
    assert summary.classes == {"odd": 49, "even": 40, "cat": 1}
    # What is kept is the sum so far: all that is left to ask of the shards is the last of them.
    monkeypatch.setattr(summaries, "shard_summary", lambda *_: pytest.fail("it was counted before"))
    assert summary_of(ground, job, LONG)[0].items == 100


def test_rows_of_an_earlier_version_are_counted_from_their_segments(
    ground: Ground, job: Job
) -> None:
    with ground.database.write() as session:
        session.execute(update(Shard).where(Shard.job_id == job.id).values(summary=None))
    assert summary_of(ground, job, LONG)[0].classes["odd"] == 49


def test_summaries_go_when_the_results_go(ground: Ground, job: Job) -> None:
    summary_of(ground, job, 0.0)
    assert any(columns(ground, job)[:-1])
    assert columns(ground, job)[-1]
    age(ground, job, 40 * 86_400)
    erase_due(ground)
    assert not any(columns(ground, job))
    # Somebody had read the job just before.
    summary_of(ground, job, 0.0)
    assert not any(columns(ground, job))


def test_a_deleted_job_leaves_no_summary(ground: Ground, job: Job) -> None:
    summary_of(ground, job, 0.0)
    delete_job(ground, job.tenant_id, job.id)
    assert columns(ground, job) == [None]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(ItemStatus.ERRORED), list(range(0, 100, 10))),
        (Wanted(label="cat"), [77]),
        (Wanted(label="odd", at_least=0.95), [95, 97, 99]),
        (Wanted(below=0.03), [1, 2]),
        (Wanted(ItemStatus.ERRORED, "cat"), []),
        (Wanted(label="second thought"), []),
    ],
)
def test_what_is_wanted_is_found_page_by_page(
    ground: Ground, job: Job, wanted: Wanted, expected: list[int]
) -> None:
    found: list[int] = []
    place, has_more = Cursor(), True
    while has_more:
        page = find_rows(ground, job, wanted, place, 3, LONG)
        assert len(page.rows) <= 3
        found += [row.index for row in page.rows]
        place, has_more = page.last or place, page.has_more
    assert sorted(found) == expected


def test_shards_without_what_is_wanted_are_not_read(ground: Ground, job: Job) -> None:
    with ground.database.read() as session:
        shards = session.scalars(select(Shard).where(Shard.job_id == job.id)).all()
    others = [s.segment for s in shards if not s.first <= 77 < s.first + s.count]
    assert len(others) > 1
    ground.storage.delete([each for each in others if each])
    page = find_rows(ground, job, Wanted(label="cat"), Cursor(), 5, LONG)
    assert [row.index for row in page.rows] == [77]


def test_a_search_that_is_late_goes_on_from_page_to_page(ground: Ground, job: Job) -> None:
    found, pages, place, has_more = list[int](), 0, Cursor(), True
    while has_more:
        page = find_rows(ground, job, Wanted(ItemStatus.SUCCEEDED), place, 500, 0.0)
        assert page.last is not None
        assert page.last > place or not page.has_more, "it stands still"
        found += [row.index for row in page.rows]
        pages, place, has_more = pages + 1, page.last, page.has_more
    assert sorted(found) == [index for index in range(100) if index % 10]
    assert pages > 1


def test_causes_are_looked_for_however_slow_the_store_is(ground: Ground, job: Job) -> None:
    assert failures_of(ground, job, 0.0).seen == job.failed == 10


def test_items_that_never_ran_are_found_by_their_status(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    from jobs.queue.completion import cancel

    job = submit_items(ground, tenant, digits_model, 5)
    cancel(ground.database, tenant.tenant_id, job.id)
    job = read_job(ground, job.id)
    page = find_rows(ground, job, Wanted(ItemStatus.CANCELLED), Cursor(), 9, LONG)
    assert len(page.rows) == 5
    assert find_rows(ground, job, Wanted(ItemStatus.ERRORED), Cursor(), 9, LONG).rows == []
    assert summary_of(ground, job, LONG)[0] == Summary()


def test_seconds_of_stages_add_up_and_what_an_earlier_version_wrote_has_none() -> None:
    summary = Summary(seconds=Counter(infer=0.5))
    summary.add(read_summary(write_summary(Summary(seconds=Counter(infer=0.25, read=1.0)))))
    assert summary.seconds == {"infer": 0.75, "read": 1.0}
    earlier = zlib.compress(orjson.dumps([7, {"succeeded": 2}, {"a": 2}, 0, [0] * 20]))
    assert read_summary(earlier) == Summary(7, Counter(succeeded=2), Counter(a=2))


def test_an_earlier_version_reads_what_this_one_writes() -> None:
    written = write_summary(Summary(7, Counter(succeeded=2), seconds=Counter(infer=0.5)))
    # As it did: five members, and nothing else.
    until, statuses, _, _, _ = orjson.loads(zlib.decompress(written))
    assert (until, statuses) == (7, {"succeeded": 2})
