"""Events in the client: read, resumed after a break, and what watching does without them."""

import json

import pytest

from pixelmill import ConnectionFailed, InvalidInput, Job, NotFound, UnexpectedAnswer, WaitTimeout
from pixelmill.client.events.following import watch_until_over
from pixelmill.client.events.stream import EventStream
from pixelmill.client.waiting import Poller
from pixelmill.wire.event_stream import Message, messages
from tests.unit.pixelmill.client.test_client_waiting import JOB, Clock, transport

__all__ = ["transport"]
EVENTS = f"{JOB}/events"


def event(kind, number=None, completed=0, **more):
    counts = {"total": 10, "completed": completed, "processing": 10 - completed}
    status = {"progress": "in_progress"}.get(kind, kind)
    data = {"id": "job_1", "status": status, "outcome": None, "request_counts": counts, **more}
    body = {"type": f"job.{kind}", "timestamp": "2026-11-30T00:00:00Z", "data": data}
    place = "" if number is None else f"id: {number}\n"
    return f"event: job.{kind}\n{place}data: {json.dumps(body)}\n\n"


def told(say, *texts, after=0, drop=False):
    body = "".join((f"retry: 10\nid: {after}\n\n", *texts)).encode()
    answer = say.answer(200, body, {"Content-Type": "text/event-stream; charset=utf-8"})
    answer.drop = drop
    return answer


def test_events_are_read_line_by_line_and_half_of_one_is_none():
    text = ": hello\n\nid: 4\nretry: 20\n\nevent: a\ndata: 1\ndata:2\nid: 5\n\nevent: b\ndata: half"
    read = list(messages(text.split("\n")))
    assert read == [Message(), Message(id="4", retry_ms=20), Message("a", "1\n2", "5")]


def test_a_job_is_followed_to_its_end(server, client, say):
    server.on(
        "GET",
        EVENTS,
        told(
            say,
            event("in_progress", 2),
            event("progress", completed=4, rate=2.0, eta_seconds=3),
            event("completed", 3, completed=10),
            event("deleted", 4),
        ),
    )
    seen = list(client.events("job_1"))
    assert [each.type for each in seen] == [
        "job.in_progress",
        "job.progress",
        "job.completed",
        "job.deleted",
    ]
    assert (seen[1].id, seen[1].request_counts.completed) == (None, 4)
    assert (seen[1].rate, seen[1].eta_seconds, seen[2].id) == (2.0, 3, "3")
    assert len(server.seen) == 1


def test_a_broken_stream_goes_on_after_the_last_event(server, client, say, pauses):
    server.on(
        "GET",
        EVENTS,
        told(say, event("in_progress", 2), event("completed", 3)[:-40], drop=True),
        say.answer(503),
        say.drop,
        told(say, event("progress", completed=4), after=2),
        told(say, event("completed", 3), after=2),
    )
    seen = [each.type for each in client.events("job_1")]
    assert seen == ["job.in_progress", "job.progress", "job.completed"]
    asked = [each.headers.get("last-event-id") for each in server.seen]
    assert asked[0] is None
    assert set(asked[1:]) == {"2"}
    assert 0.01 in pauses, "as the server has asked"


def test_who_knows_the_end_already_is_told_nothing(server, client, say):
    server.on("GET", EVENTS, say.answer(204))
    assert list(client.events("job_1", after="3")) == []
    assert server.seen[0].headers["last-event-id"] == "3"


def test_all_jobs_are_followed_beyond_the_end_of_each(server, client, say):
    first, second = event("completed", 5), event("completed", 8)
    server.on("GET", "/v1/events", told(say, first), told(say, second))
    events = client.events()
    assert [next(events).id, next(events).id] == ["5", "8"]


def test_a_job_knows_its_events(server, client, say):
    server.on("GET", JOB, say.job())
    server.on("GET", EVENTS, told(say, event("cancelled", 3)))
    assert [each.type for each in client.job("job_1").events()] == ["job.cancelled"]
    with pytest.raises(InvalidInput, match=r"client\.events"):
        Job.from_raw({"id": "job_1", "status": "in_progress"}).events()


