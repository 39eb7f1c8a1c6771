"""Overlays are drawn, found and served item by item, and go where results go."""

import io
import tempfile
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from jobs.aftercare.deletion import delete_job
from jobs.aftercare.retention import erase_due
from jobs.aftercare.tidying import tidy_due
from jobs.base.bootstrap import Ground
from jobs.base.errors import Conflict, NotFound
from jobs.base.states import JobStatus, ShardState
from jobs.base.storage import overlays_name
from jobs.queue.completion import cancel
from jobs.queue.shard_leases import expire
from jobs.results.overlays import read_overlay
from jobs.results.segments import SCHEMA, read_segment
from jobs.tables import Job, ModelVersion
from jobs.tenants.keys import NewKey
from models.media.pictures import Picture
from models.tasks.task import Sample
from tests.integration.jobs.builders import claim_one
from tests.integration.jobs.checks import check_job, read_job, shards_of
from tests.integration.jobs.test_retention import age
from tests.integration.jobs.test_tidying import make_due
from tests.integration.workers.engine.test_shards import run_with
from tests.integration.workers.fakes import FakeNetwork, picture, submit_contents
from workers.engine.engine import Engine
from workers.engine.stages import Stages
from workers.walls.pictures import PictureDecoders

# What a database does differently is tested with the room that asks it, in integration/jobs.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

NewStages = Callable[..., Stages]


@pytest.fixture
def new_stages(new_stages: NewStages, real_pictures: PictureDecoders) -> NewStages:
    """Stages that decode as in earnest: behind walls."""
    return partial(new_stages, pictures=real_pictures)


class Labeller(FakeNetwork):
    """Says of every picture how bright it is."""

    def sample(self, picture: Picture) -> Sample:
        return Sample(torch.tensor([int(picture.pixels.mean())]), picture.height, picture.width)

    def postprocess(self, outputs: Any, params: Any) -> list[list[dict[str, Any]]]:
        return [
            [{"class": f"grey {int(each)}", "class_id": int(each), "confidence": 0.5}]
            for each in outputs
        ]


def submit(
    ground: Ground, tenant: NewKey, model: ModelVersion, count: int = 70, **more: Any
) -> Job:
    """Pictures, of which the fourth cannot be decoded."""
    contents = [b"broken" if number == 3 else picture(number) for number in range(count)]
    return submit_contents(ground, tenant, model, contents, **{"overlays": True, **more})


def overlay(ground: Ground, job: Job, index: int) -> Image.Image:
    return Image.open(io.BytesIO(read_overlay(ground, read_job(ground, job.id), index)))


def overlay_blobs(ground: Ground, job: Job) -> list[str]:
    return list(ground.storage.list(f"jobs/{job.id}/overlays/"))


