"""Peers who say nothing, half of something, or read nothing: none holds a thread or does harm."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest

from api.front.limits import HEADER_S
from jobs.base.bootstrap import Ground
from jobs.queue.completion import cancel
from jobs.tenants.keys import NewKey
from tests.e2e.stacks import is_alive, wait_for
from tests.integration.api.callers import job_body
from tests.integration.api.fronts import Front, read_all, stop

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

SILENT, SLOW, UNREAD = 300, 100, 50
ROWS = 20_000


def p95(ask: Callable[[], object]) -> float:
    """Give the 95th percentile of 100 calls, in seconds."""
    times = []
    for _ in range(100):
        began = time.perf_counter()
        ask()
        times.append(time.perf_counter() - began)
    return sorted(times)[94]


def ended_job(front: Front, ground: Ground, tenant: NewKey) -> str:
    """Make a job with many results, and none of them from a worker."""
    with front.client() as client:
        job = client.post("/v1/jobs", json=job_body(ROWS)).json()["id"]
    cancel(ground.database, tenant.tenant_id, job)
    return job


def slow_peers(front: Front) -> list[socket.socket]:
    """Open a quarter each of: half a head, no body, a body byte by byte, a form that stops."""
    said = [
        b"GET /healthz HTTP/1.1\r\nHos",
        front.head("POST", "/v1/jobs", "Content-Type: application/json", "Content-Length: 99"),
        front.head("POST", "/v1/files?filename=a", "Content-Length: 99") + b"x",
        front.head(
            "POST",
            "/v1/files",
            "Content-Type: multipart/form-data; boundary=b",
            "Transfer-Encoding: chunked",
        )
        + b"4\r\n--b\r\r\n",
    ]
    return [front.say(said[number % len(said)]) for number in range(SLOW)]


def test_whoever_is_slow_delays_nobody(front: Front, ground: Ground, tenant: NewKey) -> None:
    job = ended_job(front, ground, tenant)
    with front.client() as client, ExitStack() as stack:

        def ask() -> None:
            assert client.get(f"/v1/jobs/{job}").status_code == 200

        ask()
        quiet = p95(ask)
        for _ in range(SILENT):
            stack.enter_context(front.connect())
        for peer in slow_peers(front):
            stack.enter_context(peer)
        for _ in range(UNREAD):
            peer = stack.enter_context(front.connect(receive_buffer=4096))
            peer.sendall(front.head("GET", f"/v1/jobs/{job}/results?format=ndjson"))
        # Until every stream has filled what lies between it and its reader.
        wait_for(lambda: _rests(front), 90, "the streams to stand still")
        loaded = p95(ask)
        assert client.get("/healthz").status_code == 200
        # What else the machine does counts for nothing: who waits for a thread waits for half a
        # minute.
        assert loaded <= max(2 * quiet, 2.0), (quiet, loaded)


def test_little_is_made_of_an_answer_that_nobody_reads(
    front: Front, ground: Ground, tenant: NewKey
) -> None:
    job = ended_job(front, ground, tenant)
    with front.client() as client, front.connect(receive_buffer=4096) as peer:
        path = f"/v1/jobs/{job}/results?format=ndjson"
        whole = len(client.get(path).content)
        peer.sendall(front.head("GET", path))
        wait_for(lambda: _rests(front), 90, "the stream to stand still")
        # Nothing more is made, and what was made comes.
        for pid in reversed(front.pids()):
            os.kill(pid, signal.SIGKILL)
        made = len(read_all(peer))
    assert 0 < made < 512 * 1024 < whole // 4, (made, whole)


def test_a_silent_connection_is_ended_and_half_a_head_is_told_why(front: Front) -> None:
    began = time.monotonic()
    with front.connect() as silent, front.say(b"GET /healthz HTTP/1.1\r\nHos") as half:
        assert read_all(silent) == b""
        answer = read_all(half)
    assert HEADER_S - 1 < time.monotonic() - began < HEADER_S + 20
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in answer


def test_a_stalled_body_is_told_so_and_leaves_nothing(front: Front, ground: Ground) -> None:
    said = front.head("POST", "/v1/files?filename=a", "Content-Length: 99") + b"x"
    with front.say(said) as peer:
        answer = read_all(peer)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"after 1 bytes" in answer
    assert list(ground.storage.list("inputs")) == []


def test_five_hundred_answers_are_held_at_once(front: Front) -> None:
    with front.client() as client:
        job = client.post("/v1/jobs", json=job_body()).json()["id"]

        async def ask() -> list[httpx.Response]:
            limits = httpx.Limits(max_connections=600)
            async with httpx.AsyncClient(
                base_url=front.url, headers=front.headers, timeout=90, limits=limits
            ) as many:
                asked = [
                    asyncio.create_task(many.get(f"/v1/jobs/{job}", headers={"Prefer": "wait=40"}))
                    for _ in range(500)
                ]
                await asyncio.sleep(4)
                assert not any(each.done() for each in asked)
                began = time.monotonic()
                assert (await many.get("/healthz")).status_code == 200
                assert time.monotonic() - began < 10
                assert (await many.post(f"/v1/jobs/{job}/cancel")).status_code == 200
                return list(await asyncio.wait_for(asyncio.gather(*asked), 60))

        answers = asyncio.run(ask())
    assert {answer.json()["status"] for answer in answers} == {"cancelled"}
    assert {answer.headers["Preference-Applied"] for answer in answers} == {"wait=40"}


def test_a_stopping_server_gives_what_it_holds_and_cuts_who_is_slow(
    front: Front, ground: Ground, tenant: NewKey
) -> None:
    job = ended_job(front, ground, tenant)
    with front.client() as client, ThreadPoolExecutor(1) as thread, ExitStack() as stack:
        open_job = client.post("/v1/jobs", json=job_body()).json()["id"]
        for peer in slow_peers(front):
            stack.enter_context(peer)
        unread = stack.enter_context(front.connect(receive_buffer=4096))
        unread.sendall(front.head("GET", f"/v1/jobs/{job}/results?format=ndjson"))
        held = thread.submit(client.get, f"/v1/jobs/{open_job}", headers={"Prefer": "wait=40"})
        wait_for(lambda: _is_held(front), 10, "the answer to be held")
        # Two seconds of grace, and some for the end of each process.
        assert stop(front) < 40
        assert held.result().json()["status"] == "in_progress"
    assert "Traceback" not in front.log()


def test_a_killed_server_leaves_no_process(front: Front) -> None:
    pids = front.pids()
    assert len(pids) > 2
    front.process.kill()
    front.process.wait()
    wait_for(lambda: not any(map(is_alive, pids)), 20, "their end")


def _rests(front: Front) -> bool:
    """Say whether the server computes next to nothing for half a second."""
    before = front.cpu_s()
    time.sleep(0.5)
    return front.cpu_s() - before < 0.05


def _is_held(front: Front) -> bool:
    # Nothing tells that an answer is held; once others are quick again, it has begun.
    time.sleep(0.5)
    return httpx.get(f"{front.url}/healthz", trust_env=False).status_code == 200