def test_errors_are_told_as_everywhere(server, client, say):
    with pytest.raises(NotFound):
        list(client.events("job_1"))
    server.on("GET", EVENTS, say.answer(200, {"some": "thing"}))
    with pytest.raises(UnexpectedAnswer, match="no stream"):
        list(client.events("job_1"))
    server.on("GET", EVENTS, told(say, "data: {}\n\n"))
    with pytest.raises(UnexpectedAnswer, match="an event"):
        list(client.events("job_1"))
    server.on("GET", EVENTS, say.drop)
    with pytest.raises(ConnectionFailed):
        list(client.events("job_1"))


def test_a_server_that_stays_away_is_given_up(server, transport, say):
    server.on("GET", EVENTS, told(say, event("in_progress", 2)), say.drop)
    clock = Clock()
    stream = EventStream(transport, EVENTS, ends_with_job=True, clock=clock, sleep=clock.sleep)
    events = iter(stream)
    assert next(events).id == "2"
    clock.sleep(200)
    with pytest.raises(ConnectionFailed):
        next(events)


def test_a_watched_job_is_told_of_by_its_events(server, client, say):
    over = say.job(status="completed", completed=10, outcome="succeeded")
    server.on("GET", JOB, say.job(), over)
    server.on(
        "GET",
        EVENTS,
        told(
            say,
            event("in_progress", 2),
            event("progress", completed=4, rate=2.0, eta_seconds=3),
            event("completed", 3, completed=10),
        ),
    )
    seen = []
    job = client.wait("job_1", on_progress=lambda job: seen.append(job))
    assert [each.request_counts.completed for each in seen] == [0, 4, 10]
    assert seen[1].queue.eta_seconds == 3
    assert seen[1].raw["request_counts"]["completed"] == 4
    assert (job.outcome, seen[-1]) == ("succeeded", job)
    assert [each.path for each in server.seen] == [JOB, EVENTS, JOB]


def test_a_job_that_nothing_happens_to_is_asked_for_its_place(server, client, say):
    waits = [say.job(queue={"position": number, "eta_seconds": None}) for number in (3, 2)]
    server.on("GET", JOB, *waits, say.job(status="completed", completed=10))
    server.on("GET", EVENTS, told(say, event("in_progress", 2), ":\n\n", event("completed", 3)))
    places = []
    client.wait("job_1", on_progress=lambda job: places.append(job.queue.position))
    assert places == [3, 2, None]


@pytest.mark.parametrize("failure", ["404", "503", "drop", "no stream", "rubbish"])
def test_where_there_are_no_events_the_job_is_asked_for(server, client, say, failure):
    answers = {
        "404": say.answer(404),
        "503": say.answer(503),
        "drop": say.drop,
        "no stream": say.answer(200, {"a": 1}),
        "rubbish": told(say, "data: x\n\n"),
    }
    server.on("GET", EVENTS, answers[failure])
    over = say.job(status="completed", completed=10)
    server.on("GET", JOB, say.job(), say.job(completed=4), over)
    seen = []
    client.wait("job_1", on_progress=lambda job: seen.append(job.request_counts.completed))
    assert seen[-3:] == [0, 4, 10]
    assert len(server.to("GET", EVENTS)) == 1


def test_shortly_before_the_time_is_over_the_job_is_asked_for(server, transport, say):
    """A stream may be silent for longer than that."""
    server.on("GET", JOB, say.job(completed=3))
    server.on("GET", EVENTS, told(say, *[event("progress", completed=3)] * 9))
    clock = Clock()
    poller = Poller(transport, JOB, Job.from_raw, clock, clock.sleep)
    stream = EventStream(transport, EVENTS, ends_with_job=True, clock=clock, sleep=clock.sleep)
    with pytest.raises(WaitTimeout, match="after 60 s") as caught:
        watch_until_over(poller, stream, 60.0, lambda job: clock.sleep(15), clock)
    assert caught.value.job.request_counts.completed == 3
    assert len(server.to("GET", EVENTS)) == 1
    assert clock.now < 1080
