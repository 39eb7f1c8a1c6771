"""A video's overlay: one picture of some of its frames, the same wherever an attempt began."""

import io
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jobs.base.bootstrap import Ground
from jobs.base.errors import NotFound
from jobs.base.states import ItemStatus
from jobs.queue.completion import cancel
from jobs.results.overlays import read_overlay
from jobs.tables import Job, ModelVersion
from jobs.tenants.keys import NewKey
from models.answers.drawing import colour_of
from models.catalog import SHIPPED, check_params, shipped_weights
from models.media.sampling import Sampling
from models.pictures.clips import heldout_streams
from models.runtime.network import VideoNetwork
from models.runtime.registry import load
from models.tasks.task import Clip
from tests.integration.jobs.builders import claim_one
from tests.integration.jobs.checks import read_job
from tests.integration.workers.conftest import with_
from tests.integration.workers.engine.test_overlays import overlay_blobs
from tests.integration.workers.engine.test_shards import manifest_of
from tests.integration.workers.fakes import rows_of_job, submit_contents
from tests.integration.workers.films.fake_videos import PARAMS, FakeVideoNetwork, clips_of
from tests.integration.workers.films.test_videos import (
    checkpoints_of,
    clips_of_job,
    run_until_stopped,
)
from tests.videos import film, grey, jpeg, levels, movie
from workers.engine.shard import ShardRun
from workers.engine.stages import Stages

# What a database does differently is tested with the room that asks it, in integration/jobs.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

NewStages = Callable[..., Stages]

# Every frame of a film is enlarged to this, and stands in a grid with a gap around it.
WIDTH, HEIGHT, GAP = 320, 240, 4
COUNT = 400


