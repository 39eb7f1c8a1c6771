"""Whether a network is made of torch's, torchvision's and our own modules alone.

Of those it is known what follows on what, and that nothing is done beside. An operator's own may
walk its layers as it likes, so that nothing of it may be changed or written down for good.
"""

from torch import nn

_KNOWN = frozenset({"torch", "torchvision", "models"})


def is_known(module: nn.Module) -> bool:
    """Say whether all modules of a network are known, and none has a hook."""
    return all(
        type(each).__module__.partition(".")[0] in _KNOWN
        and not (each._forward_pre_hooks or each._forward_hooks)
        for each in module.modules()
    )
