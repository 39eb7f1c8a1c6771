"""What the GPU benchmark counts; its figures mean nothing here, but what it runs does."""

import pytest
import torch

from benchmarks.gpu.speed import (
    ALONE,
    BUSY,
    NETWORK,
    TOGETHER,
    Bench,
    Span,
    covered,
    verdicts_of,
)


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


@pytest.mark.filterwarnings("ignore:.*TorchCodec")
def test_all_of_it_runs_without_a_gpu_too() -> None:
    bench = Bench(torch.device("cpu"), "torchvision/mobilenet_v3_small", batch=2, batches=3)
    figures = bench.measure()
    assert all(figures[name] > 0 for name in (ALONE, NETWORK, TOGETHER))
    assert 0 < figures[BUSY] <= 1
    assert bench.decoding_there() > 0


def test_what_it_runs_together_is_each_batch_once(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(torch.device("cpu"), "torchvision/mobilenet_v3_small", batch=2, batches=5)
    sizes: list[int] = []
    infer = Bench._infer

    def noted(self: Bench, there: torch.Tensor) -> torch.Tensor:
        sizes.append(len(there))
        return infer(self, there)

    bench._infer_resident()
    monkeypatch.setattr(Bench, "_infer", noted)
    bench.measure()
    # The network alone twice, each lane once to begin, and all batches.
    assert sizes == [2] * (5 + 5 + 2 + 5)


@pytest.mark.parametrize(
    ("together", "busy", "hold"),
    [(90.0, 0.9, [True, True]), (89.0, 0.95, [False, True]), (95.0, 0.5, [True, False])],
)
def test_what_is_wanted_of_a_device_that_is_the_slower(
    together: float, busy: float, hold: list[bool]
) -> None:
    figures = {ALONE: 200.0, NETWORK: 100.0, TOGETHER: together, BUSY: busy}
    assert [each.holds for each in verdicts_of(figures)] == hold


def test_a_device_may_wait_for_what_is_slower() -> None:
    figures = {ALONE: 100.0, NETWORK: 200.0, TOGETHER: 95.0, BUSY: 0.5}
    assert all(each.holds for each in verdicts_of(figures))
