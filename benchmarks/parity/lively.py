"""Networks of no training, made to look at their pictures: their answers to two differ plainly.

As they are made, features die out on their way, or all pictures look the same after it, and a
network whose answer is always the same agrees with everything.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

# Standard deviation of a class's logit from picture to picture, of few classes.
_SPREAD = 2.0
# Factors that layers begin with where they are to be learned later: ConvNeXt's are 1e-6.
_ASLEEP, _AWAKE = 1e-2, 0.3


@torch.no_grad()
def wake(network: nn.Module) -> None:
    """Set what begins at zero, or so near to it that whole layers are passed by."""
    for name, each in network.named_parameters():
        if each.dim() > 1 and not each.any():
            each.normal_(0, 1 / max(1, each[0].numel()) ** 0.5)
        elif each.dim() == 1 and name.endswith(("weight", "gamma")) and each.abs().max() < _ASLEEP:
            each.fill_(_AWAKE)


@torch.no_grad()
def settle(network: nn.Module, run: Callable[[], object]) -> None:
    """Have batch normalisation expect what it sees in a run: so its outputs vary by about 1."""
    layers = [each for each in network.modules() if isinstance(each, _BatchNorm)]
    before = [each.momentum for each in layers]
    for each in layers:
        each.train()
        each.momentum = 1.0
    run()
    for each, momentum in zip(layers, before, strict=True):
        each.eval()
        each.momentum = momentum


@torch.no_grad()
def spread(
    last: Sequence[nn.Linear | nn.Conv2d], run: Callable[[], object], deviation: float = _SPREAD
) -> None:
    """Set the last layers so that what they give differs from picture to picture of a run."""
    with _watched(last) as given:
        run()
    for layer, outputs in zip(last, given, strict=True):
        before, mean = torch.std_mean(torch.cat(outputs), 0)
        scale = deviation / before
        layer.weight.mul_(scale.reshape(-1, *[1] * (layer.weight.dim() - 1)))
        if layer.bias is not None:
            layer.bias.sub_(mean).mul_(scale)


def _rows(output: torch.Tensor) -> torch.Tensor:
    """Give (n, channels): a convolution has them second, of (B, channels, h, w)."""
    return (output.movedim(1, -1) if output.dim() == 4 else output).flatten(0, -2)


@contextmanager
def _watched(layers: Sequence[nn.Linear | nn.Conv2d]) -> Iterator[list[list[torch.Tensor]]]:
    given: list[list[torch.Tensor]] = [[] for _ in layers]

    def keep(place: int) -> Callable[[nn.Module, object, torch.Tensor], None]:
        return lambda _module, _inputs, output: given[place].append(_rows(output))

    hooks = [layer.register_forward_hook(keep(place)) for place, layer in enumerate(layers)]
    try:
        yield given
    finally:
        for each in hooks:
            each.remove()
