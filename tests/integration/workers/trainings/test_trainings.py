"""Trainings in the engine: turns, checkpoints, other jobs between them, and what comes of it."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import update

from jobs.base.bootstrap import Ground
from jobs.base.states import JobStatus, Outcome
from jobs.inputs.manifests import Manifest
from jobs.intake.trainings import Turn, end_turn, read_row
from jobs.queue.scheduling import claim
from jobs.queue.shard_leases import take_back
from jobs.queue.turns import Line
from jobs.tables import Job, ModelVersion, Tenant
from jobs.tenants.keys import NewKey
from models.contracts import check_params
from models.records.record import ModelRecord
from models.runtime.registry import load
from tests.integration.jobs.builders import claim_one
from tests.integration.jobs.checks import check_job, read_job
from tests.integration.workers.fakes import answers_of, picture, submit_contents
from tests.integration.workers.trainings.datasets import (
    blobs_of,
    digit_files,
    hurried,
    submit_digits,
    version_of,
    versions_of,
)
from tests.walks import walk
from workers.engine.engine import Engine
from workers.engine.shard import ShardRun
from workers.engine.stages import Stages
from workers.engine.trainings.images import Listing
from workers.engine.trainings.turn import _StoredImages
from workers.register import register_shipped

NewEngine = Callable[..., Engine]
PARAMS = {"top_k": 1, "min_confidence": 0.0}


def test_a_training_ends_in_a_version_that_answers_as_was_measured(
    ground: Ground, tenant: NewKey, new_engine: NewEngine
) -> None:
    job = submit_digits(ground, tenant)
    assert (job.status, job.total, job.priority) == (JobStatus.IN_PROGRESS, 1, "low")
    assert new_engine().drain() == 2, "one turn to train, one to register"
    done = check_job(ground, job.id)
    assert (done.status, done.outcome) == (JobStatus.COMPLETED, Outcome.SUCCEEDED)
    version = version_of(ground, done)
    record = ModelRecord.from_json(version.record)
    assert record.labels == ("0", "1", "7")
    assert record.metrics["validation_accuracy"] >= 0.8
    network = load(record, ground.storage.get(version.weights), version.digest)
    files = digit_files(each=30)
    outputs = network.forward([network.prepare(content) for content in files.values()])
    answers = network.postprocess(outputs, PARAMS)
    right = [
        answer[0]["class"] == name.split("/")[1]
        for name, answer in zip(files, answers, strict=True)
    ]
    assert sum(right) / len(right) > 0.85


def test_progress_is_shown_after_each_turn_and_no_checkpoint_stays(
    ground: Ground, tenant: NewKey, new_engine: NewEngine
) -> None:
    files = digit_files() | {"set/1/note.png": b"not a picture", "README.txt": b"about"}
    job = submit_digits(ground, tenant, files)
    new_engine().drain()
    progress = read_row(ground.database, job.id).progress
    assert progress is not None
    assert (progress["epoch"], progress["epochs"]) == (3, 3)
    assert [each["epoch"] for each in progress["history"]] == [1, 2, 3]
    assert progress["labels"] == ["0", "1", "7"]
    assert sum(map(sum, progress["confusion"])) == progress["images"]["validation"] == 12
    assert [each["name"] for each in progress["skipped"]] == ["set/1/note.png"]
    assert blobs_of(ground, job) == []


def test_turns_give_the_same_network_as_one_go_and_equal_weights_are_one_version(
    ground: Ground, tenant: NewKey, new_engine: NewEngine, tmp_path: Path
) -> None:
    first = submit_digits(ground, tenant)
    new_engine().drain()
    second = submit_digits(ground, tenant)
    turns = new_engine(hurried(ground), flight=tmp_path / "flight-2").drain()
    assert turns > 10
    assert check_job(ground, second.id).status is JobStatus.COMPLETED
    assert version_of(ground, second).version == version_of(ground, first).version == 1
    assert versions_of(ground, first) == 1


def test_another_job_is_done_between_the_turns_of_a_training(
    ground: Ground, tenant: NewKey, new_engine: NewEngine
) -> None:
    digits = next(each for each in register_shipped(ground) if each.name == "digits")
    training = submit_digits(ground, tenant)
    engine = new_engine(hurried(ground))
    lease = claim_one(ground)
    assert lease.job_id == training.id
    assert take_back(ground.database, "node-1") == 1
    small = submit_contents(ground, tenant, digits, [picture(1)], params=PARAMS)
    engine.drain()
    first, second = check_job(ground, small.id), check_job(ground, training.id)
    assert first.status is second.status is JobStatus.COMPLETED
    assert first.ended_at is not None
    assert second.ended_at is not None
    assert first.ended_at < second.ended_at


@pytest.mark.parametrize(("priority", "weight"), [("low", 1.0), ("normal", 4.0)])
def test_a_turn_is_charged_what_it_took_and_costs_no_try(
    ground: Ground, tenant: NewKey, priority: str, weight: float
) -> None:
    job = submit_digits(ground, tenant)
    with ground.database.write() as session:
        session.get_one(Job, job.id).priority = priority
    lease = claim_one(ground)
    assert lease.charged_s == 20.0
    assert end_turn(ground.database, lease, Turn("blob", {"epoch": 1}), 3.0, 5.0)
    check_job(ground, job.id)
    with ground.database.read() as session:
        assert session.get_one(Tenant, tenant.tenant_id).share == pytest.approx(3.0)
        assert session.get_one(Job, job.id).share == pytest.approx(3.0 / weight)
    assert read_job(ground, job.id).device_s == pytest.approx(3.0)
    again = claim_one(ground)
    assert (again.attempts, again.fence) == (1, 2)


def test_a_training_is_not_short_and_is_passed_over_by_who_trains_already(
    ground: Ground, tenant: NewKey
) -> None:
    submit_digits(ground, tenant)
    assert claim(ground.database, Line("cpu"), "node", 30, only_short=True) is None
    assert claim(ground.database, Line("cpu", may_give_turns=False), "node", 30) is None
    assert claim(ground.database, Line("cpu"), "node", 30) is not None


def test_trainings_keep_nobody_from_a_claim_that_passes_them_over(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    few = digit_files(each=2)
    for _ in range(9):
        submit_digits(ground, tenant, few, priority="high")
    other = submit_contents(ground, tenant, digits_model, [b"0"], priority="low")
    with ground.database.write() as session:
        session.execute(update(Job).where(Job.id == other.id).values(share=1e6))
    lease = claim(ground.database, Line("cpu", may_give_turns=False), "node", 30)
    assert lease is not None
    assert lease.job_id == other.id


def test_a_step_may_take_minutes_after_its_images_were_read(
    ground: Ground, tenant: NewKey, new_stages: Callable[..., Stages]
) -> None:
    submit_digits(ground, tenant)
    lease, stages = claim_one(ground), new_stages()
    run = ShardRun(stages, lease)
    listing = Listing(Manifest(ground.storage, lease.manifest))
    images = _StoredImages(listing, stages.reader, run, 2**20)
    run.moves_slowly()
    assert len(list(images.read(np.arange(3)))) == 3
    assert run.moved_at > time.monotonic() + 60


def test_a_classifier_of_videos_is_trained_and_then_answers_for_videos(
    ground: Ground, tenant: NewKey, new_engine: NewEngine
) -> None:
    films = {
        f"{way}/{seed}.mov": walk(way == "right", seed)
        for way in ("left", "right")
        for seed in range(10)
    }
    recipe = {"architecture": "recurrent/digits-lstm", "epochs": 8, "batch": 8}
    training = submit_digits(ground, tenant, films, recipe={**recipe, "learning_rate": 3e-3})
    engine = new_engine()
    engine.drain()
    version = version_of(ground, training)
    params = check_params("video-classification", {}, ["left", "right"])
    contents = [walk(right, seed=99) for right in (True, False, True)]
    job = submit_contents(ground, tenant, version, contents, params=params)
    engine.drain()
    assert answers_of(ground, job) == ["right", "left", "right"]
