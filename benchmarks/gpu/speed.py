"""ResNet-50 at 224 on a GPU: what decoding and the network can do alone, and both together.

Run by `make bench-gpu`; needs what `benchmarks.gpu.check` needs. JPEGs are decoded by a thread a
core, and two lanes (models.runtime.streams) stack, copy and infer with the network that a worker
loads, in half precision. Then once more with JPEGs decoded and resized on the device (nvJPEG),
which no worker does, to tell whether it would pay. Threads, lanes and kernels are warm before a
clock runs.

The device is busy from when a batch is there until its classes are (CUDA events around each): what
it waits for between two kernels counts as well.
"""

import argparse
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any

import torch
from torchvision.io import ImageReadMode, decode_jpeg
from torchvision.transforms import functional as tv

from benchmarks.figures import Verdict, close
from benchmarks.gpu.proofs import pictures
from benchmarks.seeded import seeded_weights
from models.media.opencv import cv2
from models.networks.torchvision import torchvision_record
from models.preprocessing.preprocess import Preprocessing, normalise
from models.runtime.network import ImageNetwork
from models.runtime.registry import load
from models.runtime.streams import use_own_stream
from models.tasks.task import Sample, stack

_LEAST, _LEAST_BUSY = 0.90, 0.90
_JPEG_QUALITY = 90

_LANES = 2
# Seconds within which every lane has run a batch.
_WARM_UP_S = 300.0
# Batches that are decoded ahead of the one that a lane takes.
_AHEAD = 2

ALONE, NETWORK, TOGETHER, BUSY = "decoding alone", "network alone", "together", "device busy"
THERE = "together, decoded on the device"

# When something began and ended, in seconds.
Span = tuple[float, float]
Figures = dict[str, float]


