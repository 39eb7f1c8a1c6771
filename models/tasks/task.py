"""The seam where a task slots in: functions that the registry's `Network` calls in order."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from models.record import ModelRecord

# One item on its way to the network: for an image, uint8 (channels, height, width).
Sample = torch.Tensor
# What a network gave for a batch, on the CPU. Sliceable by sample: outputs[i:j] are those of
# samples i to j, so that a batch of several shards can be taken apart again.
Outputs = torch.Tensor
# One sample's result: what goes into the item's `predictions`.
Predictions = list[dict[str, Any]]


@dataclass(frozen=True)
class Task:
    """What differs from task to task; each function is pure.

    check: refuse a record that the task cannot run; raises RecordError.
    prepare: one item's bytes -> sample; raises InputError. Runs in many threads at once.
    collate: samples -> one batch on the CPU.
    normalise: batch, already on the device -> the network's input, float32.
    blank: a sample that costs what a real one costs, for warming up.
    postprocess: outputs, params that `check_params` gave -> predictions, one list a sample.
    """

    name: str
    check: Callable[[ModelRecord], None]
    prepare: Callable[[ModelRecord, bytes], Sample]
    collate: Callable[[Sequence[Sample]], torch.Tensor]
    normalise: Callable[[ModelRecord, torch.Tensor], torch.Tensor]
    blank: Callable[[ModelRecord], Sample]
    postprocess: Callable[[ModelRecord, Outputs, Mapping[str, Any]], list[Predictions]]
