"""Normalisations disappear into convolutions, and answers stay."""

import copy

import pytest
import torch
from torch import nn
from torchvision import models as tv

from models.runtime.folding import fold_norms


def trained(module: nn.Module) -> nn.Module:
    """Give every normalisation numbers as a training leaves them."""
    torch.manual_seed(3)
    for norm in norms(module):
        norm.running_mean.normal_(0, 0.1)
        norm.running_var.uniform_(0.5, 2)
        nn.init.uniform_(norm.weight, 0.5, 2)
        nn.init.normal_(norm.bias, std=0.1)
    return module.eval()


def norms(module: nn.Module) -> list[nn.Module]:
    return [each for each in module.modules() if isinstance(each, nn.BatchNorm2d | nn.BatchNorm3d)]


def assert_alike(module: nn.Module, folded: nn.Module, inputs: torch.Tensor) -> None:
    with torch.inference_mode():
        expected, found = module(inputs), folded(inputs)
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("mobilenet_v3_small", (3, 96, 96)),
        ("resnet18", (3, 96, 96)),
        ("resnext50_32x4d", (3, 64, 64)),
        ("googlenet", (3, 96, 96)),
        ("inception_v3", (3, 96, 96)),
        ("r3d_18", (3, 4, 32, 32)),
    ],
)
def test_no_normalisation_is_left_and_the_answers_stay(name: str, shape: tuple[int, ...]) -> None:
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    module = trained(tv.get_model(name, weights=None, num_classes=10, **options))
    folded = copy.deepcopy(module)
    fold_norms(folded)
    assert norms(module)
    assert not norms(folded)
    assert_alike(module, folded, torch.rand(2, *shape))


def test_a_convolution_that_two_places_share_stays() -> None:
    shared = nn.Conv2d(3, 3, 1)
    module = trained(
        nn.Sequential(
            nn.Sequential(shared, nn.BatchNorm2d(3)), nn.Sequential(shared, nn.BatchNorm2d(3))
        )
    )
    folded = copy.deepcopy(module)
    fold_norms(folded)
    assert len(norms(folded)) == 2
    assert_alike(module, folded, torch.rand(2, 3, 8, 8))


class Doubling(nn.Conv2d):
    """A convolution of one's own."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Convolve and double."""
        return super().forward(inputs) * 2


@pytest.mark.parametrize(
    "first", [Doubling(3, 3, 1), nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 3, 1))]
)
def test_what_is_more_than_a_convolution_stays(first: nn.Module) -> None:
    module = trained(nn.Sequential(first, nn.BatchNorm2d(3)))
    folded = copy.deepcopy(module)
    fold_norms(folded)
    assert norms(folded)
    assert_alike(module, folded, torch.rand(2, 3, 8, 8))


class Stem(nn.Sequential):
    """A row with a way around its normalisation."""

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Add what the normalisation was given."""
        convolved = self[0](inputs)
        return self[1](convolved) + convolved


class Tapped(nn.Module):
    """A plain row whose first output is used as well."""

    def __init__(self) -> None:
        super().__init__()
        self.row = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Walk the row."""
        given = [inputs]
        for layer in self.row:
            given.append(layer(given[-1]))
        return torch.stack(given[1:]).sum(0)


def hooked(position: int) -> nn.Module:
    row = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3))
    row[position].register_forward_hook(lambda _, given, output: output + given[0])
    return row


def of_each_batch() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3, track_running_stats=False))


@pytest.mark.parametrize(
    "module",
    [
        trained(Stem()),
        trained(nn.Sequential(Stem())),
        trained(Tapped()),
        trained(hooked(0)),
        trained(hooked(1)),
        trained(nn.Sequential(nn.utils.spectral_norm(nn.Conv2d(3, 3, 1)), nn.BatchNorm2d(3))),
        of_each_batch().eval(),
    ],
    ids=["own row", "own row within", "tapped", "hook", "hook on the norm", "spectral", "of each"],
)
def test_a_network_with_anything_unknown_is_left_alone(module: nn.Module) -> None:
    inputs = torch.rand(2, 3, 8, 8)
    with torch.inference_mode():
        expected = module(inputs)
        fold_norms(module)
        assert torch.equal(module(inputs), expected)
    assert norms(module)
