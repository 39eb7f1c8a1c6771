"""What `benchmarks.gpu.check` proves of a device: a proof raises AssertionError or gives figures.

On a machine without CUDA the same proofs run on the CPU: their figures mean nothing there, but what
they prove of the logic holds.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch
from torchvision.transforms import functional as tv

from benchmarks.seeded import seeded_weights
from models.networks.torchvision import torchvision_record
from models.preprocessing.preprocess import Preprocessing, normalise, to_sample
from models.records.record import Limits, ModelRecord
from models.runtime.halving import in_halves
from models.runtime.network import Network
from models.runtime.registry import load
from models.runtime.streams import use_own_stream
from models.tasks.task import Sample, stack

Figures = Mapping[str, float | str]

# On a GPU, and where figures mean nothing.
_BATCHES, _FEW_BATCHES = 20, 2
_BATCH = 32
# Largest difference of a logit to float32's, as a part of the largest logit: eleven and eight bits
# of mantissa, through twenty layers.
_PRECISIONS = {torch.float16: 0.02, torch.bfloat16: 0.15}
# Grey levels by which a resize in float may differ from one in fixed point.
_LEVELS = 2
_WORKER_S = 120.0
# What a batch of 32 needs beside the weights, and eight of them do not fit into.
_LITTLE_BYTES = 2**28


def compute_exactly() -> None:
    """Keep float32 to itself: convolutions on a GPU take eleven bits of it otherwise (TF32)."""
    torch.backends.cudnn.allow_tf32 = False


def record() -> ModelRecord:
    """Give the record of the network that the proofs run."""
    return torchvision_record("torchvision/mobilenet_v3_small")


def network_on(device: torch.device, autocast: torch.dtype | None = None) -> Network:
    """Build it with seeded weights."""
    return load(record(), seeded_weights(record()), device=str(device), autocast=autocast)


def pictures(count: int, seed: int = 0) -> list[Sample]:
    """Draw samples as they are prepared: soft blots, uint8 (3, 224, 224), channels last."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 7, 7, generator=generator) * 255
    soft = torch.nn.functional.interpolate(coarse, size=(224, 224), mode="bicubic")
    pixels = soft.clamp(0, 255).to(torch.uint8).contiguous(memory_format=torch.channels_last)
    return [Sample(each, 224, 224) for each in pixels]


def prove_lanes(device: torch.device) -> Figures:
    """Batches of any size in two lanes give what each gives alone; prints what that brings."""
    network = network_on(device)
    count = _BATCHES if device.type == "cuda" else 2 * _FEW_BATCHES
    batches = [pictures(_BATCH - number % 7, number) for number in range(count)]
    figures: dict[str, float | str] = {}
    expected = [_logits(network, batch) for batch in batches]
    for lanes in (1, 2):
        with ThreadPoolExecutor(lanes, initializer=partial(_begin_lane, device)) as threads:
            # The first batch of each size sets a lane up for it.
            list(threads.map(partial(_logits, network), batches))
            start = time.perf_counter()
            found = list(threads.map(partial(_logits, network), batches))
            seconds = time.perf_counter() - start
        for logits, wanted in zip(found, expected, strict=True):
            off = (logits - wanted).abs().max().item() / wanted.abs().max().item()
            assert off < 1e-3, f"with {lanes} lanes a batch is {off} off"
        figures[f"images/s, lanes: {lanes}"] = sum(map(len, batches)) / seconds
    return figures


def _begin_lane(device: torch.device) -> None:
    use_own_stream(str(device))
    torch.set_num_threads(1)


def prove_preprocessing(device: torch.device) -> Figures:
    """Normalising there gives what it gives here; resizing there is at most two levels off."""
    spec = Preprocessing.read(record().preprocess)
    batch = torch.stack([sample.pixels for sample in pictures(4)])
    there = normalise(batch.to(device), spec).cpu()
    worst = (there - normalise(batch, spec)).abs().max().item()
    assert worst < 1e-5, f"normalising on the device is {worst} off"
    large = tv.resize(batch[0], [375, 500])
    here = to_sample(large.permute(1, 2, 0).contiguous().numpy(), spec, Limits())
    resized = tv.resize(large.to(device), [spec.resize], interpolation=spec.interpolation)
    off = (tv.center_crop(resized, [spec.crop]).cpu().int() - here.int()).abs().max().item()
    assert off <= _LEVELS, f"resizing on the device is {off} levels off"
    return {"normalise, worst difference": worst, "resize, levels off": off}


def prove_precisions(device: torch.device) -> Figures:
    """Autocast to fp16 and bf16 gives float32's logits, as far as their digits go."""
    # A CPU without instructions for them takes long.
    samples = pictures(_BATCH if device.type == "cuda" else 4)
    exact = _logits(network_on(device), samples)
    figures: dict[str, float | str] = {}
    for precision, most in _PRECISIONS.items():
        network = network_on(device, precision)
        low = _logits(network, samples)
        off = ((low - exact).abs().max() / exact.abs().max()).item()
        name = str(precision).removeprefix("torch.")
        assert off <= most, f"{name} is {off:.3f} off where {most} is allowed"
        figures[f"{name}, difference"] = off
        figures[f"{name}, images/s"] = _rate(partial(network.forward, samples), samples, device)
    return figures


