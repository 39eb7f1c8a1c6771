"""The yardstick: the best loop that one process can run. No queue, no HTTP, no storage.

Threads decode the pictures, which lie in memory, and the main thread runs the network on one batch
while they decode the next ones. How many threads and how large a batch is tried out once, on some
of the pictures (`python -m benchmarks.contestants.raw WORK tune`), and the fastest plan is every
turn's.
"""

import json
import os
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any

import torch

from benchmarks.contestants.turns import WARM_UP, given_work, take_turns
from models.onnx_models.reading import session
from models.runtime.network import Network
from models.tasks.task import Sample

_BATCHES = (16, 32, 64, 128)
# Batches that are decoded ahead of the one that is inferred.
_AHEAD = 3
# So long each plan is tried, and how often the best ones are tried again: a single try is at the
# mercy of the machine.
_TRY_S, _BEST, _MORE_TRIES = 0.7, 4, 2
# Seconds of a batch from which on a single one is enough for a try.
_LONG_S = 1.5


@dataclass(frozen=True, slots=True)
class Plan:
    """How many threads decode, how many the network may use, and how many pictures it gets."""

    decoders: int
    cores: int
    batch: int


def run(network: Network, items: Sequence[bytes], plan: Plan) -> list[int]:
    """Infer all pictures; gives their classes."""
    torch.set_num_threads(plan.cores)
    batches = (items[start : start + plan.batch] for start in range(0, len(items), plan.batch))
    with ThreadPoolExecutor(plan.decoders, initializer=_decode_alone) as decoders:
        pending: deque[list[Future[Sample]]] = deque()
        labels: list[int] = []
        for batch in batches:
            pending.append([decoders.submit(network.prepare, item) for item in batch])
            if len(pending) > _AHEAD:
                labels += _classes(network, pending.popleft())
        for decoding in pending:
            labels += _classes(network, decoding)
    return labels


def best_plan(network: Network, items: Sequence[bytes]) -> Plan:
    """Try every plan of a small grid on some of the pictures; gives the fastest."""
    cores = os.cpu_count() or 1
    grid = product((cores,), sorted({1, cores}), _BATCHES)
    plans = [Plan(*each) for each in grid if each[2] <= len(items)]
    rates = {plan: _rate(network, items, plan) for plan in plans}
    best = sorted(plans, key=rates.__getitem__)[-_BEST:]
    is_long = best[-1].batch / rates[best[-1]] >= _LONG_S
    # Beside a long batch decoding is next to nothing, however many threads do it.
    if not is_long:
        best += [replace(plan, decoders=cores + 1) for plan in best]
    for plan in best:
        # One that takes seconds is less at the mercy of the machine.
        again = (_rate(network, items, plan) for _ in range(1 if is_long else _MORE_TRIES))
        rates[plan] = max(rates.get(plan, 0.0), *again)
    return max(rates, key=rates.__getitem__)


def _rate(network: Network, items: Sequence[bytes], plan: Plan) -> float:
    """Give the pictures a second of a plan, over a second or all of them, or one long batch."""
    start = time.perf_counter()
    run(network, items[: plan.batch], plan)
    if (taken := time.perf_counter() - start) > _LONG_S:
        return plan.batch / taken
    step = plan.batch * (_AHEAD + 1)
    done, start = 0, time.perf_counter()
    while done < len(items) and time.perf_counter() - start < _TRY_S:
        done += len(run(network, items[done : done + step], plan))
    return done / (time.perf_counter() - start)


def _classes(network: Network, decoding: list[Future[Sample]]) -> list[int]:
    outputs = network.forward([each.result() for each in decoding])
    assert isinstance(outputs, torch.Tensor)
    classes: list[int] = outputs.argmax(1).tolist()
    return classes


def _decode_alone() -> None:
    torch.set_num_threads(1)


def main() -> None:
    """Take turns by the plan that their options bear, or print which one is the best."""
    work = given_work()
    # onnxruntime computes with all cores, as those who call it have it.
    session.HEAVY_S = 0.0
    network, items = work.load(), work.items()
    run(network, items[:WARM_UP], Plan(2, 1, 16))
    if sys.argv[2:] == ["tune"]:
        print(json.dumps(asdict(best_plan(network, items))))
        return

    def turn(options: Mapping[str, Any]) -> tuple[float, list[int]]:
        start = time.perf_counter()
        labels = run(network, items, Plan(**options))
        return time.perf_counter() - start, labels

    take_turns(turn)


if __name__ == "__main__":
    main()
