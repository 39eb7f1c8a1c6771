"""The engine with the shipped digits network: from submission to results, as a worker runs it."""

import dataclasses
import hashlib
import threading

import pytest
import torch
from sqlalchemy import select, update

from jobs.base.bootstrap import Ground
from jobs.base.states import JobStatus, Outcome, ShardState
from jobs.queue.quarantine import Suspect
from jobs.queue.shard_leases import take_back
from jobs.tables import ModelVersion, Shard
from jobs.tenants.keys import NewKey
from jobs.versions.registry import register
from models.catalog import shipped_weights
from models.runtime.network import Network
from tests.integration.jobs.builders import claim_one
from tests.integration.jobs.checks import check_job, read_job, shards_of
from tests.integration.workers.conftest import with_
from tests.integration.workers.engine.running import PARAMS, Moody, NewEngine
from tests.integration.workers.fakes import answers_of, picture, rows_of_job, submit_contents
from workers.engine.device.loading import load_version


def directly(network: Network, content: bytes) -> list[tuple[str, float]]:
    outputs = network.forward([network.prepare(content)])
    (answer,) = network.postprocess(outputs, PARAMS)
    return [(each["class"], each["confidence"]) for each in answer]


@pytest.mark.parametrize(
    ("precision", "expected"), [("float32", None), ("bfloat16", torch.bfloat16)]
)
def test_networks_compute_in_the_precision_of_the_settings(
    ground: Ground, digits: ModelVersion, precision: str, expected: torch.dtype | None
) -> None:
    network = load_version(
        with_(ground, precision=precision), digits, "cpu", lambda _: None, Network.warm_up
    )
    assert network.autocast is expected


def test_results_are_those_of_the_network_run_directly_item_by_item(
    ground: Ground, tenant: NewKey, digits: ModelVersion, network: Network, new_engine: NewEngine
) -> None:
    contents = [picture(seed) for seed in range(150)]
    job = submit_contents(ground, tenant, digits, contents, params=PARAMS)
    assert new_engine().drain() == len(shards_of(ground, job.id))
    done = check_job(ground, job.id)
    assert (done.status, done.outcome) == (JobStatus.COMPLETED, Outcome.SUCCEEDED)
    rows = rows_of_job(ground, job)
    assert [row.custom_id for row in rows] == [f"n{index}" for index in range(150)]
    for row, content in zip(rows, contents, strict=True):
        expected = directly(network, content)
        assert row.predictions is not None
        assert [each["class"] for each in row.predictions] == [name for name, _ in expected]
        found = [each["confidence"] for each in row.predictions]
        assert found == pytest.approx([share for _, share in expected], abs=1e-5)
        assert row.attempts == 1
        assert row.input_sha256


def test_one_bad_image_costs_one_item(
    ground: Ground, tenant: NewKey, digits: ModelVersion, new_engine: NewEngine
) -> None:
    contents = [picture(seed) for seed in range(64)]
    contents[5], contents[40], contents[63] = b"no image", contents[0][:60], b""
    job = submit_contents(ground, tenant, digits, contents, params=PARAMS)
    new_engine().drain()
    done = check_job(ground, job.id)
    assert (done.completed, done.failed, done.outcome) == (61, 3, Outcome.PARTIAL)
    rows = rows_of_job(ground, job)
    codes = {row.index: row.error.code for row in rows if row.error}
    assert codes == {
        5: "unsupported_media",
        40: "image_decode_failed",
        63: "image_decode_failed",
    }
    hashes = [hashlib.sha256(content).hexdigest() for content in contents]
    assert [row.input_sha256 for row in rows] == [hashes[row.index] for row in rows]


