"""A video's windows, and the frames that they are made of."""

import hashlib

import pytest

from jobs.base.bootstrap import Ground
from jobs.base.states import ItemStatus
from jobs.tables import ModelVersion
from jobs.tenants.keys import NewKey
from tests.integration.jobs.checks import check_job
from tests.integration.workers.fakes import rows_of_job
from tests.integration.workers.films.fake_videos import FakeVideoNetwork, clips_of
from tests.integration.workers.films.test_videos import (
    NewStages,
    clips_of_job,
    run_with,
    submit_films,
)
from tests.videos import film, levels


@pytest.mark.parametrize("carries", [True, False])
@pytest.mark.parametrize(("window", "overlap"), [(4, 0), (4, 1), (5, 4), (1, 0), (64, 3)])
def test_a_videos_windows_are_those_of_its_frames(
    ground: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    new_stages: NewStages,
    carries: bool,
    window: int,
    overlap: int,
) -> None:
    counts = (1, 4, 30, 64)
    films = [film(count) for count in counts]
    job = submit_films(ground, tenant, digits_model, films, window=window, overlap=overlap)
    assert run_with(new_stages(), FakeVideoNetwork(carries=carries))
    expected = [
        clips_of(levels(count), window, window - overlap, carries=carries) for count in counts
    ]
    assert clips_of_job(ground, job) == expected
    for row, data in zip(rows_of_job(ground, job), films, strict=True):
        assert (row.status, row.warnings, row.attempts) == (ItemStatus.SUCCEEDED, (), 1)
        assert row.input_sha256 == hashlib.sha256(data).hexdigest()
    assert check_job(ground, job.id).completed == 4


def test_frames_are_sampled_as_the_parameters_say(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    job = submit_films(ground, tenant, digits_model, [film(50)], fps=5.0, every_nth=None, window=5)
    assert run_with(new_stages(), FakeVideoNetwork())
    expected = clips_of(levels(50)[::5], 5, 5, carries=True, duration_ms=200)
    assert clips_of_job(ground, job) == [expected]
