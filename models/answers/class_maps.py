"""Which class each pixel shows, from scores at a network's own resolution.

    scores (labels, h, w) ─► layers of the classes that may win ─► enlarged, tile by tile ─► map

Scores are enlarged bilinearly in the form in which their source enlarges them, and then compared:

- "logits": the logits, from which chances are made of each pixel after that.
- "chances": the chances, or what classes have of anything that is never negative and adds up.

A class may win between four places and at none of them, where two others share the places. It
cannot where, at all four, it lies below the mean of those that win there: whatever the four weigh,
one of these is above it. What is left of the other classes is one layer more, for chances are
shares of all.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as nn

from models.answers.enlarging import Axis, Part, Size, Window, enlarged

Form = Literal["logits", "chances"]

# Less than any logarithm of a chance is taken for this: from minus infinity nothing can be blended.
_LEAST_LOGARITHM: Final = -1e4
# Of logits, classes that reach this chance at a place are enlarged by themselves, so that chances
# are right; all others are enlarged as one, which is right where they go up and down together.
_TELLING: Final = float(np.log(1e-3))
# A tile's layers lie in a core's own memory, 2 MB at most, unless it becomes smaller than it is
# worth; sides in pixels.
_TILE_FLOATS: Final = 2**19
_LEAST_SIDE, _MOST_SIDE = 32, 128


@dataclass(frozen=True, slots=True)
class Layers:
    """The scores of the classes that may win somewhere in one picture, on the CPU.

    size: the upright original's. class_ids: int64 (k,). scores: float32 (k, h, w); of logits, the
    logarithms of chances. rest: float32 (h, w), what all other classes have together; None where
    there are none. window: where in (h, w) the picture lies.
    """

    size: Size
    form: Form
    class_ids: torch.Tensor
    scores: torch.Tensor
    rest: torch.Tensor | None
    window: Window


@dataclass(frozen=True, slots=True)
class ClassMap:
    """The class of each pixel.

    rows: uint16 (H, W), the row in the layers' `class_ids` that wins. areas: int64 (k,), pixels of
    each. sums: float64 (k,), the chances of a row's pixels to be what they are taken for, added.
    """

    rows: NDArray[np.uint16]
    areas: NDArray[np.int64]
    sums: NDArray[np.float64]


def kept_layers(
    scores: torch.Tensor, form: Form, size: Size, window: Window | None = None
) -> Layers:
    """Keep what matters of scores (labels, h, w), on any device, of which a picture fills `window`.

    Without a window, the picture fills all of it.
    """
    scores = scores.float()
    if form == "logits":
        scores = scores.log_softmax(0).clamp_min(_LEAST_LOGARITHM)
    near = (_may_win(scores) | _tells(scores, form)).flatten(1).any(1)
    window = window or Window(0.0, 0.0, *map(float, scores.shape[1:]))
    rest = None if bool(near.all()) else _together(scores[~near], form).cpu()
    kept = near.nonzero().flatten()
    return Layers(size, form, kept.cpu(), scores[kept].cpu(), rest, window)


def class_map(layers: Layers) -> ClassMap:
    """Say which class wins at each pixel of the original, and how sure that is."""
    count, height, width = layers.scores.shape
    window, size = layers.window, layers.size
    down = Axis.of(height, size[0], window.top, window.height)
    across = Axis.of(width, size[1], window.left, window.width)
    wins, tells = _may_win(layers.scores), _tells(layers.scores, layers.form)
    found = np.empty(size, np.uint16)
    areas, sums = np.zeros(count, np.int64), np.zeros(count)
    for top, left, bottom, right in _tiles(size, count + 1):
        lines, rows = down.part(top, bottom)
        places, columns = across.part(left, right)
        first = wins[:, lines, places].flatten(1).any(1)
        then = tells[:, lines, places].flatten(1).any(1) & ~first
        pile = _pile(layers, first, then, (lines, places))
        winner, chance = _winner(enlarged(pile, rows, columns), int(first.sum()), layers.form)
        if not bool(first.all()):
            winner = first.nonzero().flatten().numpy().astype(np.uint16)[winner]
        found[top:bottom, left:right] = winner
        areas += np.bincount(winner.ravel(), minlength=count)
        sums += np.bincount(winner.ravel(), chance.ravel(), minlength=count)
    return ClassMap(found, areas, sums)


def _may_win(scores: torch.Tensor) -> torch.Tensor:
    """Say at which places classes reach what they need to win beside it: bool (k, h, w).

    A class that reaches it at none of the four places around a pixel does not win there.
    """
    height, width = scores.shape[1:]
    best, winners = scores.max(0)
    around = nn.pad(winners[None, None].float(), (1, 1, 1, 1), mode="replicate")[0, 0].long()
    # Of the winners of the place itself and its eight neighbours, the scores at the place.
    theirs = [
        [
            scores.gather(0, around[None, row : row + height, column : column + width])[0]
            for column in range(3)
        ]
        for row in range(3)
    ]
    # The place is a corner of four cells; the fourth part of each is that of one winner.
    means = [
        (theirs[r][c] + theirs[r][c + 1] + theirs[r + 1][c] + theirs[r + 1][c + 1]) / 4
        for r, c in product(range(2), range(2))
    ]
    # The winner itself is there whatever the sum's last digit, and so is what is no number.
    needed = torch.stack(means).amin(0).minimum(best)
    return ~(scores < needed)


def _tells(scores: torch.Tensor, form: Form) -> torch.Tensor:
    """Say where classes that do not win are to be enlarged by themselves all the same."""
    return scores > (_TELLING if form == "logits" else torch.inf)


def _pile(
    layers: Layers, first: torch.Tensor, then: torch.Tensor, places: tuple[slice, slice]
) -> torch.Tensor:
    """Give the layers of some places: two kinds of classes, and all others as one, if there are."""
    scores = layers.scores[:, *places]
    others = scores[~(first | then)]
    if layers.rest is not None:
        others = torch.cat((others, layers.rest[places][None]))
    together = [_together(others, layers.form)[None]] if len(others) else []
    return torch.cat((scores[first], scores[then], *together))


def _winner(
    pile: torch.Tensor, count: int, form: Form
) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
    """Give the layer of the first `count` that wins at each pixel (h, w), and its share of all.

    The pile is used up.
    """
    layers = pile.numpy()
    best, winner = layers[0].copy(), np.zeros(layers.shape[1:], np.uint16)
    for row in range(1, count):
        # Whoever wins later has the larger number.
        np.maximum(winner, (layers[row] > best) * np.uint16(row), out=winner)
        np.maximum(best, layers[row], out=best)
    if form == "chances":
        return winner, best / np.maximum(layers.sum(0), np.finfo(np.float32).tiny)
    shares = pile.sub_(torch.from_numpy(best)).exp_()
    return winner, shares.sum(0).reciprocal_().numpy()


def _together(scores: torch.Tensor, form: Form) -> torch.Tensor:
    """Give what classes (n, h, w) have together: (h, w)."""
    if form == "logits":
        return scores.logsumexp(0).clamp_min(_LEAST_LOGARITHM)
    return scores.sum(0)


def _tiles(size: Size, layers: int) -> Iterator[Part]:
    side = int((_TILE_FLOATS / layers) ** 0.5)
    side = min(max(side, _LEAST_SIDE), _MOST_SIDE)
    for top, left in product(range(0, size[0], side), range(0, size[1], side)):
        yield top, left, min(top + side, size[0]), min(left + side, size[1])
