"""Batch normalisation folded into the convolution before it, for networks that only infer.

Once training is over, a normalisation multiplies each channel by one number and adds another. The
convolution before it does both at no cost when its kernels and biases are changed accordingly: a
fifth of a light network's time, and its answers but for rounding.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models.googlenet import BasicConv2d as GoogLeNetConv2d
from torchvision.models.inception import BasicConv2d as InceptionConv2d
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet
from torchvision.models.video.resnet import Conv3DNoTemporal, Conv3DSimple

from models.runtime.known import is_known

_NORM_OF: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv2d: nn.BatchNorm2d,
    nn.Conv3d: nn.BatchNorm3d,
    Conv3DSimple: nn.BatchNorm3d,
    Conv3DNoTemporal: nn.BatchNorm3d,
}

# What follows on what in modules that call their children by name, all of them torchvision's.
_BY_NAME: dict[type[nn.Module], tuple[tuple[str, str], ...]] = {
    ResNet: (("conv1", "bn1"),),
    BasicBlock: (("conv1", "bn1"), ("conv2", "bn2")),
    Bottleneck: (("conv1", "bn1"), ("conv2", "bn2"), ("conv3", "bn3")),
    GoogLeNetConv2d: (("conv", "bn"),),
    InceptionConv2d: (("conv", "bn"),),
}


def fold_norms(module: nn.Module) -> None:
    """Fold what can be folded, in place; `module` must be in eval mode.

    Left alone are a convolution that other places share, or that is more than torch's own, and all
    of a network that has modules of an operator's.
    """
    if not is_known(module):
        return
    uses = Counter(id(each) for _, each in module.named_modules(remove_duplicate=False))
    for parent, first, second in _followers(module):
        conv, norm = parent.get_submodule(first), parent.get_submodule(second)
        if type(norm) is _NORM_OF.get(type(conv)) and uses[id(conv)] == 1:
            assert isinstance(conv, nn.Conv2d | nn.Conv3d)
            assert isinstance(norm, nn.BatchNorm2d | nn.BatchNorm3d)
            if norm.running_mean is None:  # it looks at each batch
                continue
            setattr(parent, first, fuse_conv_bn_eval(conv, norm))
            setattr(parent, second, nn.Identity())


def _followers(module: nn.Module) -> Iterator[tuple[nn.Module, str, str]]:
    """Yield (parent, name, name) of children of which the second takes what the first gives."""
    for parent in list(module.modules()):
        by_name = _BY_NAME.get(type(parent), ())
        in_a_row = pairwise(parent._modules) if isinstance(parent, nn.Sequential) else ()
        for first, second in (*by_name, *in_a_row):
            yield parent, first, second
