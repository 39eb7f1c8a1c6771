"""Networks are run by several threads at a time, each with a batch of its own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch

from models.catalog import SHIPPED, shipped_weights
from models.networks.torchvision import torchvision_record
from models.runtime.network import Network, VideoNetwork
from models.runtime.registry import load
from models.runtime.torch_runtime import build
from models.runtime.weights import write

LANES, BATCHES, SIZE = 2, 4, 2


def shipped(name: str) -> Network:
    return load(SHIPPED[name], shipped_weights(name).read_bytes())


def untrained(architecture: str) -> Network:
    record = torchvision_record(architecture)
    torch.manual_seed(0)
    return load(record, write(build(record).state_dict()))


@pytest.mark.parametrize(
    "make",
    [
        *(partial(shipped, name) for name in SHIPPED),
        partial(untrained, "torchvision/fasterrcnn_mobilenet_v3_large_320_fpn"),
        partial(untrained, "torchvision/ssdlite320_mobilenet_v3_large"),
    ],
    ids=lambda make: make.args[0],
)
def test_each_batch_gets_what_it_would_get_alone(make: Callable[[], Network]) -> None:
    network = make()
    batches = [
        [drawn(network, SIZE * number + at) for at in range(SIZE)] for number in range(BATCHES)
    ]
    with ThreadPoolExecutor(1, initializer=partial(torch.set_num_threads, 1)) as alone:
        expected = list(alone.map(network.forward, batches))
    with ThreadPoolExecutor(LANES, initializer=partial(torch.set_num_threads, 1)) as lanes:
        found = list(lanes.map(network.forward, batches))
    assert list(map(plain, found)) == list(map(plain, expected))


def drawn(network: Network, seed: int) -> Any:
    """Draw noise in the form of the network's inputs."""
    blank = network._blank()
    field = "frames" if isinstance(network, VideoNetwork) else "pixels"
    form = getattr(blank, field)
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randint(0, 256, form.shape, generator=generator, dtype=torch.uint8)
    return replace(blank, **{field: noise})


def plain(outputs: Any) -> Any:
    """Turn tensors, in whatever they are, into what can be compared."""
    if isinstance(outputs, torch.Tensor):
        return outputs.tolist()
    if isinstance(outputs, dict):
        return {key: plain(value) for key, value in outputs.items()}
    if isinstance(outputs, list | tuple):
        return [plain(each) for each in outputs]
    if hasattr(outputs, "__dataclass_fields__"):
        return [plain(getattr(outputs, name)) for name in outputs.__dataclass_fields__]
    return outputs
