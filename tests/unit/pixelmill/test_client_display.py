"""What a person is told while waiting."""

import pytest

from pixelmill import ConnectionFailed, Job, NotConfigured, NotFound, ServerError
from pixelmill.cli.exits import ExitCode, code_of_error
from pixelmill.cli.showing.display import Rate, progress_text


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConnectionFailed("x"), ExitCode.UNUSABLE),
        (NotConfigured("x"), ExitCode.UNUSABLE),
        (ServerError("x", status=500), ExitCode.UNUSABLE),
        (NotFound("x", status=404), ExitCode.REFUSED),
    ],
)
def test_errors_have_their_exit_status(error, code):
    assert code_of_error(error) is code


def test_the_rate_is_that_of_the_last_half_minute():
    now = 0.0
    rate = Rate(lambda: now)
    assert rate.update(0) == 0
    for _ in range(10):
        now += 10
        steady = rate.update(int(now * 5))
    assert steady == 5
    now += 40
    assert rate.update(500) == 0  # A stall shows, whatever the average is.


def test_progress_says_counts_rate_and_time_left(say):
    job = Job.from_raw(say.job(total=1000, completed=90, failed=10).body)
    assert progress_text(job, 10.0) == "100/1000 images, 10 failed, 10.0 images/s, 0:01:30 left"
    queued = Job.from_raw(say.job(queue={"position": 3, "eta_seconds": 3700}).body)
    assert progress_text(queued, 0.0) == "0/10 images, 0 failed, 3 in the queue, 1:01:40 left"
