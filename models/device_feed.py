"""Brings batches to the device while it computes the one before.

    samples ──stack──► pinned buffer A or B ──copy, a stream of its own──► batch on the device
                                                                              │ event
                                                          compute stream ◄────┘

A copy from pinned memory runs beside kernels, and one from ordinary memory does not. Pinning costs
more than copying, so that two buffers are pinned once and take turns: while A's copy is on its way,
the next batch is stacked into B. A buffer is written again only when its last copy is over.

On the CPU there are no streams: the same turns are taken with ordinary memory, and a copy is over
when it is made. So everything but the three calls of CUDA is tested on any machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch

from models.tasks.task import Sample

_BUFFERS = 2


class Lane(Protocol):
    """How bytes get from the host to a device."""

    def buffer(self, size: int) -> torch.Tensor:
        """Give host memory, uint8 (size,), from which `send` copies."""

    def send(self, host: torch.Tensor) -> "Sent":
        """Begin to copy to the device."""


class Sent(Protocol):
    """A copy on its way."""

    def await_on_host(self) -> None:
        """Wait until the host's memory may be written again."""

    def await_on_device(self) -> torch.Tensor:
        """Give the copy, which the device's current stream may use from now on."""


class CudaLane:
    """Pinned memory and a second stream."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch's

    def buffer(self, size: int) -> torch.Tensor:
        """Give pinned memory."""
        return torch.empty(size, dtype=torch.uint8, pin_memory=True)

    def send(self, host: torch.Tensor) -> Sent:
        """Begin to copy, beside what the device computes."""
        with torch.cuda.stream(self._stream):
            there = host.to(self._device, non_blocking=True)
            copied = torch.cuda.Event()  # type: ignore[no-untyped-call]  # torch's
            copied.record(self._stream)
        return _CudaSent(there, copied)


@dataclass(frozen=True, slots=True)
class _CudaSent:
    there: torch.Tensor
    copied: torch.cuda.Event

    def await_on_host(self) -> None:
        self.copied.synchronize()

    def await_on_device(self) -> torch.Tensor:
        current = torch.cuda.current_stream(self.there.device)
        current.wait_event(self.copied)
        # It was allocated on the other stream: its memory may not be given away before this one is
        # through with it. https://docs.pytorch.org/docs/stable/generated/torch.Tensor.record_stream
        self.there.record_stream(current)
        return self.there


class CpuLane:
    """Ordinary memory; a copy is over when it is made."""

    def buffer(self, size: int) -> torch.Tensor:
        """Give memory."""
        return torch.empty(size, dtype=torch.uint8)

    def send(self, host: torch.Tensor) -> Sent:
        """Copy."""
        return _CpuSent(host.clone())


@dataclass(frozen=True, slots=True)
class _CpuSent:
    there: torch.Tensor

    def await_on_host(self) -> None:
        """Do nothing: the copy is made."""

    def await_on_device(self) -> torch.Tensor:
        return self.there


@dataclass(slots=True)
class _Buffer:
    memory: torch.Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.uint8))
    sent: Sent | None = None


class DeviceFeed:
    """Stacks samples and sends them to one device; belongs to one thread."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._buffers = [_Buffer() for _ in range(_BUFFERS)]
        self._turn = 0

    def put(self, samples: Sequence[Sample]) -> Sent:
        """Send samples of one shape and type.

        `await_on_device` gives them as (B, C, h, w), channels last in memory as in the samples.
        """
        buffer = self._buffers[self._turn]
        self._turn = (self._turn + 1) % _BUFFERS
        if buffer.sent is not None:
            buffer.sent.await_on_host()
        pixels = [sample.pixels.permute(1, 2, 0) for sample in samples]
        size = len(pixels) * pixels[0].nbytes
        if len(buffer.memory) < size:
            buffer.memory = self._lane.buffer(size)
        batch = buffer.memory[:size].view(pixels[0].dtype).view(len(pixels), *pixels[0].shape)
        torch.stack(pixels, out=batch)
        buffer.sent = self._lane.send(batch.permute(0, 3, 1, 2))
        return buffer.sent


def feed_for(device: torch.device) -> DeviceFeed:
    """Make the feed of a device."""
    return DeviceFeed(CudaLane(device) if device.type == "cuda" else CpuLane())
