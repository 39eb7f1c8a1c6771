"""A light network is flat, answers as before to the last bit, and keeps its weights."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import torch
from torch import fx, nn
from torchvision import models as tv

from models.catalog import SHIPPED, shipped_weights
from models.networks import digits
from models.runtime.flattening import flattened
from models.runtime.folding import fold_norms
from models.runtime.registry import load
from tests.unit.models.runtime.test_folding import trained

NAMES = (
    "efficientnet_b0",
    "mnasnet0_5",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "regnet_x_400mf",
    "regnet_y_400mf",
    "resnet18",
    "resnet50",
    "shufflenet_v2_x0_5",
    "squeezenet1_0",
    "squeezenet1_1",
)


@pytest.mark.parametrize("name", NAMES)
@torch.inference_mode()
def test_the_answers_stay_whatever_the_size_of_a_batch(name: str) -> None:
    module = trained(tv.get_model(name, weights=None, num_classes=10))
    fold_norms(module)
    flat = flattened(module)
    assert isinstance(flat, fx.GraphModule)
    for shape in ((1, 3, 96, 96), (3, 3, 96, 96), (2, 3, 80, 112)):
        batch = torch.rand(shape)
        assert torch.equal(flat(batch.clone()), module(batch))


@pytest.mark.parametrize("options", [{}, {"activation": "tanh", "pooling": "average"}])
@torch.inference_mode()
def test_the_digits_too(options: dict[str, str]) -> None:
    module = digits.build(10, **options).eval()
    flat = flattened(module)
    assert isinstance(flat, fx.GraphModule)
    for size in (1, 64):
        batch = torch.rand(size, 1, 28, 28)
        assert torch.equal(flat(batch.clone()), module(batch))


def test_no_module_is_called_any_more_and_weights_are_not_copied() -> None:
    module = tv.mobilenet_v3_small(num_classes=10).eval()
    fold_norms(module)
    flat = flattened(module)
    assert isinstance(flat, fx.GraphModule)
    assert not list(flat.children())
    assert "call_module" not in {node.op for node in flat.graph.nodes}
    assert {each.data_ptr() for each in flat.parameters()} == {
        each.data_ptr() for each in module.parameters()
    }


def test_what_is_loaded_is_flat() -> None:
    network = load(SHIPPED["digits"], shipped_weights("digits").read_bytes())
    assert isinstance(network.module, fx.GraphModule)


class Counting(nn.Module):
    """An operator's own, which does more than to call torch."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Count and double."""
        self.calls += 1
        return batch * 2


def resnet(**changes: nn.Module) -> nn.Module:
    """Give a network of torchvision's with parts of somebody else's."""
    module = tv.resnet18(num_classes=10).eval()
    fold_norms(module)
    for name, part in changes.items():
        setattr(module, name, part)
    return module


def listened_to() -> nn.Module:
    module = resnet()
    module.avgpool.register_forward_hook(lambda *given: float(given[-1].mean()))
    return module


def of_each_batch() -> nn.Module:
    """Built with layers that look at what they are given."""
    norm = partial(nn.BatchNorm2d, track_running_stats=False)
    return tv.resnet18(num_classes=10, norm_layer=norm).eval()


@pytest.mark.parametrize(
    "module",
    [resnet(avgpool=Counting()), listened_to(), of_each_batch()],
    ids=["part", "hook", "norm"],
)
def test_one_with_parts_that_are_not_known_stays_as_it_is(module: nn.Module) -> None:
    assert flattened(module) is module


@pytest.mark.parametrize(
    "module", [Counting(), type("Own", (tv.ResNet,), {})(tv.resnet.BasicBlock, [1, 1, 1, 1])]
)
def test_what_is_not_known_stays_as_it_is(module: nn.Module) -> None:
    assert flattened(module) is module


@torch.inference_mode()
def test_other_threads_run_networks_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker loads one version while its lanes run others."""
    other = tv.convnext_tiny(num_classes=10).eval()
    batch = torch.rand(1, 3, 32, 32)
    wanted = other(batch)
    given = []
    forward = digits.Digits.forward

    def run(self: digits.Digits, inputs: torch.Tensor) -> torch.Tensor:
        with ThreadPoolExecutor(1) as lane:
            given.append(lane.submit(torch.inference_mode()(other), batch).result())
        return forward(self, inputs)

    monkeypatch.setattr(digits.Digits, "forward", run)
    flattened(digits.build(10).eval())
    assert len(given) == 1
    assert torch.equal(given[0], wanted)
