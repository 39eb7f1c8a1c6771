"""A convolutional encoder and a recurrent layer over `digits` or any of torchvision's classifiers.

Each frame x_t of a video goes through a classifier without its last layer, e_t = encoder(x_t). An
LSTM or a GRU carries on what there is to remember; with s the logistic function:

    LSTM    i, j, o = s(W_i e_t + U_i h_{t-1} + b_i), likewise j and o
            c_t     = j * c_{t-1} + i * tanh(W_g e_t + U_g h_{t-1} + b_g)
            h_t     = o * tanh(c_t)

    GRU     r, z    = s(W_r e_t + U_r h_{t-1} + b_r), likewise z
            n       = tanh(W_n e_t + b_n + r * (U_n h_{t-1} + b_m))
            h_t     = (1 - z) * n + z * h_{t-1}

A dense layer judges h_T after the last frame of a step, and the state there, (h_T, c_T) or (h_T),
is that before the first frame of the next step: how a video is cut into steps changes no answer.

Sources: Donahue et al. "Long-term Recurrent Convolutional Networks for Visual Recognition and
Description" (2015); Hochreiter, Schmidhuber "Long Short-Term Memory" (1997); Cho et al. "Learning
Phrase Representations using RNN Encoder-Decoder" (2014), in cuDNN's form.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import nn

from models.networks import digits
from models.networks.torchvision import build_classifier, torchvision_record
from models.networks.torchvision_embedders import as_encoder
from models.records.shipped import SHIPPED
from models.records.torchvision_names import (
    CLASSIFIERS,
    RECURRENT_CELLS,
    RECURRENT_PREFIX,
    TORCHVISION_PREFIX,
)
from models.records.windows import MAX_WINDOW

_HIDDEN = 256
# Frames that are encoded at once when nothing is to be learned from them: a window of hundreds must
# not hold the feature maps of all of them.
_ENCODED_AT_ONCE = 64

State = tuple[torch.Tensor, ...]


class Recurrent(nn.Module):
    """Frames to scores, with a state. B videos, T frames each, d features."""

    def __init__(self, encoder: nn.Module, features: int, cell: str, classes: int) -> None:
        """Join an encoder that gives so many features with an untrained "lstm" or "gru"."""
        super().__init__()
        layer = nn.LSTM if cell == "lstm" else nn.GRU
        self.encoder = encoder
        self.memory = layer(features, _HIDDEN, batch_first=True)
        self.scores = nn.Linear(_HIDDEN, classes)

    def forward(
        self, frames: torch.Tensor, state: State | None = None
    ) -> tuple[torch.Tensor, State]:
        """Map float32 (B, T, C, H, W) to scores (B, classes) after the last frame.

        The state, (h, c) of an LSTM or (h,) of a GRU, each (B, 256), is that after the last frame;
        None at a video's beginning.
        """
        seen = self._encode(frames.flatten(0, 1)).reshape(*frames.shape[:2], -1)  # (B, T, d)
        # The layers of a recurrent network, of which there is one, come first.
        before = None if state is None else tuple(part.unsqueeze(0) for part in state)
        is_lstm = isinstance(self.memory, nn.LSTM)
        hidden, after = self.memory(seen, before if is_lstm or before is None else before[0])
        parts = after if is_lstm else (after,)
        return self.scores(hidden[:, -1]), tuple(part[0] for part in parts)

    def _encode(self, frames: torch.Tensor) -> torch.Tensor:
        """Encode (B T, C, H, W) to (B T, d)."""
        if self.training:
            encoded: torch.Tensor = self.encoder(frames)
            return encoded
        return torch.cat([self.encoder(part) for part in torch.split(frames, _ENCODED_AT_ONCE)])


def builders() -> Iterator[tuple[str, Callable[..., nn.Module]]]:
    """Yield (our name, builder that takes the number of classes) for every pair.

    Those over `digits` take its options too.
    """
    for cell in RECURRENT_CELLS:
        yield f"{RECURRENT_PREFIX}digits-{cell}", partial(_build_over_digits, cell)
        for backbone in CLASSIFIERS:
            yield f"{RECURRENT_PREFIX}{backbone}-{cell}", partial(_build, backbone, cell)


def recurrent_preprocess(architecture: str, fps: float = 8.0, window: int = 16) -> dict[str, Any]:
    """Return a record's `preprocess`: the frames as the classifier takes pictures.

    `architecture` is "recurrent/resnet18-lstm"; `fps` and `window` those of the training.
    """
    backbone = architecture.removeprefix(RECURRENT_PREFIX).rpartition("-")[0]
    shipped = SHIPPED.get(backbone)
    plain = (shipped or torchvision_record(TORCHVISION_PREFIX + backbone)).preprocess
    return {
        **plain,
        "resize": [plain["resize"]],
        "crop": [plain["crop"]] * 2,
        "fps": fps,
        "window": window,
        "windows": [1, MAX_WINDOW],
        "carries": True,
    }


def _build_over_digits(cell: str, classes: int, **options: Any) -> Recurrent:
    return Recurrent(digits.build_encoder(**options), digits.FEATURES, cell, classes)


def _build(backbone: str, cell: str, classes: int) -> Recurrent:
    """Build one network without weights (and so without a download)."""
    encoder, features = as_encoder(build_classifier(backbone, 1))
    return Recurrent(encoder, features, cell, classes)
