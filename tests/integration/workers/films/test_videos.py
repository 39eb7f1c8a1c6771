"""One video's way through the stages: windows, batches, faults."""

import dataclasses
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from jobs.base.bootstrap import Ground
from jobs.base.states import ItemStatus, ShardState
from jobs.inputs.requests import Request
from jobs.queue.completion import cancel
from jobs.queue.scheduling import ShardLease
from jobs.tables import Job, ModelVersion
from jobs.tenants.keys import NewKey
from models.records.record import Limits
from tests.integration.jobs.builders import claim_one, submit_items
from tests.integration.jobs.checks import check_job, shards_of
from tests.integration.workers.engine.test_shards import Told, manifest_of
from tests.integration.workers.fakes import rows_of_job, submit_contents
from tests.integration.workers.films.fake_videos import PARAMS, FakeVideoNetwork, clips_of
from tests.videos import film, grey, levels, movie
from workers.egress import EgressError
from workers.engine.decoding.threads import DecodeThreads
from workers.engine.holding.keeper import Keeper
from workers.engine.shard import ShardRun
from workers.engine.stages import Stages
from workers.engine.videos.run import _SLICE_S
from workers.walls.films import Film, FilmDecoders
from workers.walls.processes import ForkServer

# What a database does differently is tested with the room that asks it, in integration/jobs.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

NewStages = Callable[..., Stages]

# Frames of a film, and its windows of four.
COUNT, WINDOWS = 400, 100


def submit_films(
    ground: Ground, tenant: NewKey, model: ModelVersion, films: Sequence[bytes], **params: Any
) -> Job:
    return submit_contents(ground, tenant, model, films, params={**PARAMS, **params})


def run_with(stages: Stages, network: FakeVideoNetwork, lease: ShardLease | None = None) -> bool:
    lease = lease or claim_one(stages.ground)
    return ShardRun(stages, lease).run(network, manifest_of(stages.ground, lease))


def clips_of_job(ground: Ground, job: Job) -> list[Any]:
    """Give each item's clips, or the code of its error."""
    return [
        row.predictions[0]["clips"] if row.predictions else row.error and row.error.code
        for row in rows_of_job(ground, job)
    ]


def checkpoints_of(ground: Ground, job: Job) -> list[str]:
    return list(ground.storage.list(f"jobs/{job.id}/checkpoints"))


