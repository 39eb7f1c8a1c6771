"""A light network's layers as one function after the other, for networks that only infer.

torch comes to each layer through the modules around it, with a few calls in Python and a look for
each of its weights. For a light network that is a fifth of a small batch, during which no other
thread has the interpreter. torch.fx follows a network once and writes down what it calls in the
end; that is all that then runs. Answers stay the same to the last bit.
"""

from torch import fx, nn
from torchvision import models as tv

from models.networks.digits import Digits

# Networks whose way does not depend on what they are given, each held by a test. Others stay as
# they are: what an operator's own does beside calling torch would be done once and never again.
_STRAIGHT = (
    Digits,
    tv.EfficientNet,
    tv.MNASNet,
    tv.MobileNetV2,
    tv.MobileNetV3,
    tv.RegNet,
    tv.ResNet,
    tv.ShuffleNetV2,
    tv.SqueezeNet,
)


class _Through(fx.Tracer):
    """Follows a network through all of its modules, torch's own too."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:  # noqa: ARG002
        return False


def flattened(module: nn.Module) -> nn.Module:
    """Give a network that calls what `module` would, on its weights, and is no more than that.

    `module` must be in eval mode and its normalisations folded (models/folding.py). It is
    given back as it is where its kind is not known to go straight.
    """
    if type(module) not in _STRAIGHT:
        return module
    graph, weights = _Through().trace(module), {}
    for node in graph.nodes:
        if node.op == "get_attr":
            owner, _, name = node.target.rpartition(".")
            weights[node.name] = getattr(module.get_submodule(owner), name)
            # A name instead of a path, which would be walked for every batch.
            node.target = node.name
    return fx.GraphModule(weights, graph)
