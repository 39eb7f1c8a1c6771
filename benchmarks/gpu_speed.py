"""ResNet-50 at 224 on a GPU: what decoding and the network can do alone, and both together.

Run by `make bench-gpu`; needs what `benchmarks.gpu_check` needs. Decoding runs in a thread a core,
the feed (models.device_feed) sends a batch while the one before is computed, and batch sizes are
fixed, so that `torch.compile` compiles once. The device's busy share is that of its kernels' time
(CUDA events around each batch) in the time of the whole loop.
"""

import argparse
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch

from benchmarks.figures import Verdict, close
from benchmarks.gpu_proofs import pictures
from benchmarks.seeded import seeded_weights
from models.device_feed import Sent, feed_for
from models.networks.torchvision import torchvision_record
from models.opencv import cv2
from models.preprocess import Preprocessing, normalise
from models.registry import Network, build
from models.tasks.task import Sample
from models.weights import fill, read

_LEAST, _LEAST_BUSY = 0.90, 0.90
_JPEG_QUALITY = 90

Infer = Callable[[torch.Tensor], torch.Tensor]


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
    network = Network(record, module, "cuda")
    infer = _infer(module, Preprocessing.read(record.preprocess), compiled)
    files = [_jpeg(sample) for sample in pictures(batch)]
    with ThreadPoolExecutor(os.cpu_count(), initializer=_decode_alone) as decoders:
        alone = {
            "decoding alone": _rate(_decoded(decoders, network, files, batches), batch),
            "network alone": _rate(_inferred(infer, device, batch, batches), batch),
        }
        busy: list[float] = []
        decoded = _decoded(decoders, network, files, batches)
        start = time.perf_counter()
        together = _rate(_fed(infer, device, decoded, busy), batch)
        share = sum(busy) / (time.perf_counter() - start)
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
    decoders: ThreadPoolExecutor, network: Network, files: Sequence[bytes], batches: int
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
    there = feed_for(device).put(pictures(batch)).await_on_device()
    infer(there)
    for _ in range(batches):
        classes = infer(there)
        yield classes
    classes.cpu()


def _fed(
    infer: Infer, device: torch.device, decoded: Iterator[list[Sample]], busy: list[float]
) -> Iterator[torch.Tensor]:
    """Send each batch while the one before is computed; notes the kernels' seconds in `busy`."""
    feed = feed_for(device)
    running: tuple[torch.Tensor, torch.cuda.Event, torch.cuda.Event] | None = None
    for samples in decoded:
        launched = _launch(infer, feed.put(samples))
        if running is not None:
            yield _awaited(running, busy)
        running = launched
    if running is not None:
        yield _awaited(running, busy)


def _launch(infer: Infer, sent: Sent) -> tuple[torch.Tensor, torch.cuda.Event, torch.cuda.Event]:
    begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    there = sent.await_on_device()
    begun.record()
    classes = infer(there)
    # Behind this batch alone: a copy that is asked for later would wait for the next one's kernels.
    here = torch.empty(classes.shape, dtype=classes.dtype, pin_memory=True)
    here.copy_(classes, non_blocking=True)
    ended.record()
    return here, begun, ended


def _awaited(
    running: tuple[torch.Tensor, torch.cuda.Event, torch.cuda.Event], busy: list[float]
) -> torch.Tensor:
    classes, begun, ended = running
    ended.synchronize()
    busy.append(begun.elapsed_time(ended) / 1e3)
    return classes


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
