"""Which jobs a canary gets, and when it has done badly enough: pure decisions."""

import pytest

from jobs.versions.canaries import Figures, is_chosen, verdict

LIMITS = {"min_items": 100, "max_error_rate": 0.01, "max_latency_ratio": 2.0}
GOOD = Figures(items=1000, faults=0, device_s=1.0)


@pytest.mark.parametrize("percent", [1, 20, 50, 99])
def test_a_canary_gets_about_its_part_of_the_jobs(percent: float) -> None:
    chosen = sum(is_chosen("can_1", f"job_{number}", percent) for number in range(10_000))
    assert chosen == pytest.approx(100 * percent, abs=150)


def test_a_job_is_drawn_once_and_for_all_and_anew_in_each_trial() -> None:
    jobs = [f"job_{number}" for number in range(200)]
    drawn = [is_chosen("can_1", job, 50) for job in jobs]
    assert drawn == [is_chosen("can_1", job, 50) for job in jobs]
    assert drawn != [is_chosen("can_2", job, 50) for job in jobs]


def test_whoever_is_in_a_small_part_is_in_a_larger_one_too() -> None:
    jobs = [f"job_{number}" for number in range(500)]
    small = {job for job in jobs if is_chosen("can_1", job, 10)}
    assert small < {job for job in jobs if is_chosen("can_1", job, 40)}


@pytest.mark.parametrize(
    ("stable", "canary", "word"),
    [
        (GOOD, Figures(1000, 11, 1.0), "1.10%"),
        (GOOD, Figures(100, 2, 0.1), "2.00%"),
        (GOOD, Figures(1000, 0, 2.1), "2.10 times"),
        (Figures(), Figures(100, 2, 9.0), "2.00%"),
    ],
)
def test_a_canary_that_does_badly_is_ended_with_the_reason(
    stable: Figures, canary: Figures, word: str
) -> None:
    assert word in (verdict(LIMITS, stable, canary) or "")


@pytest.mark.parametrize(
    ("stable", "canary"),
    [
        (GOOD, GOOD),
        (GOOD, Figures(99, 99, 99.0)),  # too few to tell
        (GOOD, Figures(1000, 10, 2.0)),  # at its limits
        (Figures(1000, 30, 1.0), Figures(1000, 20, 1.0)),  # the stable version is worse
        (Figures(99, 0, 0.01), Figures(1000, 0, 9.0)),  # nothing to compare its time with
        (Figures(1000, 0, 0.0), Figures(1000, 0, 9.0)),
        (GOOD, Figures()),
    ],
)
def test_one_that_does_well_or_has_done_little_goes_on(stable: Figures, canary: Figures) -> None:
    assert verdict(LIMITS, stable, canary) is None
