"""A video whose worker stopped or died goes on where it was."""

import hashlib
from typing import Any

import pytest

from jobs.base.bootstrap import Ground
from jobs.base.storage import Storage, StorageError
from jobs.queue.shard_leases import expire
from jobs.tables import Job, ModelVersion
from jobs.tenants.keys import NewKey
from tests.integration.jobs.builders import claim_one
from tests.integration.jobs.checks import check_job
from tests.integration.workers.conftest import with_
from tests.integration.workers.fakes import rows_of_job
from tests.integration.workers.films.fake_videos import FakeVideoNetwork, clips_of
from tests.integration.workers.films.test_videos import (
    COUNT,
    WINDOWS,
    NewStages,
    checkpoints_of,
    clips_of_job,
    run_until_stopped,
    run_with,
    submit_films,
)
from tests.videos import film, levels
from workers.engine.stages import Stages

# What a database does differently is tested with the room that asks it, in integration/jobs.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def ground_with_checkpoints(ground: Ground) -> Ground:
    return with_(ground, checkpoint_s=1e-6)


@pytest.mark.parametrize("carries", [True, False])
@pytest.mark.parametrize("overlap", [0, 3])
@pytest.mark.parametrize("why", ["hand_back", "lost"])
def test_the_next_attempt_goes_on_where_a_video_was_left(
    ground_with_checkpoints: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    new_stages: NewStages,
    carries: bool,
    overlap: int,
    why: str,
) -> None:
    ground = ground_with_checkpoints
    data, stride = film(COUNT), 4 - overlap
    expected = clips_of(levels(COUNT), 4, stride, carries=carries)
    job = submit_films(ground, tenant, digits_model, [data], overlap=overlap)
    first, second = FakeVideoNetwork(carries=carries), FakeVideoNetwork(carries=carries)
    stages = new_stages(on=ground)
    lease = claim_one(ground, lease_s=-1 if why == "lost" else 30)
    run_until_stopped(stages, lease, first, len(expected) // 2, why)
    if why == "lost":
        expire(ground.database)
    assert len(checkpoints_of(ground, job)) == 1
    assert run_with(stages, second)
    assert clips_of_job(ground, job) == [expected]
    assert first.steps + second.steps <= len(expected) + 1
    assert second.steps <= len(expected) - len(expected) // 2 + 1
    assert checkpoints_of(ground, job) == []
    assert check_job(ground, job.id).completed == 1


def left_in_the_middle(
    ground: Ground, tenant: NewKey, model: ModelVersion, stages: Stages, **params: Any
) -> Job:
    job = submit_films(ground, tenant, model, [film(COUNT)], **params)
    run_until_stopped(stages, claim_one(ground), FakeVideoNetwork(), WINDOWS // 2, "hand_back")
    assert len(checkpoints_of(ground, job)) == 1
    return job


def replace(ground: Ground, name: str, data: bytes, new_name: str = "") -> None:
    ground.storage.delete([name])
    ground.storage.put(new_name or name, [data])


@pytest.mark.parametrize("harm", ["flipped", "cut", "empty", "renamed", "no safetensors"])
def test_a_damaged_checkpoint_is_left_aside(
    ground_with_checkpoints: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    new_stages: NewStages,
    harm: str,
) -> None:
    ground, stages = ground_with_checkpoints, new_stages(on=ground_with_checkpoints)
    job = left_in_the_middle(ground, tenant, digits_model, stages)
    (name,) = checkpoints_of(ground, job)
    data = ground.storage.get(name)
    digest = name.rpartition("-")[2].removesuffix(".safetensors")
    match harm:
        case "flipped":
            replace(ground, name, data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
        case "cut":
            replace(ground, name, data[: len(data) // 2])
        case "empty":
            replace(ground, name, b"")
        case "renamed":
            replace(ground, name, data, name.replace(digest, "0" * 64))
        case "no safetensors":
            junk = b"\x10\0\0\0\0\0\0\0not a header at all"
            replace(ground, name, junk, name.replace(digest, hashlib.sha256(junk).hexdigest()))
    network = FakeVideoNetwork()
    assert run_with(stages, network)
    assert network.steps == WINDOWS, "from the beginning"
    assert clips_of_job(ground, job) == [clips_of(levels(COUNT), 4, 4, carries=True)]
    assert checkpoints_of(ground, job) == []


def test_a_checkpoint_of_another_input_or_other_parameters_does_not_count(
    ground_with_checkpoints: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    new_stages: NewStages,
) -> None:
    ground, stages = ground_with_checkpoints, new_stages(on=ground_with_checkpoints)
    job = left_in_the_middle(ground, tenant, digits_model, stages)
    (name,) = checkpoints_of(ground, job)
    data = ground.storage.get(name)
    others = [
        submit_films(ground, tenant, digits_model, [film(COUNT)], window=5),
        submit_films(ground, tenant, digits_model, [film(COUNT - 1)]),
    ]
    for other in others:
        ground.storage.put(name.replace(job.id, other.id), [data])
    steps = []
    for _ in range(3):
        network = FakeVideoNetwork()
        assert run_with(stages, network)
        steps.append(network.steps)
    assert sorted(steps) == [WINDOWS // 2, COUNT // 5, WINDOWS]
    assert clips_of_job(ground, others[0]) == [clips_of(levels(COUNT), 5, 5, carries=True)]
    assert clips_of_job(ground, others[1]) == [clips_of(levels(COUNT - 1), 4, 4, carries=True)]


def test_a_video_that_was_over_is_not_run_again_with_its_shard(
    ground_with_checkpoints: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    new_stages: NewStages,
) -> None:
    ground, stages = ground_with_checkpoints, new_stages(on=ground_with_checkpoints)
    data = film(100)
    films = [data[: len(data) * 6 // 10], film(4000)]
    job = submit_films(ground, tenant, digits_model, films)
    first = FakeVideoNetwork(max_batch=1)
    run_until_stopped(stages, claim_one(ground), first, 200, "hand_back")
    assert len(checkpoints_of(ground, job)) == 2
    second = FakeVideoNetwork(max_batch=1)
    assert run_with(stages, second)
    assert first.steps + second.steps <= 1017
    rows = rows_of_job(ground, job)
    assert [len(row.predictions[0]["clips"]) for row in rows] == [15, 1000]
    assert rows[0].warnings[0].code == "video_damaged"


def test_a_store_that_takes_no_checkpoint_costs_nothing_but_the_place(
    ground_with_checkpoints: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    new_stages: NewStages,
) -> None:
    class Full(Storage):
        def put(self, name: str, chunks: Any) -> None:
            if "checkpoints" in name:
                raise StorageError("full")
            super().put(name, chunks)

    ground = with_(ground_with_checkpoints, Full(ground_with_checkpoints.storage.url))
    job = submit_films(ground, tenant, digits_model, [film(COUNT)])
    assert run_with(new_stages(on=ground), FakeVideoNetwork())
    assert clips_of_job(ground, job) == [clips_of(levels(COUNT), 4, 4, carries=True)]


def test_a_checkpoint_that_could_not_be_deleted_goes_with_a_later_one(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    class Kept(Storage):
        failures = 3

        def delete(self, names: Any) -> None:
            names = list(names)
            if names and self.failures:
                self.failures -= 1
                raise StorageError("away")
            super().delete(names)

    storage = Kept(ground.storage.url)
    job = submit_films(ground, tenant, digits_model, [film(20)])
    stages = new_stages(with_(ground, storage, checkpoint_s=1e-6))
    assert run_with(stages, FakeVideoNetwork())
    assert storage.failures == 0
    assert checkpoints_of(ground, job) == []


def test_a_short_video_leaves_no_checkpoint(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    class NoCheckpoints(Storage):
        def put(self, name: str, chunks: Any) -> None:
            assert "checkpoints" not in name
            super().put(name, chunks)

    here = with_(ground, NoCheckpoints(ground.storage.url))
    submit_films(ground, tenant, digits_model, [film(COUNT)])
    assert run_with(new_stages(on=here), FakeVideoNetwork())
