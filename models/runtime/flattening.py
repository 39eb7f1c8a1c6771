"""A light network's layers as one function after the other, for networks that only infer.

torch comes to each layer through the modules around it, with a few calls in Python and a look for
each of its weights. For a light network that is a fifth of a small batch, during which no other
thread has the interpreter. torch.fx follows a network once and writes down what it calls in the
end; that is all that then runs. Answers stay the same to the last bit.
"""

from typing import Any

import torch
from torch import fx, nn
from torchvision import models as tv

from models.networks.digits import Digits
from models.runtime.known import is_known

# Networks whose way does not depend on what they are given, each held by a test.
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


class _Recorder(fx.proxy.GraphAppendingTracer):
    """Writes down what is called with a batch, through all modules, torch's own too.

    `fx.Tracer` would replace what torch calls modules by meanwhile, for all threads; in a worker
    others run networks all the time.
    """

    def __init__(self) -> None:
        super().__init__(fx.Graph())
        self.weights: dict[str, torch.Tensor] = {}
        self._noted: dict[int, fx.Node] = {}

    def create_arg(self, a: Any) -> Any:
        """Write down an argument; a weight is noted once, by a name."""
        if not isinstance(a, torch.Tensor):
            return super().create_arg(a)
        if id(a) not in self._noted:
            name = f"weight_{len(self.weights)}"
            self.weights[name] = a
            self._noted[id(a)] = self.create_node("get_attr", name, (), {})
        return self._noted[id(a)]


def flattened(module: nn.Module) -> nn.Module:
    """Give a network that calls what `module` would, on its weights, and is no more than that.

    `module` must be in eval mode and its normalisations folded (models/runtime/folding.py). It is
    given back as it is where its kind is not known to go straight, or has parts that do not.
    """
    if type(module) not in _STRAIGHT or not is_known(module):
        return module
    recorder = _Recorder()
    try:
        answer = module(recorder.create_proxy("placeholder", "batch", (), {}))
    except fx.proxy.TraceError:  # built with other layers than usual
        return module
    recorder.create_node("output", "output", (recorder.create_arg(answer),), {})
    return fx.GraphModule(recorder.weights, recorder.graph)
