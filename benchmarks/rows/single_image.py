"""One image, `Prefer: wait`, idle stack: how much later than the bare forward pass it is answered.

Each request is followed by a bare pass in this process, so that both meet the same machine.
"""

import time
from statistics import median

from benchmarks.contestants.pixelmill_stack import register_work
from benchmarks.figures import Verdict, percentile
from benchmarks.report import Row
from benchmarks.stand import standing
from benchmarks.works import photos
from pixelmill.client.records import Result

_WARM_UP = 5
_MOST_MS = 40.0


def measure(quick: bool) -> Row:
    """Send 100 photos, one after the other."""
    work = photos(100)
    network, items = work.load(), work.items()[: 30 if quick else 100]
    answered, bare = [], []
    with standing() as stand:
        model = register_work(stand.stack, work)
        for item in (*items[:_WARM_UP], *items):
            start = time.perf_counter()
            result = stand.client.predict(item, model=model, wait=30)
            between = time.perf_counter()
            network.forward([network.prepare(item)])
            bare.append((time.perf_counter() - between) * 1e3)
            answered.append((between - start) * 1e3)
            assert isinstance(result, Result), "not answered within 30 s"
    answered, bare = answered[_WARM_UP:], bare[_WARM_UP:]
    above = median(answered) - median(bare)
    figures = {
        "answered p50, ms": median(answered),
        "answered p95, ms": percentile(answered, 0.95),
        "bare p50, ms": median(bare),
    }
    wanted = f"p50 {above:.1f} ms above the bare pass <= {_MOST_MS:.0f} ms"
    return Row("One image, Prefer: wait", [Verdict(wanted, above <= _MOST_MS)], figures=figures)
