"""Small pictures are made of what workers decode, shown item by item, and go when inputs go."""

import io
from functools import partial

import numpy as np
import pytest
from PIL import Image

from jobs.aftercare.deletion import delete_job
from jobs.aftercare.retention import erase_due
from jobs.aftercare.tidying import tidy_due
from jobs.base.bootstrap import Ground
from jobs.base.errors import Conflict, NotFound
from jobs.base.storage import thumbnails_name
from jobs.queue.completion import cancel
from jobs.queue.shard_leases import expire
from jobs.results.summaries import summary_of
from jobs.results.thumbnails import read_thumbnail
from jobs.tables import Job, ModelVersion
from jobs.tenants.keys import NewKey
from tests.integration.jobs.builders import claim_one
from tests.integration.jobs.checks import read_job, shards_of
from tests.integration.jobs.test_tidying import make_due
from tests.integration.workers.engine.test_overlays import (
    Labeller,
    NewStages,
    new_stages,
    submit,
)
from tests.integration.workers.engine.test_shards import run_with
from tests.integration.workers.fakes import picture, submit_contents
from workers.engine.thumbnails import Thumbnails

__all__ = ["new_stages"]

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def thumbnail(ground: Ground, job: Job, index: int) -> Image.Image:
    return Image.open(io.BytesIO(read_thumbnail(ground, read_job(ground, job.id), index)))


def blobs(ground: Ground, job: Job) -> list[str]:
    return list(ground.storage.list(f"jobs/{job.id}/thumbnails/"))


def slope(kind: str, width: int = 900, height: int = 300) -> bytes:
    """A picture that grows brighter from left to right."""
    pixels = np.tile(np.linspace(0, 255, width).astype(np.uint8), (height, 1))
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def test_every_picture_that_is_decoded_is_kept_small_whatever_its_format(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    contents = [slope("TIFF"), b"broken", slope("WEBP"), slope("BMP", 40, 20)]
    job = submit_contents(ground, tenant, digits_model, contents, gallery=True)
    assert run_with(new_stages(), claim_one(ground), Labeller())
    for index, size in ((0, (256, 85)), (2, (256, 85)), (3, (40, 20))):
        small = thumbnail(ground, job, index)
        assert (small.format, small.size) == ("JPEG", size)
        pixels = np.asarray(small.convert("L"), float)
        expected = np.linspace(0, 255, size[0])
        assert np.abs(pixels.mean(axis=0) - expected).mean() < 6
    with pytest.raises(NotFound, match="was not decoded"):
        thumbnail(ground, job, 1)
    with pytest.raises(NotFound, match="has no item 4"):
        thumbnail(ground, job, 4)


def test_each_shard_has_its_pictures_in_one_blob_and_its_answers_in_short(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    job, stages = submit(ground, tenant, digits_model, overlays=False, gallery=True), new_stages()
    for _ in range(3):
        assert run_with(stages, claim_one(ground), Labeller())
    assert sorted(blobs(ground, job)) == sorted(
        thumbnails_name(shard.segment or "") for shard in shards_of(ground, job.id)
    )
    for index in (0, 31, 32, 69):
        original = np.asarray(Image.open(io.BytesIO(picture(index))), float)
        small = np.asarray(thumbnail(ground, job, index).convert("L"), float)
        assert np.corrcoef(small.ravel(), original.ravel())[0, 1] > 0.9
    summary, is_whole = summary_of(ground, read_job(ground, job.id), 10)
    assert (is_whole, summary.items, summary.found) == (True, 70, 69)


def test_a_job_without_a_gallery_has_none(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    job = submit(ground, tenant, digits_model, count=2, overlays=False)
    run_with(new_stages(), claim_one(ground), Labeller())
    assert blobs(ground, job) == []
    with pytest.raises(NotFound, match="has no small picture"):
        thumbnail(ground, job, 0)


def test_items_that_have_not_run_and_never_will_are_told_apart(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit(ground, tenant, digits_model, count=2, gallery=True)
    with pytest.raises(Conflict, match="has not run yet"):
        thumbnail(ground, job, 1)
    cancel(ground.database, tenant.tenant_id, job.id)
    with pytest.raises(NotFound, match="never ran"):
        thumbnail(ground, job, 1)


def test_small_pictures_go_when_the_inputs_are_erased_and_do_not_come_back(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    job = submit(ground, tenant, digits_model, count=2, gallery=True, delete_inputs=True)
    claim_one(ground, lease_s=-1)
    expire(ground.database)
    run_with(new_stages(), claim_one(ground), Labeller())
    assert thumbnail(ground, job, 0), "while the job's inputs are there"
    (name,) = blobs(ground, job)
    erase_due(ground)
    assert blobs(ground, job) == []
    with pytest.raises(NotFound, match="were erased"):
        thumbnail(ground, job, 0)
    # A worker that was thought dead may have written them anew.
    ground.storage.put(name, [b"late"])
    make_due(ground)
    assert tidy_due(ground) == 1
    assert blobs(ground, job) == []


def test_small_pictures_of_dead_and_late_attempts_go_and_those_that_count_stay(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    job, stages = submit(ground, tenant, digits_model, count=2, gallery=True), new_stages()
    late = claim_one(ground, lease_s=-1)
    expire(ground.database)
    ground.storage.put(f"jobs/{job.id}/thumbnails/000000000-1-dead", [b"x"])
    assert run_with(stages, claim_one(ground), Labeller())
    assert not run_with(stages, late, Labeller())
    assert len(blobs(ground, job)) == 2
    make_due(ground)
    assert tidy_due(ground) == 1
    assert thumbnail(ground, job, 0)
    delete_job(ground, tenant.tenant_id, job.id)
    assert blobs(ground, job) == []


def test_a_full_disk_costs_the_small_pictures_and_never_the_results(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.TemporaryFile", partial(open, "/dev/full", "wb", 0))
    kept = Thumbnails(0, 2)
    kept.add({0: b"a picture"})
    kept.add({1: b"another"})
    kept.store(ground.storage, "jobs/a/segments/0.parquet")
    kept.close()
    assert list(ground.storage.list("jobs")) == []
