"""Networks on the device: loaded on demand, kept within a budget, run in batches that fit."""

import ctypes
import gc
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import structlog
import torch

from jobs.metrics import metrics
from jobs.results.segments import ItemError
from models.runtime.device_faults import is_device_lost, is_out_of_memory
from models.runtime.halving import in_halves
from models.runtime.network import Network
from models.tasks.task import Sample, Step, Text
from workers.engine.reading.chunk import Piece

log = structlog.get_logger(__name__)

OUT_OF_MEMORY = "out_of_memory"

# Seconds for which nothing is lent while a load waits for room: most shards are over by then, and
# who has a network for a video may have it for hours.
_CLOSED_S = 30.0

# Makes room for so many bytes of weights, before they are read.
MakeRoom = Callable[[int], None]
Load = Callable[[MakeRoom], Network]


@dataclass(slots=True)
class _Held:
    network: Network
    users: int = 0


class Networks:
    """Keeps loaded networks, by version; the least recently used leaves when memory is short.

    Who loads one makes room for it first: what nobody uses leaves before anything is read, and if
    that is not enough, the load waits until somebody is done; meanwhile nothing is lent anew, or
    it might wait for ever. Only one that is larger than the whole budget exceeds it, and is alone
    then.
    """

    def __init__(self, budget_bytes: int) -> None:
        self._budget = budget_bytes
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._lock = threading.Condition()
        # Until when nothing is lent, because a load waits for room; 0 while none does.
        self._closed_until = 0.0
        # One load at a time: two at once would each see room for themselves.
        self._loading = threading.Lock()

    def borrow(self, model: str, load: Load) -> Network:
        """Give the network of a version such as `digits@3`, loading it if need be.

        `load` is given what makes room for the bytes that it is about to read. `give_back` must
        follow.
        """
        if (held := self._find(model)) is not None:
            return held
        with self._loading:
            if (held := self._find(model)) is not None:
                return held
            with metrics.NETWORK_LOAD_SECONDS.time():
                network = load(self._make_room)
            with self._lock:
                self._held[model] = _Held(network, users=1)
                dropped = self._evict(keep=model)
            # The file's bytes and their first copy are of no use any more.
            _collect() if dropped else trim()
            return network

    def give_back(self, model: str) -> None:
        """Say that a borrowed network is no longer used by the borrower."""
        with self._lock:
            self._held[model].users -= 1
            dropped = self._evict(keep=next(reversed(self._held)))
            self._lock.notify_all()
        if dropped:
            _collect()

    def rename(self, model: str, wanted: str) -> None:
        """Hold what was borrowed as `model`, and nobody uses, as `wanted`, unless that is held."""
        with self._lock:
            held = self._held.pop(model, None)
            dropped = held is not None and wanted in self._held
            if held is not None and not dropped:
                self._held[wanted] = held
        if dropped:
            _collect()

    def drop(self, models: Collection[str]) -> None:
        """Drop the networks of versions that are gone, if nobody uses them."""
        with self._lock:
            dropped = [model for model in models if self._drop(model)]
        if dropped:
            _collect()

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
            left = max(0.0, self._closed_until - time.monotonic())
            self._lock.wait_for(lambda: not self._closed_until, left)
            held = self._held.get(model)
            if held is None:
                return None
            held.users += 1
            self._held.move_to_end(model)
            return held.network

    def _make_room(self, size_bytes: int) -> None:
        with self._lock:
            self._evict(size_bytes)
            # Whoever uses one never waits for another, so all are given back in the end.
            while self._held and self.size_bytes + size_bytes > self._budget:
                self._closed_until = self._closed_until or time.monotonic() + _CLOSED_S
                self._lock.wait()
                self._evict(size_bytes)
            self._closed_until = 0.0
            self._lock.notify_all()
        _collect()

    def _evict(self, size_bytes: int = 0, keep: str | None = None) -> bool:
        """Drop unused networks, oldest first, until the rest and `size_bytes` fit.

        Says whether any was dropped: `_collect` must follow, outside the lock.
        """
        dropped = False
        for model in list(self._held):
            if self.size_bytes + size_bytes <= self._budget:
                break
            if model != keep:
                dropped |= self._drop(model)
        return dropped

    def _drop(self, model: str) -> bool:
        held = self._held.get(model)
        if held is None or held.users:
            return False
        del self._held[model]
        metrics.NETWORKS_EVICTED.inc()
        log.info("network_dropped", model=model)
        return True


def infer(network: Network, samples: Sequence[Sample | Text | Step]) -> list[Piece]:
    """Run a network on samples; gives pieces that together cover them in order.

    A batch that fails is run again in halves (models.runtime.halving).
    """
    model = network.record.name

    def failed(size: int, err: Exception) -> None:
        end_if_device_lost(model, err)
        if size > 1:
            log.warning("batch_halved", model=model, size=size, error=str(err))

    return [
        Piece(count, error=_reason(given))
        if isinstance(given, Exception)
        else Piece(count, outputs=given)
        for count, given in in_halves(network.forward, samples, failed)
    ]


def end_if_device_lost(model: str, err: Exception) -> None:
    """End the process if CUDA itself failed: every later call would fail too."""
    if is_device_lost(err):
        log.critical("device_lost", model=model, error=str(err))
        # A crash, so that the flight record names the suspects.
        os.abort()


def _collect() -> None:
    """End networks that were dropped, and give their memory back to device and system."""
    # One that was flattened refers to itself: only a collection ends it.
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    trim()


def trim() -> None:
    """Give memory that was freed back to the system, as far as there is a way.

    glibc keeps it for itself, in the places where it lay: after a hundred networks a process would
    be several times as large as those that it holds.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _reason(err: Exception) -> ItemError:
    if is_out_of_memory(err):
        message = "The network ran out of memory on this item alone."
        return ItemError(OUT_OF_MEMORY, message, retryable=True)
    return ItemError("inference_failed", f"The network failed on this item: {err}")
