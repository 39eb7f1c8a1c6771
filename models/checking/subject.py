"""One architecture of a package, loaded as a worker loads it, and what the checks ask of it."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import nn

from models.checking.pictures import odd_pictures
from models.contracts import check_params
from models.extensions.architecture import Seen
from models.extensions.describing import describe
from models.extensions.loading import Own
from models.extensions.task import seen_of
from models.onnx_models.examination.facts import Facts
from models.records.errors import InputError, RecordError
from models.records.record import ModelRecord
from models.runtime import weights as weights_file
from models.runtime.completion import complete
from models.runtime.network import ImageNetwork, Network, VideoNetwork
from models.runtime.registry import load
from models.runtime.torch_runtime import build
from models.tasks.task import Clip, Outputs, Sample, Step

# Everything that a network has found: what is left out by default is looked at too.
_ALL: Mapping[str, Mapping[str, Any]] = {
    "classification": {"top_k": 100},
    "detection": {"min_confidence": 0.0, "max_detections": 1000},
    "segmentation": {"min_confidence": 0.0, "max_detections": 1000},
    "embedding": {"normalize": False},
    "video-classification": {"top_k": 100},
}
# Frames of the films that a network for videos is tried with.
_SEED, _FILMS = 0, 3


class Subject:
    """One architecture with its weights: those that were given, or random ones."""

    def __init__(self, own: Own, said: Mapping[str, Any], weights: bytes | None) -> None:
        self.own, self._said, self._given = own, dict(said), weights
        # The faults of checks that others stand on.
        self.noted: dict[str, list[str]] = {}

    @cached_property
    def weights(self) -> bytes:
        """Its safetensors; raises ModelError where none were given and it cannot be built."""
        if self._given is not None:
            return self._given
        asked = {**self._said, **self._named}
        read = {"preprocess": {}, **describe(self.own, asked, {}), **asked}
        torch.manual_seed(_SEED)
        return weights_file.write(build(ModelRecord.from_json(read)).state_dict())

    @cached_property
    def record(self) -> ModelRecord:
        """Its record as a worker completes it; raises ModelError."""
        return complete({**self._said, **self._named}, self.weights, _no_onnx)

    @cached_property
    def network(self) -> Network:
        """The network, loaded and warmed up; raises whatever a worker would refuse it for."""
        network = self.load(self.weights)
        network.warm_up()
        return network

    def load(self, weights: bytes) -> Network:
        """Load it once more, with these weights."""
        return load(self.record, weights)

    @property
    def module(self) -> nn.Module:
        """What the network runs."""
        return self.network.module

    @cached_property
    def prepared(self) -> list[tuple[str, Sample | Step | Exception]]:
        """What each odd picture or film is, and its sample, or what was raised instead."""
        network = self.network
        if isinstance(network, VideoNetwork):
            return _films(network)
        assert isinstance(network, ImageNetwork)
        found: list[tuple[str, Sample | Step | Exception]] = []
        for what, data in odd_pictures():
            try:
                found.append((what, network.prepare(data)))
            except Exception as err:  # whatever its own function raises
                found.append((what, err))
        return found

    @property
    def inputs(self) -> list[tuple[str, Any]]:
        """What could be prepared."""
        return [(what, each) for what, each in self.prepared if not isinstance(each, Exception)]

    @property
    def unprepared(self) -> list[tuple[str, Exception]]:
        """What could not, and should have been; who refuses a picture in due form may do so."""
        faults = ((what, each) for what, each in self.prepared if isinstance(each, Exception))
        return [(what, err) for what, err in faults if not isinstance(err, InputError)]

    @cached_property
    def alone(self) -> list[Outputs]:
        """What the network gives for each input by itself."""
        return [self.network.forward([each]) for _, each in self.inputs]

    def predictions(self, outputs: Any, *, all_of_them: bool) -> object:
        """Make predictions of what was given for one input."""
        task = self.record.task
        params = check_params(task, _ALL[task] if all_of_them else {})
        if isinstance(self.network, VideoNetwork):
            clips = [Clip(0, 1000, each.logits) for each in outputs]
            return self.network.postprocess([clips], params)[0]
        assert isinstance(self.network, ImageNetwork)
        return self.network.postprocess(outputs, params)[0]

    @property
    def _named(self) -> dict[str, Any]:
        return {"name": self.own.name, "architecture": self.own.name}


def seen(each: Sample | Step) -> Seen:
    """Say how an input was seen."""
    if isinstance(each, Step):
        height, width = each.frames.shape[-2:]
        return Seen(height, width, (height, width))
    return seen_of(each)


def _films(network: VideoNetwork) -> list[tuple[str, Sample | Step | Exception]]:
    blank = network._task.blank(network.record)
    chance = torch.Generator().manual_seed(_SEED)
    noise = [
        torch.randint(0, 256, blank.frames.shape, generator=chance, dtype=torch.uint8)
        for _ in range(_FILMS)
    ]
    films = [(f"film {number}", Step(frames)) for number, frames in enumerate(noise)]
    return [("a black film", blank), *films]


def _no_onnx(_: bytes) -> Facts:
    raise RecordError("A package's own networks are given as safetensors; convert the weights.")


def batches_of(inputs: Sequence[Any], size: int) -> list[list[int]]:
    """Give batches of one size, as places among the inputs; every input is in one of them."""
    count = -(-len(inputs) // size)
    return [
        [(number * size + each) % len(inputs) for each in range(size)] for number in range(count)
    ]
