"""The awaited client: the same calls, several at once, while the caller's loop goes on."""

import asyncio
import threading

import pytest

from pixelmill import AsyncClient, NotFound, WaitTimeout

JOB, RESULTS = "/v1/jobs/job_1", "/v1/jobs/job_1/results"


@pytest.fixture
def awaiting(server, pauses):
    """Give what runs a coroutine that takes the client."""

    def run(work):
        async def opened():
            async with AsyncClient(server.url, "key", sleep=pauses.append) as client:
                return await work(client)

        return asyncio.run(opened())

    return run


def test_a_job_is_submitted_awaited_and_read(server, awaiting, say):
    over = say.job(status="completed", completed=10, outcome="succeeded")
    server.on("POST", "/v1/jobs", say.job())
    server.on("GET", JOB, say.job(completed=4), over)
    rows = [say.page([say.result(0)], "c1", has_more=True), say.page([say.result(1)], "c2")]
    server.on("GET", RESULTS, *rows)

    async def work(client):
        job = await client.submit(["https://a.example/1.jpg"], model="digits")
        job = await client.wait(job)
        return job.outcome, [row.index async for row in client.results(job)]

    assert awaiting(work) == ("succeeded", [0, 1])
    assert server.to("POST", "/v1/jobs")[0].headers["idempotency-key"]


def test_results_that_are_followed_come_before_the_job_is_over(server, awaiting, say):
    seen_first = threading.Event()

    def when_read(_):
        assert seen_first.wait(10)
        return say.job(status="completed", completed=2, outcome="succeeded")

    server.on("GET", JOB, say.job(), when_read)
    server.on("GET", RESULTS, say.page([say.result(0)], "c1"), say.page([say.result(1)], "c2"))

    async def work(client):
        found = []
        async for row in client.results("job_1", follow=True):
            found.append(row.index)
            seen_first.set()
        return found

    assert awaiting(work) == [0, 1]


def test_calls_run_beside_each_other_and_the_loop_goes_on(server, awaiting, say):
    all_there = threading.Barrier(8)

    def together(_):
        all_there.wait(10)
        return say.job()

    server.on("GET", JOB, together)

    async def work(client):
        return await asyncio.gather(*(client.job("job_1") for _ in range(8)))

    assert [job.id for job in awaiting(work)] == ["job_1"] * 8


def test_many_who_wait_keep_no_call_from_being_made(server, awaiting, say):
    enough = threading.Event()

    def held(seen):
        if "prefer" in seen.headers:
            assert enough.wait(10)
            return say.job(status="completed", completed=10)
        return say.job()

    server.on("GET", JOB, held)
    server.on("POST", f"{JOB}/cancel", say.job())

    async def work(client):
        waiting = [asyncio.create_task(client.wait("job_1")) for _ in range(60)]
        while sum("prefer" in seen.headers for seen in list(server.seen)) < 40:
            await asyncio.sleep(0.01)
        async with asyncio.timeout(5):
            cancelled = await client.cancel("job_1")
        enough.set()
        return cancelled, await asyncio.gather(*waiting)

    cancelled, waited = awaiting(work)
    assert cancelled.id == "job_1"
    assert {job.status for job in waited} == {"completed"}


def test_a_submission_that_is_cancelled_sends_nothing_more(server, awaiting, say, tmp_path):
    (tmp_path / "0.png").write_bytes(b"picture")
    begun, cancelled, over = threading.Event(), threading.Event(), threading.Event()
    server.on("POST", "/v1/files", say.answer(201, {"id": "file_1"}))
    server.on("POST", "/v1/jobs", say.job())

    def hold(_):
        begun.set()
        assert cancelled.wait(10)

    def submit(other):
        try:
            return other.submit(tmp_path, model="digits", on_upload=hold)
        finally:
            over.set()

    async def work(client):
        submitting = asyncio.create_task(client.call(submit))
        assert await asyncio.to_thread(begun.wait, 10)
        submitting.cancel()
        await asyncio.wait([submitting])
        cancelled.set()
        assert await asyncio.to_thread(over.wait, 10)
        return submitting.cancelled()

    assert awaiting(work)
    assert not server.to("POST", "/v1/jobs")


def test_errors_are_those_of_the_other_client(server, awaiting, say):
    server.on("GET", JOB, say.job())

    with pytest.raises(NotFound):
        awaiting(lambda client: client.job("job_2"))
    with pytest.raises(WaitTimeout):
        awaiting(lambda client: client.wait("job_1", timeout=0))


def test_what_has_no_name_is_done_by_call(server, awaiting, say):
    server.on("GET", "/v1/models", say.page([]))
    assert awaiting(lambda client: client.call(lambda other: other.models())) == []


def test_jobs_are_listed_over_pages(server, awaiting, say):
    raw = [say.job(id=f"job_{number}").body for number in range(3)]
    first, second = say.page(raw[:2], "job_1", has_more=True), say.page(raw[2:], "job_2")
    server.on("GET", "/v1/jobs", first, second)

    async def work(client):
        return [job.id async for job in client.jobs(status="completed")]

    assert awaiting(work) == ["job_0", "job_1", "job_2"]
    assert server.seen[0].query["status"] == "completed"
