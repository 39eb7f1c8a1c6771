"""Networks on the device: loaded on demand, kept within a budget, run in batches that fit."""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
import torch

from jobs.segments import ItemError
from models.registry import Network
from models.tasks.task import Sample, Step
from workers.engine.chunk import Piece

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Held:
    network: Network
    users: int = 0


class Networks:
    """Keeps loaded networks, by version; the least recently used leaves when memory is short."""

    def __init__(self, budget_bytes: int) -> None:
        self._budget = budget_bytes
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._lock = threading.Lock()
        # One load at a time: two at once would each see room for themselves.
        self._loading = threading.Lock()

    def borrow(self, model: str, load: Callable[[], Network]) -> Network:
        """Give the network of a version such as `digits@3`, loading it if need be.

        `give_back` must follow.
        """
        if (held := self._find(model)) is not None:
            return held
        with self._loading:
            if (held := self._find(model)) is not None:
                return held
            network = load()
            with self._lock:
                self._held[model] = _Held(network, users=1)
                self._evict()
            return network

    def give_back(self, model: str) -> None:
        """Say that a borrowed network is no longer used by the borrower."""
        with self._lock:
            self._held[model].users -= 1
            self._evict()

    def held(self) -> list[str]:
        """Name the versions that are loaded."""
        with self._lock:
            return list(self._held)

    @property
    def size_bytes(self) -> int:
        """Bytes of weights that are loaded."""
        return sum(held.network.size_bytes for held in self._held.values())

    def _find(self, model: str) -> Network | None:
        with self._lock:
            held = self._held.get(model)
            if held is None:
                return None
            held.users += 1
            self._held.move_to_end(model)
            return held.network

    def _evict(self) -> None:
        """Drop unused networks, oldest first, until the rest fits; one always stays."""
        for model in list(self._held)[:-1]:
            if self.size_bytes <= self._budget:
                return
            if self._held[model].users == 0:
                del self._held[model]
                log.info("network_evicted", model=model)


def infer(network: Network, samples: Sequence[Sample | Step]) -> list[Piece]:
    """Run a network on samples; gives pieces that together cover them in order.

    A batch that fails is run again in halves, down to single samples: one that is too large finds
    its size, and one with a bad sample finds the sample.
    """
    try:
        return [Piece(len(samples), outputs=network.forward(samples))]
    except Exception as err:  # whatever a network raises costs items, not the process
        if _has_lost_device(err):
            log.critical("device_lost", model=network.record.name, error=str(err))
            # A crash, so that the flight record names the suspects.
            os.abort()
        if len(samples) == 1:
            return [Piece(1, error=_reason(err))]
        log.warning("batch_halved", model=network.record.name, size=len(samples), error=str(err))
    half = len(samples) // 2
    return infer(network, samples[:half]) + infer(network, samples[half:])


def _has_lost_device(err: Exception) -> bool:
    """Say whether CUDA itself failed: then every later call of this process would fail too."""
    out_of_memory = isinstance(err, torch.OutOfMemoryError)
    return isinstance(err, RuntimeError) and "CUDA error" in str(err) and not out_of_memory


def _reason(err: Exception) -> ItemError:
    if isinstance(err, torch.OutOfMemoryError | MemoryError):
        message = "The network ran out of memory on this item alone."
        return ItemError("out_of_memory", message, retryable=True)
    return ItemError("inference_failed", f"The network failed on this item: {err}")
