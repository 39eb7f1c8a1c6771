"""What the engine tells Prometheus: seconds of its stages, what its items became, its device."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, time

import torch

from jobs.metrics import metrics
from jobs.queue.commits import Tally
from models.media.stills.table import STILLS
from models.runtime.network import Network
from workers.engine.timeline import Timeline

_PAGE = resource.getpagesize()
# Where nobody says how much memory there is.
_MEMINFO = Path("/proc/meminfo")
# Of a picture, enough to tell its format.
_HEAD = 4096


@contextmanager
def timed(stage: str, timeline: Timeline | None = None) -> Iterator[None]:
    """Observe the seconds of a stage, whether it ends well or not, and in its shard's timeline."""
    began_at, began = time(), perf_counter()
    try:
        yield
    finally:
        seconds = perf_counter() - began
        metrics.STAGE_SECONDS.labels(stage).observe(seconds)
        if timeline is not None:
            timeline.note(stage, began_at, seconds)


def count_items(task: str, tally: Tally) -> None:
    """Count what a committed shard's items became."""
    for outcome in ("succeeded", "errored", "cancelled", "expired"):
        if count := getattr(tally, outcome):
            metrics.ITEMS.labels(task, outcome).inc(count)


def batches_of(place: str, lanes: int) -> Callable[[Network, int, float, float], None]:
    """Give what is to be told of each batch of a device: network, samples, waited and computed."""
    metrics.DEVICE_LANES.labels(place).set(lanes)

    def tell(network: Network, size: int, waited_s: float, computed_s: float) -> None:
        metrics.BATCH_ITEMS.labels(network.record.task).observe(size)
        metrics.STAGE_SECONDS.labels("batch_wait").observe(waited_s)
        metrics.STAGE_SECONDS.labels("infer").observe(computed_s)
        metrics.DEVICE_BUSY.labels(place).inc(computed_s)

    return tell


def note_memory(place: str, device: str) -> None:
    """Tell how much memory is in use: of a GPU, or of this process and its machine."""
    used, total = _of_gpu() if device == "cuda" else _of_process()
    metrics.DEVICE_MEMORY.labels(place, "used").set(used)
    metrics.DEVICE_MEMORY.labels(place, "total").set(total)


def count_undecoded(data: bytes | memoryview, encoding: str, code: str) -> None:
    """Count a picture that was not decoded, by what its first bytes say that it is."""
    metrics.DECODE_ERRORS.labels(_format_of(data, encoding), code).inc()


def _format_of(data: bytes | memoryview, encoding: str) -> str:
    if encoding != "raw":
        return "packed"
    head = bytes(data[:_HEAD])
    return next((each.name for each in STILLS if each.matches(head)), "other")


def _of_gpu() -> tuple[int, int]:
    free, total = torch.cuda.mem_get_info()
    return total - free, total


def _of_process() -> tuple[int, int]:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        kilobytes = int(_MEMINFO.read_text().split()[1])
    except (OSError, ValueError, IndexError):  # only Linux has them
        return 0, 0
    return pages * _PAGE, kilobytes * 1024