def prove_channels_last(device: torch.device) -> Figures:
    """Weights and inputs lie channels last; prints what it brings."""
    network, samples = network_on(device), pictures(_BATCH)
    last = torch.channels_last
    weights = [each for each in network.module.parameters() if each.dim() == 4]
    assert all(each.is_contiguous(memory_format=last) for each in weights)
    spec = Preprocessing.read(record().preprocess)
    inputs = normalise(stack(samples, device), spec)
    assert inputs.is_contiguous(memory_format=last)

    def rate(inputs: torch.Tensor) -> float:
        with torch.inference_mode():
            return _rate(partial(network.module, inputs), samples, device)

    figures: dict[str, float | str] = {"channels last, images/s": rate(inputs)}
    network.module.to(memory_format=torch.contiguous_format)  # to compare
    figures["channels first, images/s"] = rate(inputs.contiguous())
    return figures


def prove_halving(device: torch.device) -> Figures:
    """A batch that does not fit the memory is run in parts, with the results of the whole."""
    network, samples = network_on(device), pictures(8 * _BATCH)
    whole = _logits(network, samples)
    sizes: list[int] = []
    with _little_memory(network, device) as run:
        parts = in_halves(run, samples, lambda size, _: sizes.append(size))
    assert sizes, "the batch fitted; nothing was proven"
    assert sum(count for count, _ in parts) == len(samples)
    outputs = [given for _, given in parts if isinstance(given, torch.Tensor)]
    assert len(outputs) == len(parts), "a part failed that should fit"
    worst = (torch.cat(outputs) - whole).abs().max().item() / whole.abs().max().item()
    assert worst < 1e-2, f"the parts are {worst} off the whole"
    return {"halved at": ", ".join(map(str, sizes)), "worst difference": worst}


@contextmanager
def _little_memory(
    network: Network, device: torch.device
) -> Iterator[Callable[[Sequence[Sample]], object]]:
    """Leave so little memory that a large batch does not fit; gives what runs the network."""
    if device.type != "cuda":
        yield partial(_refusing, network)
        return
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(device).total_memory
    most = torch.cuda.memory_reserved(device) + _LITTLE_BYTES
    torch.cuda.set_per_process_memory_fraction(most / total, device)
    try:
        yield network.forward
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)


def _refusing(network: Network, samples: Sequence[Sample]) -> object:
    if len(samples) > _BATCH:
        raise torch.OutOfMemoryError(f"{len(samples)} samples do not fit.")
    return network.forward(samples)


def prove_apart(device: torch.device) -> Figures:
    """Two processes pinned to one device give their own results; one's death leaves the other."""
    expected = _logits(network_on(device), pictures(_BATCH, 1)).argmax(1).tolist()
    doomed, other = _worker(device, "doomed"), _worker(device, "other")
    try:
        for worker in (doomed, other):
            assert worker.stdout is not None
            assert worker.stdout.readline().strip() == str(expected), "a worker's results differ"
        doomed.send_signal(signal.SIGKILL)
        doomed.wait(_WORKER_S)
        answer, _ = other.communicate("again\n", _WORKER_S)
        assert answer.strip() == str(expected), "the death of one changed the other"
    finally:
        for worker in (doomed, other):
            worker.kill()
            worker.wait()
    return {"workers": 2}


def _worker(device: torch.device, name: str) -> "subprocess.Popen[str]":
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    environ = {**os.environ, "CUDA_VISIBLE_DEVICES": visible if device.type == "cuda" else ""}
    return subprocess.Popen(  # noqa: S603  # our own command line
        [sys.executable, "-m", "benchmarks.gpu.proofs", device.type, name],
        env=environ, cwd=Path.cwd(), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip


def _logits(network: Network, samples: Sequence[Sample]) -> torch.Tensor:
    outputs = network.forward(samples)
    assert isinstance(outputs, torch.Tensor)
    return outputs


def _rate(run: Callable[[], object], samples: Sequence[Sample], device: torch.device) -> float:
    """Give images a second: some runs, the first left out."""
    run()
    _finish(device)
    runs = _BATCHES if device.type == "cuda" else _FEW_BATCHES
    start = time.perf_counter()
    for _ in range(runs):
        run()
    _finish(device)
    return runs * len(samples) / (time.perf_counter() - start)


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def work() -> None:
    """Be one of the two workers: say the classes, and again for every line of input."""
    compute_exactly()
    network, samples = network_on(torch.device(sys.argv[1])), pictures(_BATCH, 1)
    print(_logits(network, samples).argmax(1).tolist(), flush=True)
    for _ in sys.stdin:
        print(_logits(network, samples).argmax(1).tolist(), flush=True)


if __name__ == "__main__":
    work()
