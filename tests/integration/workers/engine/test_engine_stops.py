"""An engine that must end, and how many shards it holds."""

import dataclasses
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import update

from jobs.base.bootstrap import Ground
from jobs.base.states import ShardState
from jobs.tables import Job, ModelVersion, Tenant
from jobs.tenants.keys import NewKey, create_key
from models.runtime.network import ImageNetwork, Network, VideoNetwork
from tests.integration.jobs.builders import claim_one
from tests.integration.jobs.checks import check_job, read_job, shards_of
from tests.integration.workers.conftest import with_
from tests.integration.workers.engine.running import PARAMS, Moody, NewEngine
from tests.integration.workers.fakes import picture, submit_contents
from tests.integration.workers.galleries.test_opened_pictures import ask, opened
from workers.engine.shard import ShardRun


def test_an_engine_that_was_told_to_stop_claims_nothing_more(
    ground: Ground, tenant: NewKey, digits: ModelVersion, new_engine: NewEngine
) -> None:
    job = submit_contents(ground, tenant, digits, [picture(1)], params=PARAMS)
    engine = new_engine()
    engine.stop()
    assert engine.has_work()
    assert engine.drain() == 0
    assert shards_of(ground, job.id)[0].fence == 0


def test_an_engine_that_is_drained_finishes_its_shard_and_claims_again_when_it_may(
    ground: Ground, tenant: NewKey, digits: ModelVersion, new_engine: NewEngine
) -> None:
    jobs = [
        submit_contents(ground, tenant, digits, [picture(seed)], params=PARAMS) for seed in (1, 2)
    ]
    answers = iter([True, False])
    engine = new_engine(may_claim=lambda: next(answers, False))
    # It is drained while its first shard is in flight: that one is finished, the next not begun.
    assert engine.drain() == 1
    assert [read_job(ground, job.id).completed for job in jobs].count(1) == 1
    assert not engine.has_work()
    assert engine.drain() == 0
    answers = iter([True] * 100)
    assert engine.has_work()
    assert engine.drain() == 1
    for job in jobs:
        assert check_job(ground, job.id).completed == 1


@pytest.mark.parametrize("at", ["get", "ranges", "create", "open"])
def test_a_shard_that_waits_for_the_store_is_handed_back_when_the_process_must_end(
    ground: Ground, tenant: NewKey, digits: ModelVersion, new_engine: NewEngine, at: str
) -> None:
    job = submit_contents(ground, tenant, digits, [picture(1)], params=PARAMS)
    moody = Moody(ground.storage.url, times=0)
    moody.left[at] = 10_000
    engine = new_engine(with_(ground, moody, grace_s=0))
    working = threading.Thread(target=engine.drain)
    working.start()
    while moody.left[at] == 10_000:
        assert working.is_alive()
    engine.stop()
    working.join(20)
    assert not working.is_alive()
    (shard,) = shards_of(ground, job.id)
    assert shard.state is ShardState.PENDING
    assert (shard.deaths, shard.expiries, shard.errors) == (0, 0, 0)
    check_job(ground, job.id)


def test_no_more_shards_are_in_flight_than_were_asked_for_but_short_ones_and_newcomers(
    ground: Ground, tenant: NewKey, digits: ModelVersion, new_engine: NewEngine
) -> None:
    long = submit_slow(ground, tenant, digits)
    engine = new_engine(with_(ground, shards_in_flight=1))
    # Another shard of the same tenant is at the one place.
    place = engine._places.take()
    assert place is not None
    engine._keeper.hold(ShardRun(engine._stages, claim_one(ground)))
    later = submit_slow(ground, tenant, digits)
    assert engine.drain() == 0
    other = create_key(ground.database, "other")
    theirs = [
        submit_contents(ground, other, digits, [picture(2)], params=PARAMS),
        submit_slow(ground, other, digits),
    ]
    with ground.database.write() as session:
        in_use = update(Tenant).where(Tenant.id == tenant.tenant_id)
        session.execute(in_use.values(share=Tenant.share + 1))
    assert engine.drain() == 1, "a short one, by the place for it"
    assert engine.drain() == 1, "a long one, by a place for newcomers"
    assert all(read_job(ground, job.id).pending_shards == 0 for job in theirs)
    assert read_job(ground, later.id).pending_shards == 1
    engine._places.leave(place)
    assert engine.drain() == 1
    assert read_job(ground, long.id).pending_shards == 0


def submit_slow(ground: Ground, key: NewKey, digits: ModelVersion) -> Job:
    """Submit a job that is known to be so slow that its next shard is not short."""
    job = submit_contents(ground, key, digits, [picture(1)] * 3, params=PARAMS)
    with ground.database.write() as session:
        slow = update(Job).where(Job.id == job.id)
        session.execute(slow.values(total=4, completed=1, device_s=1.0))
    return job


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_shards_are_run_while_pictures_that_somebody_opened_are_made(
    ground: Ground,
    tenant: NewKey,
    digits: ModelVersion,
    new_engine: NewEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = submit_contents(ground, tenant, digits, [picture(1)], params=PARAMS)
    ask(ground, job)
    engine, begun, goes_on = new_engine(), threading.Event(), threading.Event()
    make_next = engine._galleries.make_next

    def make_late(stops: Callable[[], bool]) -> bool:
        begun.set()
        assert goes_on.wait(20)
        return make_next(stops)

    monkeypatch.setattr(engine._galleries, "make_next", make_late)
    try:
        assert engine.drain() == 1
        assert begun.wait(20)
        ask(ground, job)
    finally:
        goes_on.set()
    engine._galleries.close()
    assert opened(ground, job, 0).format == "JPEG"


def test_a_long_video_gives_way_to_a_suspect_and_is_handed_back(
    ground: Ground, tenant: NewKey, digits: ModelVersion, new_engine: NewEngine
) -> None:
    submit_contents(ground, tenant, digits, [picture(1)], params=PARAMS)
    engine, lease = new_engine(), claim_one(ground)
    video, pictures = ShardRun(engine._stages, lease), ShardRun(engine._stages, lease)
    begun = threading.Barrier(3)

    def hold(run: ShardRun, network: Network) -> None:
        with engine._turn(run, network):
            begun.wait(20)
            if run is video:
                assert run.stopped.wait(20)

    with ThreadPoolExecutor(2) as others:
        others.submit(hold, video, VideoNetwork.__new__(VideoNetwork))
        others.submit(hold, pictures, ImageNetwork.__new__(ImageNetwork))
        begun.wait(20)
        suspect = ShardRun(engine._stages, dataclasses.replace(lease, deaths=1))
        with engine._turn(suspect):
            assert engine._quiet.is_wanted_alone
    assert (video.why, pictures.why, suspect.why) == ("hand_back", None, None)


def test_no_version_is_tried_out_beside_a_suspect(
    ground: Ground, tenant: NewKey, new_engine: NewEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, tried = new_engine(), list[None]()
    monkeypatch.setattr(engine._validator, "validate_next", lambda: bool(tried.append(None)))
    with engine._quiet.alone(threading.Event()):
        engine.drain()
    assert not tried
    engine.drain()
    assert tried