def main() -> int:
    """Measure and compare; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--batches", type=int, default=40)
    parser.add_argument("--compile", action="store_true", help="torch.compile the network")
    given = parser.parse_args()
    if not torch.cuda.is_available():
        print("skipped: no CUDA here (torch.cuda.is_available() is False).")
        return 0
    device = torch.device("cuda", 0)
    bench = Bench(device, "torchvision/resnet50", given.batch, given.batches, given.compile)
    figures = bench.measure()
    try:
        figures[THERE] = bench.decoding_there()
    except RuntimeError as err:
        print(f"left out: {THERE}: {err}")
    print(*(f"{name}: {value:,.2f}" for name, value in figures.items()), sep="\n")
    return close("bench-gpu", {**figures, "batch": given.batch}, verdicts_of(figures))


def verdicts_of(figures: Figures) -> list[Verdict]:
    """Hold what was measured against what is wanted."""
    together, busy = figures[TOGETHER] / min(figures[ALONE], figures[NETWORK]), figures[BUSY]
    return [
        Verdict(f"together {together:.2f} x the slower alone >= {_LEAST}", together >= _LEAST),
        # Where decoding is the slower, the device has to wait for it.
        Verdict(f"device busy {busy:.0%} >= {_LEAST_BUSY:.0%}, or decoding is the slower",
                busy >= _LEAST_BUSY or figures[ALONE] < figures[NETWORK]),
    ]  # fmt: skip


class Bench:
    """One network on one device, and a batch of JPEGs that it infers again and again."""

    def __init__(
        self, device: torch.device, name: str, batch: int, batches: int, compiled: bool = False
    ) -> None:
        record = torchvision_record(name)
        half = torch.float16 if device.type == "cuda" else None
        network = load(record, seeded_weights(record), device=str(device), autocast=half)
        assert isinstance(network, ImageNetwork)
        self._device, self._network, self._batches = device, network, batches
        self._spec = Preprocessing.read(record.preprocess)
        # What it compiles for is, among others, the number of the thread's cores.
        self._run = torch.compile(network.module) if compiled else network.module
        self._pictures = pictures(batch)
        self._files = [_jpeg(sample) for sample in self._pictures]
        self._zero = _mark(device)

    def measure(self) -> Figures:
        """Give images a second, and the share of time for which the device was busy."""
        use_one_core()
        # Before any lane: it compiles here, if it is to.
        self._infer_resident()
        network = self._rate(self._infer_resident)
        spans: list[Span] = []
        with ThreadPoolExecutor(os.cpu_count(), initializer=use_one_core) as decoders:
            first = list(decoders.map(self._network.prepare, self._files))
            alone = self._rate(lambda: deque(self._decoded(decoders), maxlen=0))
            run = partial(self._infer_samples, spans)
            together = self._in_lanes(first, lambda: self._decoded(decoders), run, spans.clear)
        busy = covered(spans) * together / (self._batches * len(self._files))
        return {ALONE: alone, NETWORK: network, TOGETHER: together, BUSY: busy}

    def decoding_there(self) -> float:
        """Give images a second with JPEGs decoded and resized on the device.

        Raises RuntimeError where torchvision cannot.
        """
        files = [torch.frombuffer(bytearray(each), dtype=torch.uint8) for each in self._files]
        return self._in_lanes(files, lambda: [files] * self._batches, self._infer_files)

    def _decoded(self, decoders: ThreadPoolExecutor) -> Iterator[list[Sample]]:
        """Decode the same files again and again, some batches ahead."""
        coming: deque[list[Future[Sample]]] = deque()
        for number in range(self._batches + _AHEAD):
            if number < self._batches:
                prepare = self._network.prepare
                coming.append([decoders.submit(prepare, each) for each in self._files])
            if number >= _AHEAD:
                yield [each.result() for each in coming.popleft()]

    def _infer_samples(self, spans: list[Span], samples: Sequence[Sample]) -> torch.Tensor:
        """Do what a lane does with a batch; notes when the device was at it."""
        there = stack(samples, self._device)
        begun = _mark(self._device)
        classes = self._infer(there)
        ended = _mark(self._device)
        here = classes.cpu()
        spans.append((_since(self._zero, begun), _since(self._zero, ended)))
        return here

    def _infer_files(self, files: Sequence[torch.Tensor]) -> torch.Tensor:
        decoded = decode_jpeg(list(files), ImageReadMode.RGB, self._device)
        mode, size = self._spec.interpolation, [self._spec.resize]
        resized = (tv.resize(each, size, interpolation=mode) for each in decoded)
        there = torch.stack([tv.center_crop(each, [self._spec.crop]) for each in resized])
        return self._infer(there).cpu()

    def _infer_resident(self) -> torch.Tensor:
        """Infer a batch that lies on the device already, as often as there are batches."""
        there = stack(self._pictures, self._device)
        for _ in range(self._batches):
            classes = self._infer(there)
        return classes.cpu()

    def _infer(self, there: torch.Tensor) -> torch.Tensor:
        with self._network._inferring():
            logits: torch.Tensor = self._run(normalise(there, self._spec))
            return logits.argmax(1)

    def _in_lanes(
        self,
        first: Any,
        batches: Callable[[], Iterable[Any]],
        run: Callable[[Any], object],
        warm: Callable[[], object] = lambda: None,
    ) -> float:
        """Give images a second; each lane runs `first` before, and then `warm` is called."""
        begun = Barrier(_LANES, timeout=_WARM_UP_S)

        def begin(_: int) -> None:
            run(first)
            begun.wait()

        with ThreadPoolExecutor(_LANES, initializer=partial(_begin_lane, self._device)) as lanes:
            list(lanes.map(begin, range(_LANES)))
            warm()
            return self._rate(lambda: _spread(lanes, batches(), run))

    def _rate(self, run: Callable[[], object]) -> float:
        """Give images a second of something that runs all batches."""
        start = time.perf_counter()
        run()
        return self._batches * len(self._files) / (time.perf_counter() - start)


def _spread(
    lanes: ThreadPoolExecutor, batches: Iterable[Any], run: Callable[[Any], object]
) -> None:
    """Run batches in lanes, one more at a time than there are lanes."""
    running: deque[Future[object]] = deque()
    for batch in batches:
        running.append(lanes.submit(run, batch))
        # Who is done finds the next one.
        if len(running) > _LANES + 1:
            running.popleft().result()
    for one in running:
        one.result()


def covered(spans: Iterable[Span]) -> float:
    """Give the seconds that at least one of the spans covers."""
    total = reached = 0.0
    for begin, end in sorted(spans):
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return total


def _mark(device: torch.device) -> Any:
    """Mark this place in what the device is to do; without a GPU, the time."""
    if device.type != "cuda":
        return time.perf_counter()
    event = torch.cuda.Event(enable_timing=True)
    event.record()
    return event


def _since(zero: Any, mark: Any) -> float:
    """Give the seconds between two marks that the device has passed."""
    return mark - zero if isinstance(mark, float) else zero.elapsed_time(mark) / 1e3


def _jpeg(sample: Sample) -> bytes:
    pixels = sample.pixels.permute(1, 2, 0).numpy()
    large = cv2.resize(pixels, (500, 375), interpolation=cv2.INTER_CUBIC)
    _, data = cv2.imencode(".jpg", large, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return bytes(data)


def use_one_core() -> None:
    """Keep torch in the calling thread to one core."""
    torch.set_num_threads(1)


def _begin_lane(device: torch.device) -> None:
    use_own_stream(str(device))
    use_one_core()


if __name__ == "__main__":
    raise SystemExit(main())