def test_results_come_in_the_order_of_the_videos_and_bad_ones_cost_themselves(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    films = [
        film(40),
        b"#EXTM3U\nhttp://127.0.0.1:1/x.ts\n",
        film(3),
        movie([]),
        movie([grey(1)], width=65_535, height=65_535),
        film(30)[:300],
        film(9),
    ]
    job = submit_films(ground, tenant, digits_model, films)
    assert run_with(new_stages(), FakeVideoNetwork())
    assert clips_of_job(ground, job) == [
        clips_of(levels(40), 4, 4, carries=True),
        "unsupported_media",
        clips_of(levels(3), 4, 4, carries=True),
        "video_decode_failed",
        "video_too_large",
        "video_decode_failed",
        clips_of(levels(9), 4, 4, carries=True),
    ]
    assert check_job(ground, job.id).request_counts["failed"] == 4


def test_a_video_whose_answers_would_fill_the_memory_costs_itself(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    # So many classes of a window that the third window is too many.
    network, top_k = FakeVideoNetwork(), 500_000
    network.record = dataclasses.replace(network.record, labels=("a",) * top_k)
    job = submit_films(ground, tenant, digits_model, [film(12), film(8)], top_k=top_k)
    assert run_with(new_stages(), network)
    assert clips_of_job(ground, job) == ["video_too_large", clips_of(levels(8), 4, 4, carries=True)]
    (error, _) = [row.error for row in rows_of_job(ground, job)]
    assert error is not None
    assert "more than 2 windows" in error.message


def test_a_truncated_video_succeeds_with_a_warning(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    data = film(100)
    job = submit_films(ground, tenant, digits_model, [data[: len(data) * 6 // 10]])
    assert run_with(new_stages(), FakeVideoNetwork())
    (row,) = rows_of_job(ground, job)
    assert row.status is ItemStatus.SUCCEEDED
    (warning,) = row.warnings
    assert warning.code == "video_damaged"
    assert "frames of 100 could be decoded" in warning.message


def test_windows_of_several_videos_share_a_batch_and_decode_beside_the_device(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    begun, both_wait = threading.Event(), threading.Event()

    def first(seen: list[list[int]]) -> None:
        # While the first window is on the device, those of the other jobs come to wait.
        if len(network.batches) == 1:
            begun.set()
            assert both_wait.wait(20)

    network = FakeVideoNetwork(on_forward=first)
    stages = new_stages()
    jobs = [submit_films(ground, tenant, digits_model, [film(40)]) for _ in range(3)]
    threads = [
        threading.Thread(target=run_with, args=(stages, network, claim_one(ground))) for _ in jobs
    ]
    threads[0].start()
    assert begun.wait(20)
    for thread in threads[1:]:
        thread.start()
    _await(lambda: sum(map(len, stages.batcher._waiting.values())) == 2)
    both_wait.set()
    for thread in threads:
        thread.join(60)
    assert max(map(len, network.batches)) >= 2
    expected = clips_of(levels(40), 4, 4, carries=True)
    assert [clips_of_job(ground, job) for job in jobs] == [[expected]] * 3


def _await(condition: Callable[[], bool]) -> None:
    ticker = threading.Event()
    for _ in range(2000):
        if condition():
            return
        ticker.wait(0.01)
    raise AssertionError("waited in vain")


@pytest.fixture
def outside() -> Any:
    class Outside:
        def stream(
            self, url: str, max_bytes: int, timeout_s: float, stopped: threading.Event
        ) -> Iterator[bytes]:
            assert (max_bytes, timeout_s) == (64_000_000, 600)
            data = film(20)
            yield data[:1000]
            if url.endswith("broken"):
                raise EgressError("It broke off.", code="url_fetch_failed", retryable=True)
            yield data[1000:]

    return Outside()


def test_a_video_is_fetched_by_its_url(
    ground: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    new_stages: NewStages,
    outside: Any,
) -> None:
    requests = tuple(Request(name, url=f"https://example.com/{name}") for name in ("a", "broken"))
    job = submit_items(ground, tenant, digits_model, requests=requests, params=PARAMS)
    assert run_with(new_stages(outside=outside), FakeVideoNetwork())
    expected = clips_of(levels(20), 4, 4, carries=True)
    assert clips_of_job(ground, job) == [expected, "url_fetch_failed"]
    assert rows_of_job(ground, job)[1].error.retryable


def test_a_video_of_more_bytes_than_the_model_takes_is_not_even_read(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    network = FakeVideoNetwork(limits=Limits(max_bytes=5000))
    job = submit_films(ground, tenant, digits_model, [film(3), film(300), film(3)])
    assert run_with(new_stages(), network)
    answers = clips_of_job(ground, job)
    assert answers[1] == "video_too_large"
    assert [type(answer) for answer in answers] == [list, str, list]


def test_a_failing_network_costs_its_video(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    def fail(seen: list[list[int]]) -> None:
        if [8, 16, 24, 32] in seen:
            raise ValueError("not this one")

    pictures = [grey(level) for level in levels(30)]
    films = [film(30), movie(pictures[1:]), film(30)]
    job = submit_films(ground, tenant, digits_model, films)
    assert run_with(new_stages(), FakeVideoNetwork(on_forward=fail))
    expected = clips_of(levels(30), 4, 4, carries=True)
    assert clips_of_job(ground, job) == [expected, "inference_failed", expected]
    assert "not this one" in rows_of_job(ground, job)[1].error.message


def test_a_cancel_stops_within_a_step_and_keeps_what_is_done(
    ground: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    new_stages: NewStages,
    fork_server: ForkServer,
) -> None:
    long, frames = film(4000), levels(4000)
    short_ones_opened = threading.Semaphore(0)

    class LongOneLast(FilmDecoders):
        """The third of the short films is opened when the first two are done: two run at a time."""

        def open(self, file: Any, size: int, *more: Any) -> Film:
            if size == len(long):
                assert all(short_ones_opened.acquire(timeout=20) for _ in range(3))
            else:
                short_ones_opened.release()
            return super().open(file, size, *more)

    stages = new_stages(films=LongOneLast(fork_server, 2**31))
    job = submit_films(ground, tenant, digits_model, [film(4), film(4), long, film(4)])
    lease = claim_one(ground)
    run, steps_when_told = Told(stages, lease), []

    def end_the_job(seen: list[list[int]]) -> None:
        if seen == [frames[12:16]]:
            cancel(ground.database, tenant.tenant_id, job.id)
            assert run.told.wait(20)
            steps_when_told.append(network.steps)

    network = FakeVideoNetwork(on_forward=end_the_job, max_batch=1)
    keeper = Keeper(ground.database, "node-1", ground.settings)
    keeper.hold(run)
    assert run.run(network, manifest_of(ground, lease))
    keeper.release(run)
    keeper.close()
    assert steps_when_told == [network.steps]
    statuses = [row.status for row in rows_of_job(ground, job)]
    assert statuses[:3] == [ItemStatus.SUCCEEDED, ItemStatus.SUCCEEDED, ItemStatus.CANCELLED]
    check_job(ground, job.id)
    assert checkpoints_of(ground, job) == []


@pytest.mark.parametrize("deaths", [1, 2])
def test_a_film_goes_on_in_a_second_process_where_the_first_one_died(
    ground: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    new_stages: NewStages,
    fork_server: ForkServer,
    deaths: int,
) -> None:
    class Mortal(FilmDecoders):
        opened = 0

        def open(self, *what: Any) -> Film:
            film = super().open(*what)
            self.opened += 1
            if self.opened <= deaths:
                os.kill(film.pid, signal.SIGKILL)
            return film

    films = Mortal(fork_server, 2**31)
    job = submit_films(ground, tenant, digits_model, [film(30)], window=4, overlap=0)
    assert run_with(new_stages(films=films), FakeVideoNetwork())
    (answer,) = clips_of_job(ground, job)
    assert answer == (
        clips_of(levels(30), 4, 4, carries=True) if deaths == 1 else "decoder_crashed"
    )


def test_a_video_lets_others_decode_on_its_way_to_the_next_window(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    others_turn, came_in_between = threading.Event(), []

    class Waiting(FakeVideoNetwork):
        def prepare_frame(self, pixels: Any) -> Any:
            if not came_in_between:
                decoders.of(-1).submit(others_turn.set)
            came_in_between.append(others_turn.wait(_SLICE_S))
            return super().prepare_frame(pixels)

    submit_films(ground, tenant, digits_model, [film(3)])
    decoders = DecodeThreads(shards=1, each=1)
    stages = dataclasses.replace(new_stages(), decoders=decoders)
    assert run_with(stages, Waiting())
    decoders.shutdown()
    assert came_in_between == [False, True, True]


def run_until_stopped(
    stages: Stages, lease: ShardLease, network: FakeVideoNetwork, steps: int, why: str
) -> None:
    run = ShardRun(stages, lease)

    def stop(_: list[list[int]]) -> None:
        if network.steps == steps:
            run.stop(why)

    network._on_forward = stop
    assert not run.run(network, manifest_of(stages.ground, lease))


def test_a_lost_shard_commits_nothing_of_its_videos(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    job = submit_films(ground, tenant, digits_model, [film(COUNT)])
    run_until_stopped(new_stages(), claim_one(ground), FakeVideoNetwork(), 5, "lost")
    assert list(ground.storage.list(f"jobs/{job.id}/segments")) == []
    (shard,) = shards_of(ground, job.id)
    assert shard.state is ShardState.LEASED
