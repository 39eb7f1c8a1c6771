"""Five hundred open streams cost no thread each, and no look at the database each."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
import uvicorn
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from api.app import create_app
from api.front.app import _STREAM_THREADS
from api.front.app import Front as Asgi
from api.front.connection import HOUSE, House
from api.web.listener import LISTENER
from jobs.base.bootstrap import Ground
from jobs.events.glimpses import look
from jobs.queue.completion import cancel
from jobs.tables import ModelVersion
from jobs.tenants.keys import NewKey
from tests.integration.jobs.builders import claim_one, run_one, submit_items

STREAMS = 500
_THREADS = 4
WATCHED_S = 6.0


@asynccontextmanager
async def serving(ground: Ground) -> AsyncIterator[int]:
    """Serve the API in this very process, where its threads and statements can be counted."""
    app = create_app(ground)
    front = Asgi(app, _THREADS)

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            return await front(scope, receive, send)
        await receive()
        scope["state"][HOUSE] = House()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        return await send({"type": "lifespan.shutdown.complete"})

    config = uvicorn.Config(
        serve,
        http="api.front.connection:Connection",
        ws="none",
        lifespan="on",
        port=0,
        log_level="error",
        timeout_graceful_shutdown=5,
        backlog=1024,
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await running
    app.extensions[LISTENER].close()
    for pool in (front._pool, front._uploads, front._streams):
        pool.shutdown()


@contextmanager
def selects_of(ground: Ground) -> Iterator[list[str]]:
    """Note what is asked of the database, from any thread."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: Any) -> None:
        if "SELECT" in statement:
            seen.append(statement)

    event.listen(ground.database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(ground.database.engine, "before_cursor_execute", note)


async def follow(port: int, key: NewKey, path: str) -> asyncio.StreamReader:
    """Open a stream and read what it begins with."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key.key}\r\n\r\n"
    writer.write(head.encode())
    await reader.readuntil(b"retry: ")
    # It lives as long as its reader does.
    reader.writer = writer
    return reader


async def end_of(reader: asyncio.StreamReader) -> bytes:
    return await asyncio.wait_for(reader.readuntil(b"job.cancelled"), 20)


def test_five_hundred_streams_cost_no_thread_and_one_look_a_second(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model, 130).id
    run_one(ground, claim_one(ground))

    async def watch() -> None:
        # Those of the pools, which any request may begin, and the one that hears moves.
        threads = threading.active_count() + _THREADS + _STREAM_THREADS + 1
        async with serving(ground) as port:
            paths = [f"/v1/jobs/{job}/events", "/v1/events"]
            streams = await asyncio.gather(
                *(follow(port, tenant, paths[number % 2]) for number in range(STREAMS))
            )
            with selects_of(ground) as seen:
                began = time.monotonic()
                await asyncio.sleep(WATCHED_S)
                looks = len(seen) / (time.monotonic() - began)
            # One look for all, and the keys every three seconds.
            assert 0.2 < looks < 2.6, seen
            assert threading.active_count() <= threads
            began = time.monotonic()
            await asyncio.to_thread(cancel, ground.database, tenant.tenant_id, job)
            await asyncio.gather(*map(end_of, streams))
            assert time.monotonic() - began < 20
            assert threading.active_count() <= threads + 1  # the one that has cancelled

    asyncio.run(watch())


def test_a_database_that_is_away_ends_no_stream_and_hides_nothing(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model).id
    looks = []

    def fail(*_: Any) -> None:
        looks.append(1)
        raise OperationalError("", {}, Exception("away"))

    async def watch() -> None:
        async with serving(ground) as port:
            stream = await follow(port, tenant, f"/v1/jobs/{job}/events")
            event.listen(ground.database.engine, "before_cursor_execute", fail)
            while len(looks) < 2:
                await asyncio.sleep(0.05)
            event.remove(ground.database.engine, "before_cursor_execute", fail)
            await asyncio.to_thread(cancel, ground.database, tenant.tenant_id, job)
            assert b"job.cancelled" in await end_of(stream)

    asyncio.run(watch())


@pytest.mark.parametrize("tenants", [1, 300])
def test_tenants_are_looked_at_together(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, tenants: int
) -> None:
    job = submit_items(ground, tenant, digits_model).id
    after = {f"ten_{number}": 0 for number in range(tenants)} | {tenant.tenant_id: 1}
    with selects_of(ground) as seen, ground.database.read() as session:
        (found,) = look(session, after, [job], tenants=list(after))
    assert found.id == job
    assert len(seen) == 1