def test_several_threads_drain_one_queue_together(
    ground: Ground, tenant: NewKey, digits: ModelVersion, new_engine: NewEngine
) -> None:
    jobs = [
        submit_contents(
            ground, tenant, digits, [picture(seed) for seed in range(96)], params=params
        )
        for params in (PARAMS, PARAMS, {**PARAMS, "top_k": 1})
    ]
    engine = new_engine()
    threads = [threading.Thread(target=engine.drain) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    engine.drain()
    for job in jobs:
        assert check_job(ground, job.id).completed == 96
    assert {len(row.predictions or []) for row in rows_of_job(ground, jobs[2])} == {1}


def test_equal_weights_under_two_names_answer_each_with_its_own_labels(
    ground: Ground, tenant: NewKey, digits: ModelVersion, new_engine: NewEngine
) -> None:
    words = "null eins zwei drei vier fünf sechs sieben acht neun".split()  # noqa: SIM905
    german = register(
        ground.database,
        ground.storage,
        "ziffern",
        {**digits.record, "name": "ziffern", "labels": words},
        shipped_weights("digits").read_bytes(),
        digits.digest,
    )
    contents = [picture(seed) for seed in range(10)]
    jobs = [
        submit_contents(ground, tenant, model, contents, params=PARAMS)
        for model in (digits, german)
    ]
    new_engine().drain()
    english, deutsch = (answers_of(ground, job) for job in jobs)
    assert [words[int(answer or 0)] for answer in english] == deutsch


def test_an_item_that_crashed_two_processes_is_errored_and_not_run_again(
    ground: Ground, tenant: NewKey, digits: ModelVersion, new_engine: NewEngine
) -> None:
    job = submit_contents(ground, tenant, digits, [picture(1), picture(2)], params=PARAMS)
    shard = claim_one(ground).shard_id
    take_back(ground.database, "node-1", crashed=True, suspects=[Suspect(shard, 1, 1)])
    leases = [claim_one(ground), claim_one(ground)]
    (again,) = (lease.shard_id for lease in leases if lease.first == 1)
    take_back(ground.database, "node-1", crashed=True, suspects=[Suspect(again, 1, 1)])
    new_engine().drain()
    assert check_job(ground, job.id).failed == 1
    assert answers_of(ground, job)[1] == "worker_crashed"


def test_a_process_takes_back_what_the_flight_record_of_its_predecessor_names(
    ground: Ground, tenant: NewKey, digits: ModelVersion, new_engine: NewEngine
) -> None:
    job = submit_contents(ground, tenant, digits, [picture(seed) for seed in range(9)])
    lease = claim_one(ground, "node-1")
    dying = new_engine()
    with dying._flight.flying(Suspect(lease.shard_id, 4, 1)):
        after = new_engine(predecessor_crashed=True)
        after.take_back()
    parts = [
        (shard.first, shard.count, shard.deaths)
        for shard in shards_of(ground, job.id)
        if shard.state is ShardState.PENDING
    ]
    assert parts == [(0, 4, 0), (4, 1, 1), (5, 4, 0)]


def without_pauses(ground: Ground) -> None:
    with ground.database.write() as session:
        session.execute(update(Shard).values(not_before=0.0))


def test_a_shard_that_cannot_be_run_is_tried_some_times_and_then_its_items_are_errored(
    ground: Ground, tenant: NewKey, digits: ModelVersion, new_engine: NewEngine
) -> None:
    ground.storage.delete([digits.weights])
    job = submit_contents(ground, tenant, digits, [picture(1)] * 3, params=PARAMS)
    engine = new_engine()
    for _ in range(ground.settings.max_attempts):
        assert engine.drain() == 1
        without_pauses(ground)
    assert answers_of(ground, job) == ["internal_error"] * 3
    assert check_job(ground, job.id).outcome is Outcome.FAILED
    assert engine.drain() == 0


def test_a_manifest_that_is_gone_ends_the_job_with_errors_and_does_not_hang(
    ground: Ground, tenant: NewKey, digits: ModelVersion, new_engine: NewEngine
) -> None:
    job = submit_contents(ground, tenant, digits, [picture(1)] * 3, params=PARAMS)
    ground.storage.delete([job.manifest or ""])
    engine = new_engine()
    for _ in range(ground.settings.max_attempts):
        engine.drain()
        without_pauses(ground)
    assert read_job(ground, job.id).request_counts["failed"] == 3


def test_inputs_that_are_gone_cost_their_items(
    ground: Ground, tenant: NewKey, digits: ModelVersion, new_engine: NewEngine
) -> None:
    job = submit_contents(ground, tenant, digits, [picture(1)] * 3, params=PARAMS)
    ground.storage.delete([name for name in ground.storage.list("jobs/") if "pack" in name])
    new_engine().drain()
    assert answers_of(ground, job) == ["input_missing"] * 3


def test_a_store_that_is_away_for_a_while_costs_time_and_nothing_else(
    ground: Ground, tenant: NewKey, digits: ModelVersion, new_engine: NewEngine
) -> None:
    job = submit_contents(ground, tenant, digits, [picture(1)] * 3, params=PARAMS)
    moody = Moody(ground.storage.url, times=2)
    new_engine(dataclasses.replace(ground, storage=moody)).drain()
    assert set(moody.left.values()) == {0}
    assert check_job(ground, job.id).outcome is Outcome.SUCCEEDED
    with ground.database.read() as session:
        assert session.scalars(select(Shard.fence)).all() == [1]