def test_every_result_is_drawn_over_its_own_picture(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    job, stages = submit(ground, tenant, digits_model), new_stages()
    for _ in range(3):
        assert run_with(stages, claim_one(ground), Labeller())
    assert check_job(ground, job.id).failed == 1
    assert len(overlay_blobs(ground, job)) == 3
    for index in (0, 31, 32, 69):
        drawn = overlay(ground, job, index)
        assert (drawn.format, drawn.size) == ("JPEG", (420, 420))
        pixels = np.asarray(drawn.convert("L"), float)[60:, :]
        original = np.asarray(Image.open(io.BytesIO(picture(index))), float)
        expected = original.repeat(15, axis=0).repeat(15, axis=1)[60:, :]
        assert np.abs(pixels - expected).mean() < 10
    with pytest.raises(NotFound, match="is errored"):
        overlay(ground, job, 3)
    with pytest.raises(NotFound, match="has no item 70"):
        overlay(ground, job, 70)


def test_what_has_not_run_yet_or_never_will_is_told_apart(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    job = submit(ground, tenant, digits_model)
    run_with(new_stages(), claim_one(ground), Labeller())
    assert overlay(ground, job, 0)
    with pytest.raises(Conflict, match="has not run yet"):
        overlay(ground, job, 40)
    cancel(ground.database, tenant.tenant_id, job.id)
    with pytest.raises(NotFound, match="never ran"):
        overlay(ground, job, 40)


def test_a_job_that_wants_no_overlays_has_none(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    job = submit(ground, tenant, digits_model, count=3, overlays=False)
    run_with(new_stages(), claim_one(ground), Labeller())
    assert overlay_blobs(ground, job) == []
    with pytest.raises(NotFound, match="`overlays`"):
        overlay(ground, job, 0)


def test_a_result_that_cannot_be_drawn_costs_its_picture_only(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    class Confused(Labeller):
        def postprocess(self, outputs: Any, params: Any) -> list[list[dict[str, Any]]]:
            found = super().postprocess(outputs, params)
            found[1][0]["confidence"] = "very"
            return found

    job = submit(ground, tenant, digits_model, count=3)
    run_with(new_stages(), claim_one(ground), Confused())
    assert read_job(ground, job.id).completed == 3
    assert overlay(ground, job, 0)
    with pytest.raises(NotFound, match="is not drawn"):
        overlay(ground, job, 1)


def test_a_shard_without_a_result_has_no_blob_of_overlays(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    job = submit_contents(ground, tenant, digits_model, [b"broken"] * 3, overlays=True)
    run_with(new_stages(), claim_one(ground), Labeller())
    assert read_job(ground, job.id).status is JobStatus.COMPLETED
    assert overlay_blobs(ground, job) == []


def test_a_disk_without_room_for_overlays_is_an_error_of_the_shard(
    ground: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    new_engine: Callable[..., Engine],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    params = {"top_k": 1, "min_confidence": 0.0}
    job = submit_contents(ground, tenant, digits_model, [picture(1)], overlays=True, params=params)
    monkeypatch.setattr(tempfile, "tempdir", "/dev/full")
    assert new_engine().drain() == 1
    (shard,) = shards_of(ground, job.id)
    assert (shard.state, shard.errors, shard.expiries) == (ShardState.PENDING, 1, 0)


def test_the_overlays_of_a_late_result_are_discarded_with_it(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    job, stages = submit(ground, tenant, digits_model, count=2), new_stages()
    late = claim_one(ground, lease_s=-1)
    assert expire(ground.database) == 1
    assert run_with(stages, claim_one(ground), Labeller())
    assert not run_with(stages, late, Labeller())
    (shard,) = shards_of(ground, job.id)
    assert overlay_blobs(ground, job) == [overlays_name(shard.segment or "")]


def test_the_overlays_of_a_dead_attempt_are_tidied_and_those_that_count_stay(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    job, stages = submit(ground, tenant, digits_model, count=2), new_stages()
    claim_one(ground, lease_s=-1)
    expire(ground.database)
    ground.storage.put(f"jobs/{job.id}/overlays/000000000-1-dead", [b"x"])
    run_with(stages, claim_one(ground), Labeller())
    make_due(ground)
    assert tidy_due(ground) == 1
    assert overlay(ground, job, 0)


def test_the_segments_of_a_job_with_overlays_are_a_data_set(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    job = submit(ground, tenant, digits_model, count=5)
    run_with(new_stages(), claim_one(ground), Labeller())
    assert overlay_blobs(ground, job)
    folder = url2pathname(urlsplit(ground.settings.storage_url).path)
    assert pq.read_table(f"{folder}/jobs/{job.id}/segments").num_rows == 5


def test_overlays_that_lie_beside_their_segment_as_they_once_did_are_found_and_kept(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    job = submit(ground, tenant, digits_model, count=2)
    run_with(new_stages(), claim_one(ground), Labeller())
    before = read_overlay(ground, read_job(ground, job.id), 0)
    (name,) = overlay_blobs(ground, job)
    earlier = name.replace("/overlays/", "/segments/") + ".overlays"
    ground.storage.put(earlier, [ground.storage.get(name)])
    ground.storage.delete([name])
    make_due(ground)
    assert tidy_due(ground) == 0
    assert read_overlay(ground, read_job(ground, job.id), 0) == before


@pytest.mark.parametrize("way", ["deleted", "expired"])
def test_overlays_go_with_the_results(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages, way: str
) -> None:
    job = submit(ground, tenant, digits_model, count=2, delete_inputs=True)
    run_with(new_stages(), claim_one(ground), Labeller())
    erase_due(ground)
    assert overlay(ground, job, 0), "they are results, and stay when inputs go"
    if way == "deleted":
        delete_job(ground, tenant.tenant_id, job.id)
    else:
        age(ground, job, 31 * 86_400)
        erase_due(ground)
    assert overlay_blobs(ground, job) == []


def test_a_segment_that_was_written_before_there_were_overlays_is_read(ground: Ground) -> None:
    before = pa.schema([field for field in SCHEMA if not field.name.startswith("overlay")])
    row = {"index": 0, "custom_id": "a", "status": "succeeded", "predictions": "[]", "attempts": 1}
    with ground.storage.create("old") as sink:
        pq.write_table(pa.Table.from_pylist([row], schema=before), sink)
    (found,) = read_segment(ground.storage, "old")
    assert (found.custom_id, found.predictions, found.overlay) == ("a", [], None)
