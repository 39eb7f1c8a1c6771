"""Networks of every source, each end to end against the bare loop of the same runtime."""

import time
from statistics import median

from benchmarks.contest import OURS, RAW, Contestant, hold, untuned_raw
from benchmarks.figures import Verdict
from benchmarks.foreign import NETWORKS
from benchmarks.report import Row
from benchmarks.works import foreign
from benchmarks.yardstick import parity_of

_LEAST = 0.90
# So long a turn should last: what a job costs besides its pictures is not theirs.
_TURN_S, _QUICK_TURN_S = 6.0, 3.0
_FEWEST, _MOST = 64, 1024
_BATCH = 16
_ROUNDS, _QUICK_ROUNDS = 2, 1
_MIB = 2**20


def measure(quick: bool) -> Row:
    """Photos through two networks of each source: images/s against raw, and the start of each."""
    verdicts, parity = [], []
    for name in NETWORKS:
        count = _count(name, _QUICK_TURN_S if quick else _TURN_S)
        table = hold(
            foreign(count, name),
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


def _count(name: str, seconds: float) -> int:
    """Say how many pictures are inferred in so many seconds, about; prints the start."""
    work = foreign(_FEWEST, name)
    start = time.perf_counter()
    network = work.load()
    print(f"{name}: loaded and warm after {time.perf_counter() - start:.2f} s", flush=True)
    samples = [network.prepare(item) for item in work.items()[:_BATCH]]
    network.forward(samples)
    start = time.perf_counter()
    network.forward(samples)
    rate = len(samples) / (time.perf_counter() - start)
    return min(max(_FEWEST, round(rate * seconds)), _MOST)
