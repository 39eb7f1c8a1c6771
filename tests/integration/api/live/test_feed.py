"""Who is told what by a look: those that were open when it began, each thing once."""

from typing import Any

import pytest

from api.live import stream as streams
from api.live.answer import Watch
from api.live.feed import KEYS_S, Feed
from api.live.looking import Found
from api.live.stream import Happened, Stream
from jobs.base.states import JobStatus
from jobs.events.glimpses import Event, Glimpse
from jobs.events.numbering import Moment

COUNTS = {"total": 4, "completed": 1, "failed": 0, "processing": 3, "cancelled": 0, "expired": 0}


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def a_job(*numbers: int, job: str = "job_1", tenant: str = "ten_1", **more: Any) -> Glimpse:
    moments = zip(numbers, Moment, strict=False)
    members = {
        "status": JobStatus.IN_PROGRESS,
        "outcome": None,
        "counts": COUNTS,
        "in_progress_at": 10.0,
        "last_progress_at": None,
        "now": 12.0,
        **more,
    }
    events = tuple(Event(number, moment, 10.0) for number, moment in moments)
    return Glimpse(id=job, tenant_id=tenant, events=events, last_event=numbers[-1], **members)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def feed(clock: Clock) -> Feed:
    return Feed(clock)


def opened(feed: Feed, number: int, job: str | None = None, tenant: str = "ten_1") -> Stream:
    stream = Stream(Watch(tenant, f"key_{tenant}", job), number)
    feed.join(stream)
    return stream


def look(feed: Feed, *jobs: Glimpse) -> None:
    plan, seen = feed.plan()
    feed.tell(plan, seen, Found(list(jobs), plan.keys))


def events(stream: Stream) -> list[str]:
    lines = stream.take().decode().splitlines()
    return [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]


def test_a_look_begins_after_what_the_last_stream_of_a_tenant_has_seen(feed: Feed) -> None:
    opened(feed, 7)
    opened(feed, 5)
    opened(feed, 9, tenant="ten_2")
    plan, _ = feed.plan()
    assert plan.after == {"ten_1": 5, "ten_2": 9}


def test_who_has_seen_more_than_others_is_told_nothing_twice(feed: Feed) -> None:
    ahead, behind = opened(feed, 1), opened(feed, 0)
    look(feed, a_job(1, 2))
    assert events(ahead) == ["job.in_progress"]
    assert events(behind) == ["job.created", "job.in_progress"]
    look(feed, a_job(1, 2))
    assert events(ahead) == events(behind) == []


def test_who_comes_while_a_look_is_under_way_is_told_by_the_next(feed: Feed) -> None:
    opened(feed, 2)
    plan, seen = feed.plan()
    late = opened(feed, 0)
    feed.tell(plan, seen, Found([a_job(1, 2, 3, status=JobStatus.COMPLETED)]))
    assert events(late) == []
    assert feed.plan()[0].after == {"ten_1": 0}
    look(feed, a_job(1, 2, 3, status=JobStatus.COMPLETED))
    assert events(late) == ["job.created", "job.in_progress", "job.completed"]


def test_a_stream_of_a_job_ends_with_it_and_hears_of_no_other(feed: Feed) -> None:
    one = opened(feed, 0, job="job_1")
    look(feed, a_job(1, 2, job="job_2"))
    assert (events(one), one.number, one.is_over) == ([], 2, False)
    look(feed, a_job(3, 4, 5, status=JobStatus.EXPIRED))
    assert events(one) == ["job.created", "job.in_progress", "job.expired"]
    assert one.is_over


def test_nobody_hears_of_another_tenants_jobs(feed: Feed) -> None:
    mine, theirs = opened(feed, 0), opened(feed, 0, tenant="ten_2")
    look(feed, a_job(1, 2, last_progress_at=11.0))
    assert events(mine) == ["job.created", "job.in_progress", "job.progress"]
    assert events(theirs) == []


def test_a_stream_itself_takes_nothing_of_another_tenants(feed: Feed) -> None:
    mine = opened(feed, 0)
    job = a_job(1, 2, tenant="ten_2")
    mine.tell([Happened.of(each, job) for each in job.events])
    mine.tell_progress(job, b"event: job.progress")
    assert events(mine) == []


def test_progress_is_told_once_and_no_more_often_than_once_a_second(
    feed: Feed, clock: Clock
) -> None:
    stream = opened(feed, 2)
    look(feed, a_job(1, 2, last_progress_at=11.0))
    assert events(stream) == ["job.progress"]
    assert feed.plan()[0].tenants == frozenset()
    clock.now += 1
    look(feed, a_job(1, 2, last_progress_at=11.0))
    assert events(stream) == []
    clock.now += 1
    look(feed, a_job(1, 2, last_progress_at=12.0))
    assert events(stream) == ["job.progress"]


def test_of_progress_that_is_not_yet_written_the_newest_counts(feed: Feed, clock: Clock) -> None:
    stream = opened(feed, 2)
    for at in (11.0, 12.0):
        look(feed, a_job(1, 2, last_progress_at=at))
        clock.now += 1
    assert events(stream) == ["job.progress"]
    look(feed, a_job(1, 2, last_progress_at=13.0))
    look(feed, a_job(1, 2, 3, status=JobStatus.COMPLETED))
    assert events(stream) == ["job.completed"], "the end says more than the progress before it"


def test_a_key_that_is_good_no_more_ends_its_streams(feed: Feed, clock: Clock) -> None:
    mine, theirs = opened(feed, 0), opened(feed, 0, tenant="ten_2")
    plan, seen = feed.plan()
    assert plan.keys == {"key_ten_1", "key_ten_2"}
    feed.tell(plan, seen, Found([], frozenset({"key_ten_1"})))
    assert (mine.is_over, theirs.is_over) == (False, True)
    assert not feed.plan()[0].keys
    clock.now += KEYS_S
    assert feed.plan()[0].keys


def test_who_falls_too_far_behind_is_cut(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_MOST_UNSENT", 3)
    slow, quick = opened(feed, 0), opened(feed, 0)
    for number in (1, 3, 5):
        look(feed, a_job(number, number + 1))
        events(quick)
    assert (slow.is_behind, quick.is_behind) == (True, False)


def test_places_are_given_back_once(feed: Feed) -> None:
    give_back = feed.take_place("ten_1")
    feed.take_place("ten_1")
    give_back()
    give_back()
    assert feed._places == {"ten_1": 1}


def test_only_what_somebody_watches_is_looked_at_at_once(feed: Feed) -> None:
    assert not feed.concerns("job_1")
    one = opened(feed, 0, job="job_1")
    assert feed.concerns("job_1")
    assert not feed.concerns("job_2")
    everything = opened(feed, 0)
    assert feed.concerns("job_2")
    feed.leave(one)
    feed.leave(everything)
    assert not feed.concerns("job_1")
    assert not feed.is_watched
