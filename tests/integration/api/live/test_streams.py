"""Streams of a running server: each thing once, across cuts, processes and outages."""

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from jobs.aftercare.deletion import delete_job
from jobs.base.bootstrap import Ground
from jobs.queue.completion import cancel
from jobs.queue.reading import is_over
from jobs.tables import ModelVersion
from jobs.tenants.keys import NewKey, create_key, revoke_key
from tests.integration.api.callers import job_body
from tests.integration.api.fronts import Front, running_front, stop
from tests.integration.api.live.reading import following, parse, words
from tests.integration.jobs.builders import claim_one, run_one, submit_items
from tests.servers import redis_server
from tests.stranger.relays import relay_to

# What is exact is held on both databases; the rest is about peers.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def submit(front: Front, count: int = 1) -> str:
    with front.client() as client:
        return client.post("/v1/jobs", json=job_body(count)).json()["id"]


@on_sqlite
def test_a_job_is_followed_to_its_end(front: Front, ground: Ground, tenant: NewKey) -> None:
    job = submit(front, 130)
    with following(front, f"/v1/jobs/{job}/events") as told:
        assert next(told).event == "job.in_progress"
        run_one(ground, claim_one(ground))
        progress = next(told)
        assert progress.event == "job.progress"
        counts = progress.body["data"]["request_counts"]
        assert 0 < counts["completed"] < 130
        assert progress.body["data"]["rate"] > 0
        assert progress.body["data"]["eta_seconds"] is not None
        while not is_over(ground.database, tenant.tenant_id, job):
            run_one(ground, claim_one(ground))
        *_, end = told  # The server ends the stream.
    assert end.event == "job.completed"
    assert end.body["data"]["request_counts"]["completed"] == 130