class Halves(FakeVideoNetwork):
    """Says of every video that it shows `a`, then `b`."""

    def postprocess(
        self, videos: Sequence[Sequence[Clip]], params: Mapping[str, Any]
    ) -> list[list[dict[str, Any]]]:
        answers = super().postprocess(videos, params)
        return [
            [{**self._halves(clips[-1].end_ms), **answer}]
            for clips, (answer,) in zip(videos, answers, strict=True)
        ]

    def _halves(self, end_ms: int) -> dict[str, Any]:
        whole = {"class": "a", "class_id": 0, "confidence": 0.5}
        spans = [(0, end_ms // 2, "a", 0), (end_ms // 2, end_ms, "b", 1)]
        segments = [
            {"start_ms": start, "end_ms": end, "class": name, "class_id": number, "confidence": 0.9}
            for start, end, name, number in spans
        ]
        return {**whole, "segments": segments}


def submit(
    ground: Ground, tenant: NewKey, model: ModelVersion, films: Sequence[bytes], **more: Any
) -> Job:
    wanted = {"overlays": True, "params": PARAMS, **more}
    return submit_contents(ground, tenant, model, films, **wanted)


def run_with(stages: Stages, network: VideoNetwork) -> bool:
    lease = claim_one(stages.ground)
    run = ShardRun(stages, lease)
    try:
        return run.run(network, manifest_of(stages.ground, lease))
    finally:
        run.close()


def overlay(ground: Ground, job: Job, index: int = 0) -> bytes:
    return read_overlay(ground, read_job(ground, job.id), index)


def cells(picture: bytes) -> list[np.ndarray]:
    """Cut a sheet of films' frames into these, row by row: int64 (HEIGHT, WIDTH, 3)."""
    image = Image.open(io.BytesIO(picture))
    assert image.format == "JPEG"
    pixels = np.asarray(image).astype(int)
    down = range(GAP, pixels.shape[0], HEIGHT + GAP)
    across = range(GAP, pixels.shape[1], WIDTH + GAP)
    return [
        pixels[top : top + HEIGHT, left : left + WIDTH]
        for top, left in itertools.product(down, across)
    ]


def level(cell: np.ndarray) -> int:
    """Tell a frame's brightness from its middle, where nothing is written."""
    return round(float(cell[60:180].mean()))


@pytest.mark.parametrize("count", [1, 16, 17, 100])
def test_a_videos_frames_are_shown_in_order_each_with_its_class(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages, count: int
) -> None:
    grades = [30 + 2 * number for number in range(count)]
    job = submit(ground, tenant, digits_model, [movie([grey(grade) for grade in grades])])
    assert run_with(new_stages(), Halves())
    every = {1: 1, 16: 1, 17: 2, 100: 8}[count]
    shown = range(0, count, every)
    for number, cell in zip(shown, cells(overlay(ground, job)), strict=False):
        assert abs(level(cell) - grades[number]) <= 2
        expected = colour_of(int(number * 40 >= count * 40 // 2))
        assert np.abs(cell[1, 1] - expected).max() < 60
        assert cell[-2, 2].max() < 40, "the time's ground is black"


def test_each_video_of_a_shard_has_its_own_picture_and_a_failed_one_none(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    films = [movie([grey(grade)] * 3) for grade in (60, 120, 180)]
    job = submit(ground, tenant, digits_model, [films[0], b"broken", films[1], films[2]])
    assert run_with(new_stages(), Halves())
    for index, grade in ((0, 60), (2, 120), (3, 180)):
        assert abs(level(cells(overlay(ground, job, index))[0]) - grade) <= 2
    with pytest.raises(NotFound, match="is errored"):
        overlay(ground, job, 1)
    assert len(overlay_blobs(ground, job)) == 1


def test_only_frames_that_are_looked_at_are_shown(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    data = movie([grey(10 * number) for number in range(24)])
    job = submit(ground, tenant, digits_model, [data], params={**PARAMS, "every_nth": 5})
    assert run_with(new_stages(), Halves())
    shown = [level(cell) for cell in cells(overlay(ground, job))[:5]]
    assert np.abs(np.subtract(shown, [0, 50, 100, 150, 200])).max() <= 2


def test_frames_are_shown_upright(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    pixels = np.full((48, 64, 3), 40, np.uint8)
    pixels[:, :32] = 200
    data = movie([jpeg(pixels)], rotation=90)
    job = submit(ground, tenant, digits_model, [data])
    assert run_with(new_stages(), Halves())
    image = np.asarray(Image.open(io.BytesIO(overlay(ground, job)))).astype(int)
    assert image.shape == (320 + 2 * GAP, 240 + 2 * GAP, 3)
    assert image[60:140, 20:220].mean() > 190
    assert image[180:260, 20:220].mean() < 50


@pytest.fixture
def quiet(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> bytes:
    """The picture of an undisturbed run over the film."""
    job = submit(ground, tenant, digits_model, [film(COUNT)])
    assert run_with(new_stages(), Halves())
    return overlay(ground, job)


@pytest.mark.parametrize("overlap", [0, 3])
@pytest.mark.parametrize("steps", [2, 50, 99])
def test_a_resumed_video_is_drawn_as_one_that_ran_quietly(
    ground: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    new_stages: NewStages,
    quiet: bytes,
    overlap: int,
    steps: int,
) -> None:
    here = with_(ground, checkpoint_s=1e-6)
    params = {**PARAMS, "overlap": overlap}
    job = submit(here, tenant, digits_model, [film(COUNT)], params=params)
    stages, second = new_stages(on=here), Halves()
    run_until_stopped(stages, claim_one(here), Halves(), steps, "hand_back")
    assert len(checkpoints_of(here, job)) == 1
    assert run_with(stages, second)
    assert second.steps <= -(-COUNT // (4 - overlap)) - steps + 1, "frames before were not inferred"
    assert clips_of_job(here, job) == [clips_of(levels(COUNT), 4, 4 - overlap, carries=True)]
    assert overlay(here, job) == quiet


def test_a_video_that_was_over_before_its_shard_was_left_is_drawn_as_well(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages, quiet: bytes
) -> None:
    here = with_(ground, checkpoint_s=1e-6)
    job = submit(here, tenant, digits_model, [film(COUNT), film(4000)])
    first, second = Halves(max_batch=1), Halves(max_batch=1)
    run_until_stopped(new_stages(on=here), claim_one(here), first, 400, "hand_back")
    assert run_with(new_stages(on=here), second)
    assert first.steps + second.steps <= 1102, "the first is not inferred again"
    assert overlay(here, job) == quiet


def test_an_answer_that_is_known_is_not_lost_with_its_picture(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    here = with_(ground, checkpoint_s=1e-6)
    before = submit(here, tenant, digits_model, [film(COUNT), film(4000)])
    stages = new_stages(on=here)
    run_until_stopped(stages, claim_one(here), Halves(max_batch=1), 400, "hand_back")
    over = checkpoints_of(here, before)[0]
    cancel(here.database, tenant.tenant_id, before.id)
    job = submit(here, tenant, digits_model, [film(COUNT)])
    here.storage.put(over.replace(before.id, job.id), [here.storage.get(over)])
    lease = claim_one(here)
    run = ShardRun(stages, lease)

    class CancelledMeanwhile(Halves):
        def sampling(self, params: Mapping[str, Any]) -> Sampling:
            cancel(here.database, tenant.tenant_id, job.id)
            run.stop(ItemStatus.CANCELLED)
            return super().sampling(params)

    network = CancelledMeanwhile()
    assert run.run(network, manifest_of(here, lease))
    run.close()
    (row,) = rows_of_job(here, job)
    assert (row.status, network.steps) == (ItemStatus.SUCCEEDED, 0)
    with pytest.raises(NotFound, match="is not drawn"):
        overlay(here, job)


def test_what_cannot_be_drawn_costs_its_picture_only(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    class Confused(Halves):
        def _halves(self, end_ms: int) -> dict[str, Any]:
            found = super()._halves(end_ms)
            return {**found, "segments": "none"} if end_ms == 120 else found

    job = submit(ground, tenant, digits_model, [film(3), film(5)])
    assert run_with(new_stages(), Confused())
    statuses = [row.status for row in rows_of_job(ground, job)]
    assert statuses == [ItemStatus.SUCCEEDED, ItemStatus.SUCCEEDED]
    with pytest.raises(NotFound, match="is not drawn"):
        overlay(ground, job, 0)
    assert overlay(ground, job, 1)


def test_a_job_that_wants_no_overlays_has_none_of_its_videos(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    job = submit(ground, tenant, digits_model, [film(20)], overlays=False)
    assert run_with(new_stages(), Halves())
    assert overlay_blobs(ground, job) == []


def test_the_shipped_network_is_seen_to_say_what_it_says(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    network = load(SHIPPED["motion"], shipped_weights("motion").read_bytes())
    assert isinstance(network, VideoNetwork)
    (stream,) = heldout_streams(1, 160)
    data = movie([jpeg(frame) for frame in stream.frames], 125, width=64, height=64)
    params = check_params(network.record.task, {}, network.record.labels, network.record.preprocess)
    job = submit(ground, tenant, digits_model, [data], params=params)
    assert run_with(new_stages(), network)
    (row,) = rows_of_job(ground, job)
    assert row.predictions is not None
    picture = np.asarray(Image.open(io.BytesIO(overlay(ground, job)))).astype(int)
    # Of 160 frames every sixteenth is shown: ten, in three lines of four.
    assert picture.shape == (3 * 324 + GAP, 4 * 324 + GAP, 3)
    for number in range(10):
        (held,) = [
            each
            for each in row.predictions[0]["segments"]
            if each["start_ms"] <= number * 16 * 125 < each["end_ms"]
        ]
        line, column = divmod(number, 4)
        corner = picture[GAP + line * 324 + 1, GAP + column * 324 + 1]
        assert np.abs(corner - colour_of(held["class_id"])).max() < 60
