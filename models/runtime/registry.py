"""From a record and its weights to a network that runs.

    record.architecture ─► source ─► runtime: weights ─► module ─► Network

A runtime is a function that makes a module of a version's bytes, for a device: what it gives takes
a batch, float32 (B, channels, h, w), and answers as its task reads it (models/tasks). A new runtime
is one file and one line in `RUNTIMES`.
"""

from collections.abc import Callable, Mapping

import torch
from torch import nn

from models.extensions.loading import EXTENSIONS
from models.records.architectures import WeightsKind, source_of
from models.records.errors import RecordError
from models.records.record import ModelRecord
from models.runtime import weights as weights_file
from models.runtime.network import ImageNetwork, Network, OwnNetwork, VideoNetwork
from models.runtime.task_tables import TASKS, VIDEO_TASKS
from models.runtime.torch_runtime import check_known, load_module
from models.tasks.task import Task, VideoTask

Runtime = Callable[[ModelRecord, bytes, str], nn.Module]


def _by_torch(record: ModelRecord, weights: bytes, _device: str) -> nn.Module:
    return load_module(record, weights)


def _by_onnxruntime(record: ModelRecord, weights: bytes, device: str) -> nn.Module:
    # Not before it is needed: it is an extra.
    from models.onnx_models.reading import session

    return session.load_module(record, weights, device)


# Who runs what, by the kind of its weights.
RUNTIMES: Mapping[WeightsKind, Runtime] = {"safetensors": _by_torch, "onnx": _by_onnxruntime}


def load(
    record: ModelRecord,
    weights: bytes,
    digest: str | None = None,
    device: str = "cpu",
    autocast: torch.dtype | None = None,
) -> Network:
    """Make the record's network of its weights.

    `digest` ("sha256:<hex>") is checked first when given. Raises WeightsError, RecordError or
    UnknownArchitecture; a failed load leaves nothing behind.
    """
    if digest is not None:
        weights_file.check_digest(weights, digest)
    check_known(record)
    task = TASKS.get(record.task) or VIDEO_TASKS.get(record.task)
    if task is None:
        tasks = ", ".join((*TASKS, *VIDEO_TASKS))
        raise RecordError(f"There is no task {record.task!r}; there are: {tasks}.")
    own = _own_task(record)
    (own or task).check(record)
    module = RUNTIMES[source_of(record.architecture).weights](record, weights, device)
    if own is not None:
        return OwnNetwork(own, record, module, device, autocast)
    kind = VideoNetwork if isinstance(task, VideoTask) else ImageNetwork
    return kind(record, module, device, autocast)


def _own_task(record: ModelRecord) -> Task | None:
    """Give the task of an operator's own architecture; None where it is one of the tables'."""
    own = EXTENSIONS.find(record.architecture)
    if own is None:
        return None
    # Read here: its parameters are pydantic's, which a machine without extensions may lack.
    from models.extensions.task import own_task

    return own_task(own, record, TASKS.get(record.task))
