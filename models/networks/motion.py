"""A digit and the direction in which it moves: a convolutional encoder, then an LSTM over frames.

Each frame x_t of a video is encoded by itself, as what is seen, a_t, and where it is seen, p_t. The
memory of all frames before it is carried on, h_t = f(x_t, h_{t-1}); with s the logistic function:

    a_t, p_t = encoder(x_t)
    e_t      = [a_t, p_t, 16 (p_t - p_{t-1})]                        p_0 = p_1
    i, j, o  = s(W_i e_t + U_i h_{t-1} + b_i), likewise j and o       what to take in, keep, show
    c_t      = j * c_{t-1} + i * tanh(W_g e_t + U_g h_{t-1} + b_g)
    h_t      = o * tanh(c_t)

The state (h, c, p) after the last frame of one step is that before the first of the next, so that a
video may be fed in steps of any length, over hours, with the same answer as in one. The difference
of places is written down because an LSTM is slow to find it: with it, directions were learned in
a few hundred steps, and without it hardly at all in three times as many.

What: the largest activation of each feature over all places (after Oquab et al. "Is object
localization for free?", 2015). Where: a few maps of activations, turned into one vector by a dense
layer, which keeps places apart.

Two heads read h_t: digit d and direction r, as if independent given the film, so that the score of
a label "d r" is a sum, and softmax over the labels gives the product of both heads' chances:

    s(d, r) = log P(d | h_t) + log P(r | h_t)

Sources: Hochreiter, Schmidhuber "Long Short-Term Memory" (1997), with the forget gate of Gers et
al. (2000); Donahue et al. "Long-term Recurrent Convolutional Networks" (2015).
"""

import torch
from torch import nn

from models.records.errors import RecordError

DIRECTIONS = 4
# Numbers that say what is seen in a frame, and where.
WHAT, WHERE = 96, 32
_MAPS, _HIDDEN = 12, 128
_SIDE = 64  # pixels of a frame
# A step of a pixel or two is small beside the width of a picture.
_STEP_SCALE = 16.0

State = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def _block(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Motion(nn.Module):
    """Grey 64 x 64 frames to scores of digit and direction together. B videos, T frames each."""

    def __init__(self, classes: int) -> None:
        """Build the layers, untrained, for `classes` / 4 digits in each of four directions."""
        super().__init__()
        self.body = nn.Sequential(
            _block(1, 16, stride=2), _block(16, 32, stride=2), _block(32, 64, stride=2)
        )
        self.what = _block(64, WHAT, stride=1)
        self.where = nn.Sequential(
            nn.Conv2d(64, _MAPS, 1), nn.Flatten(), nn.Linear(_MAPS * (_SIDE // 8) ** 2, WHERE)
        )
        self.memory = nn.LSTM(WHAT + 2 * WHERE, _HIDDEN, batch_first=True)
        self.digit = nn.Linear(_HIDDEN, classes // DIRECTIONS)
        self.direction = nn.Linear(_HIDDEN, DIRECTIONS)

    def forward(
        self, frames: torch.Tensor, state: State | None = None
    ) -> tuple[torch.Tensor, State]:
        """Map float32 (B, T, 1, 64, 64) in [0, 1] to scores (B, classes) after the last frame.

        The state, h and c (B, 128) and p (B, 32), is that after the last frame; None at a
        beginning.
        """
        what, where = self.see(frames.flatten(0, 1))
        shape = frames.shape[:2]
        digits, directions, after = self.remember(
            what.reshape(*shape, -1), where.reshape(*shape, -1), state
        )
        return joined(digits[:, -1], directions[:, -1]), after

    def see(self, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode float32 (N, 1, 64, 64), each by itself: what (N, 96), where (N, 32)."""
        x = self.body(frames)  # (N, 64, 8, 8)
        return self.what(x).amax((2, 3)), self.where(x)

    def remember(
        self, what: torch.Tensor, where: torch.Tensor, state: State | None
    ) -> tuple[torch.Tensor, torch.Tensor, State]:
        """Map what (B, T, 96) and where (B, T, 32) to scores after every frame, and the state.

        Scores of digits (B, T, digits) and of directions (B, T, 4).
        """
        before = where[:, :1] if state is None else state[2].unsqueeze(1)
        steps = where - torch.cat([before, where[:, :-1]], 1)
        encoded = torch.cat([what, where, _STEP_SCALE * steps], 2)  # (B, T, 160)
        # nn.LSTM keeps its layers, of which there is one, in the first dimension.
        memory = None if state is None else (state[0].unsqueeze(0), state[1].unsqueeze(0))
        hidden, (h, c) = self.memory(encoded, memory)  # (B, T, 128)
        return self.digit(hidden), self.direction(hidden), (h[0], c[0], where[:, -1])


def joined(digits: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
    """Return the score of each pair, (B, digits) and (B, 4) to (B, digits * 4): see above."""
    both = digits.log_softmax(-1)[..., :, None] + directions.log_softmax(-1)[..., None, :]
    return both.flatten(-2)


def marginals(shares: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the chances of digits (..., digits) and directions (..., 4) from those of pairs."""
    pairs = shares.reshape(*shares.shape[:-1], -1, DIRECTIONS)
    return pairs.sum(-1), pairs.sum(-2)


def build(classes: int) -> Motion:
    """Build the network for so many classes, untrained; raises RecordError for no multiple of 4."""
    if classes % DIRECTIONS:
        raise RecordError(f"'motion' needs labels for each of {DIRECTIONS} directions.")
    return Motion(classes)