def test_all_jobs_of_a_tenant_are_followed_and_no_others(
    front: Front, ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    other = create_key(ground.database, "other")
    with following(front, "/v1/events") as told:
        theirs = submit_items(ground, other, digits_model).id
        first = submit(front)
        assert [(each.event, each.job) for each in (next(told), next(told))] == [
            ("job.created", first),
            ("job.in_progress", first),
        ]
        cancel(ground.database, other.tenant_id, theirs)
        cancel(ground.database, tenant.tenant_id, first)
        assert (end := next(told)).job == first
        delete_job(ground, tenant.tenant_id, first)
        assert (gone := next(told)).event == "job.deleted"
        assert int(gone.id) == int(end.id) + 1


def test_a_stream_that_is_cut_is_resumed_by_another_server_with_each_event_once(
    front: Front, ground: Ground, tenant: NewKey, tmp_path: Path
) -> None:
    (tmp_path / "second").mkdir()
    seen = []
    with running_front(ground, tenant, tmp_path / "second") as second, ThreadPoolExecutor(1) as one:

        def work() -> None:
            for _ in range(20):
                job = submit(front)
                cancel(ground.database, tenant.tenant_id, job)

        working = one.submit(work)
        last: str | int = 0
        for turn in range(100):
            with following((front, second)[turn % 2], "/v1/events", last) as told:
                for _ in range(7):
                    seen.append(event := next(told))
                    last = event.id
                    if len(seen) == 60:
                        break
            if len(seen) == 60:
                break
        working.result()
        with following(front, "/v1/events", last) as told:
            job = submit(front)
            assert next(told).job == job
    assert [int(each.id) for each in seen] == list(range(1, 61))


@on_sqlite
def test_a_stopping_server_ends_its_streams_and_the_next_goes_on(
    front: Front, ground: Ground, tenant: NewKey, tmp_path: Path
) -> None:
    job = submit(front)
    with following(front, f"/v1/jobs/{job}/events") as told:
        begun = next(told)
        assert stop(front) < 30
        assert list(told) == []
    assert "Traceback" not in front.log()
    cancel(ground.database, tenant.tenant_id, job)
    with (
        running_front(ground, tenant, tmp_path) as again,
        following(again, f"/v1/jobs/{job}/events", begun.id) as told,
    ):
        assert words(told) == ["job.cancelled"]


@on_sqlite
def test_a_revoked_key_ends_its_streams(front: Front, ground: Ground, tenant: NewKey) -> None:
    job = submit(front)
    other = create_key(ground.database, "acme")
    theirs = Front(front.port, other.key, front.process, Path(front._log))
    with following(front, "/v1/events") as stays, following(theirs, f"/v1/jobs/{job}/events") as t:
        next(t)
        began = time.monotonic()
        revoke_key(ground.database, other.key_id)
        assert list(t) == []
        assert time.monotonic() - began < 10
        job = submit(front)
        assert next(stays).job == job


@on_sqlite
def test_a_deleted_job_ends_its_stream(front: Front, ground: Ground, tenant: NewKey) -> None:
    job = submit(front)
    with following(front, f"/v1/jobs/{job}/events") as told:
        next(told)
        with front.client() as client:
            assert client.delete(f"/v1/jobs/{job}").status_code == 200
        # Both happen in one transaction.
        assert words(told) == ["job.cancelled", "job.deleted"]


@on_sqlite
def test_a_silent_stream_says_that_it_lives(front: Front) -> None:
    with front.say(front.head("GET", "/v1/events")) as peer:
        peer.settimeout(25)
        received = b""
        while not received.endswith(b":\n\n\r\n"):
            received += peer.recv(65536)
    assert b"\r\ncontent-type: text/event-stream" in received.lower()


@on_sqlite
def test_events_come_while_redis_is_away(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, tmp_path: Path
) -> None:
    folder = Path(tempfile.mkdtemp(prefix="pm-redis-"))
    with redis_server(folder) as url:
        gone = replace(ground, settings=ground.settings.model_copy(update={"redis_url": url}))
        starting = running_front(gone, tenant, tmp_path)
        front = starting.__enter__()
    try:
        with following(front, "/v1/events") as told:
            for _ in range(3):
                job = submit_items(ground, tenant, digits_model).id
                assert next(told).job == job
                next(told)
    finally:
        starting.__exit__(None, None, None)


@on_sqlite
def test_an_event_that_is_told_by_redis_is_not_waited_for(
    front: Front, ground: Ground, tenant: NewKey
) -> None:
    """Looking alone would take half a second on average."""
    job = submit(front)
    times = []
    with following(front, "/v1/events") as told:
        for _ in range(10):
            job = submit(front)
            next(told), next(told)
            time.sleep(0.3)
            cancel(ground.database, tenant.tenant_id, job)
            ground.hints.tell_moved(job)
            began = time.monotonic()
            assert next(told).job == job
            times.append(time.monotonic() - began)
            time.sleep(0.3)
    assert sorted(times)[4] < 0.3, times


@on_sqlite
def test_a_reader_that_reads_nothing_harms_nobody(
    front: Front, ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    with front.connect(receive_buffer=4096) as deaf, following(front, "/v1/events") as told:
        deaf.sendall(front.head("GET", "/v1/events", "Last-Event-ID: 0"))
        for _ in range(300):
            job = submit_items(ground, tenant, digits_model).id
            cancel(ground.database, tenant.tenant_id, job)
        ids = [int(next(told).id) for _ in range(900)]
        assert ids == list(range(ids[0], ids[0] + 900))


@on_sqlite
def test_events_come_through_a_proxy_with_nginxs_defaults_as_they_happen(
    front: Front, ground: Ground, tenant: NewKey
) -> None:
    job = submit(front)
    with (
        relay_to(front.url) as proxy,
        httpx.Client(base_url=proxy, headers=front.headers, trust_env=False) as client,
        client.stream("GET", f"/v1/jobs/{job}/events") as answer,
    ):
        told = parse(answer.iter_lines())
        assert next(told).event == "job.in_progress"
        cancel(ground.database, tenant.tenant_id, job)
        ground.hints.tell_moved(job)
        assert words(told) == ["job.cancelled"]
