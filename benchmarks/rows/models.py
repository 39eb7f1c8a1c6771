"""Networks of every source, each end to end against the bare loop of the same runtime."""

import time
from statistics import median

from benchmarks.contest import OURS, RAW, Contestant, hold, untuned_raw
from benchmarks.figures import Verdict
from benchmarks.foreign import NETWORKS
from benchmarks.report import Row
from benchmarks.works import Work, foreign
from benchmarks.yardstick import parity_of

_LEAST = 0.90
_COUNT, _QUICK_COUNT = 128, 64
_ROUNDS, _QUICK_ROUNDS = 2, 1
_MIB = 2**20


def measure(quick: bool) -> Row:
    """Photos through two networks of each source: images/s against raw, and the start of each."""
    verdicts, parity = [], []
    for name in NETWORKS:
        work = foreign(_QUICK_COUNT if quick else _COUNT, name)
        print(f"{name}: loaded and warm after {_start_s(work):.2f} s", flush=True)
        table = hold(
            work,
            (untuned_raw(), Contestant(OURS, "pixelmill_stack")),
            _QUICK_ROUNDS if quick else _ROUNDS,
        )
        ratio = table[OURS].ratio_to(table[RAW])
        ours = table[OURS]
        said = (
            f"{name}: {ratio:.3f} x raw >= {_LEAST} "
            f"({median(ours.images_per_s):.0f} images/s, {max(ours.peak_bytes) / _MIB:.0f} MiB)"
        )
        verdicts.append(Verdict(said, ratio >= _LEAST))
        parity += parity_of(table)
    return Row("Networks of every source", verdicts=verdicts, parity=parity)


def _start_s(work: Work) -> float:
    start = time.perf_counter()
    work.load()
    return time.perf_counter() - start
