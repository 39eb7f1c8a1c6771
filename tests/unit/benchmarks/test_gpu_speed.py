"""How long the device was busy, from when its batches began and ended."""

import pytest

from benchmarks.gpu_speed import Span, covered


@pytest.mark.parametrize(
    ("spans", "seconds"),
    [
        ([], 0.0),
        ([(1.0, 2.0)], 1.0),
        ([(3.0, 4.0), (1.0, 2.0)], 2.0),
        ([(0.0, 2.0), (1.0, 3.0)], 3.0),
        ([(0.0, 5.0), (1.0, 2.0), (4.0, 6.0)], 6.0),
    ],
    ids=["none", "one", "apart", "overlapping", "one within another"],
)
def test_what_overlaps_counts_once(spans: list[Span], seconds: float) -> None:
    assert covered(spans) == pytest.approx(seconds)
