"""A film's small picture is a strip of its frames along its length."""

import io

import numpy as np
import pytest
from PIL import Image

from jobs.base.bootstrap import Ground
from jobs.results.thumbnails import read_thumbnail
from jobs.tables import ModelVersion
from jobs.tenants.keys import NewKey
from models.answers.thumbnails import STRIP_FRAMES, STRIP_HEIGHT, film_strip
from tests.integration.jobs.checks import read_job
from tests.integration.workers.films.test_video_overlays import (
    Halves,
    NewStages,
    overlay_blobs,
    run_with,
    submit,
)
from tests.videos import grey, movie


def cells(strip: bytes) -> list[float]:
    """The brightness of the middle of each stretch of time."""
    pixels = np.asarray(Image.open(io.BytesIO(strip)).convert("L"), float)
    assert pixels.shape[0] == STRIP_HEIGHT
    width = pixels.shape[1] // STRIP_FRAMES
    return [float(pixels[20:50, n * width + 8 : (n + 1) * width - 8].mean()) for n in range(12)]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_place_in_the_strip_is_a_place_in_the_film(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    film = movie([grey(20 + 10 * number) for number in range(12)])
    job = submit(ground, tenant, digits_model, [film, b"broken"], overlays=False, gallery=True)
    assert run_with(new_stages(), Halves())
    found = cells(read_thumbnail(ground, read_job(ground, job.id), 0))
    assert np.abs(np.subtract(found, [20 + 10 * number for number in range(12)])).max() <= 6
    assert overlay_blobs(ground, job) == []


def test_a_film_of_one_frame_fills_its_strip_and_one_of_none_has_none() -> None:
    frame = np.full((48, 64, 3), 90, np.uint8)
    assert np.abs(np.subtract(cells(film_strip([(0, frame)], 40)), 90)).max() <= 2
    with pytest.raises(ValueError, match="at least one frame"):
        film_strip([], 40)
