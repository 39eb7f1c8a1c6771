"""ResNet-50 at 224 on a GPU: what decoding and the network can do alone, and both together.

Run by `make bench-gpu`; needs what `benchmarks.gpu_check` needs. Decoding runs in a thread a core,
two lanes (models.streams) stack, copy and infer, and batch sizes are fixed, so that `torch.compile`
compiles once. The device is busy while it infers at least one batch (CUDA events around each).
"""

import argparse
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import torch

from benchmarks.figures import Verdict, close
from benchmarks.gpu_proofs import pictures
from benchmarks.seeded import seeded_weights
from models.networks.torchvision import torchvision_record
from models.opencv import cv2
from models.preprocess import Preprocessing, normalise
from models.registry import ImageNetwork, build
from models.streams import use_own_stream
from models.tasks.task import Sample, stack
from models.weights import fill, read

_LEAST, _LEAST_BUSY = 0.90, 0.90
_JPEG_QUALITY = 90

_LANES = 2

Infer = Callable[[torch.Tensor], torch.Tensor]
# When something began and ended, in seconds.
Span = tuple[float, float]


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
    return _measure(given.batch, given.batches, given.compile)


def _measure(batch: int, batches: int, compiled: bool) -> int:
    device = torch.device("cuda")
    record = torchvision_record("torchvision/resnet50")
    module = build(record)
    fill(module, read(seeded_weights(record)), record.name)
    network = ImageNetwork(record, module, "cuda")
    infer = _infer(module, Preprocessing.read(record.preprocess), compiled)
    files = [_jpeg(sample) for sample in pictures(batch)]
    with ThreadPoolExecutor(os.cpu_count(), initializer=_decode_alone) as decoders:
        alone = {
            "decoding alone": _rate(_decoded(decoders, network, files, batches), batch),
            "network alone": _rate(_inferred(infer, device, batch, batches), batch),
        }
        spans: list[Span] = []
        decoded = _decoded(decoders, network, files, batches)
        start = time.perf_counter()
        together = _rate(_in_lanes(infer, device, decoded, spans), batch)
        share = covered(spans) / (time.perf_counter() - start)
    wanted = min(alone.values())
    figures = {**alone, "together": together, "device busy": share, "batch": batch}
    print(*(f"{name}: {value:,.2f}" for name, value in figures.items()), sep="\n")
    verdicts = [
        Verdict(f"together {together / wanted:.2f} x the slower alone >= {_LEAST}",
                together >= _LEAST * wanted),
        # Where decoding is the slower, the device has to wait for it.
        Verdict(f"device busy {share:.0%} >= {_LEAST_BUSY:.0%}, or decoding is the slower",
                share >= _LEAST_BUSY or alone["decoding alone"] < alone["network alone"]),
    ]  # fmt: skip
    return close("bench-gpu", figures, verdicts)


def _infer(module: torch.nn.Module, spec: Preprocessing, compiled: bool) -> Infer:
    """Normalise on the device, and run in half precision."""
    run = torch.compile(module) if compiled else module

    @torch.inference_mode()
    def infer(batch: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cuda", dtype=torch.float16):
            return torch.argmax(run(normalise(batch, spec)), dim=1)

    return infer


def _decoded(
    decoders: ThreadPoolExecutor, network: ImageNetwork, files: Sequence[bytes], batches: int
) -> Iterator[list[Sample]]:
    """Decode the same files again and again, two batches ahead."""
    coming = deque([decoders.submit(network.prepare, file) for file in files] for _ in range(2))
    for _ in range(batches):
        coming.append([decoders.submit(network.prepare, file) for file in files])
        yield [each.result() for each in coming.popleft()]


def _inferred(
    infer: Infer, device: torch.device, batch: int, batches: int
) -> Iterator[torch.Tensor]:
    """Infer a batch that lies on the device already."""
    there = stack(pictures(batch), device)
    infer(there)
    for _ in range(batches):
        classes = infer(there)
        yield classes
    classes.cpu()


def _in_lanes(
    infer: Infer, device: torch.device, decoded: Iterator[list[Sample]], spans: list[Span]
) -> Iterator[torch.Tensor]:
    """Infer each batch in the next lane that is free; notes when the device did so in `spans`."""
    zero = torch.cuda.Event(enable_timing=True)
    zero.record()

    def run(samples: Sequence[Sample]) -> torch.Tensor:
        begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        there = stack(samples, device)
        begun.record()
        classes = infer(there)
        ended.record()
        here = classes.cpu()
        spans.append((zero.elapsed_time(begun) / 1e3, zero.elapsed_time(ended) / 1e3))
        return here

    with ThreadPoolExecutor(_LANES, initializer=partial(use_own_stream, str(device))) as lanes:
        running: deque[Future[torch.Tensor]] = deque()
        for samples in decoded:
            running.append(lanes.submit(run, samples))
            # One more than lanes: who is done finds the next batch.
            if len(running) > _LANES + 1:
                yield running.popleft().result()
        for one in running:
            yield one.result()


def covered(spans: Iterable[Span]) -> float:
    """Give the seconds that at least one of the spans covers."""
    total = reached = 0.0
    for begin, end in sorted(spans):
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return total


def _rate(batches: Iterator[object], size: int) -> float:
    """Give images a second; the first batch is left out."""
    next(batches)
    start = time.perf_counter()
    count = sum(1 for _ in batches)
    return count * size / (time.perf_counter() - start)


def _jpeg(sample: Sample) -> bytes:
    pixels = sample.pixels.permute(1, 2, 0).numpy()
    large = cv2.resize(pixels, (500, 375), interpolation=cv2.INTER_CUBIC)
    _, data = cv2.imencode(".jpg", large, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return bytes(data)


def _decode_alone() -> None:
    torch.set_num_threads(1)


if __name__ == "__main__":
    raise SystemExit(main())
