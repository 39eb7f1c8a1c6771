"""The model card of the network for moving digits, as Markdown."""

from models.measuring.evaluation import Figures
from models.measuring.scene_card import wrapped
from models.pictures.clips import LATENCY
from models.records.record import ModelRecord
from models.training.clip_training import ClipRecipe, ClipTrained

_CARD = """\
# {name}

{description}

## Figures

| figure | value |
|---|---|
{figures}
| parameters | {parameters} |
| training seconds | {seconds:.1f} |

Measured on films of held-out digits only; measure again with `python -m models.evaluate`.
`heldout_…`: 500 clips of 16 frames in which nothing changes. `stream_…`: 16 streams of 960 frames,
two minutes each, with the state carried through; a window of 16 frames is right when it is told
what was shown {latency} frames before its end. Digit and direction are counted apart.

## How it was trained

    {command}

In two stages, Adam in both, learning rate {recipe.learning_rate} after fifty rising steps, falling
along a half cosine, seed {recipe.seed}. The encoder: {recipe.steps} steps of {recipe.batch} single
frames, no two of one film, cross-entropy on the digit and squared error on its place. The memory:
{recipe.epochs} epochs over three times {recipe.batch} streams of a minute, which the encoder had
encoded once,
cross-entropy on digit and direction after every frame, gradients through 16 frames, the state
carried on. Mean loss of the last epoch {loss:.4f}. One CPU thread, torch {torch_version}; the
seconds were taken on a machine that others used too. {history}

## Data

Films of `models/pictures/clips.py`: one digit, 16 to 32 pixels high, that walks over 64 x 64 pixels
of a grey ground with blotches, stray strokes, circles and grain, 0.75 to 3 pixels a frame, to the
left, right, up or down, by up to 14 degrees aslant. After 16 to 64 frames it turns, or the film
cuts to another digit on another ground. The grounds are made; the digits are real handwriting,
scikit-learn's `load_digits` (UCI "Optical Recognition of Handwritten Digits", Alpaydin and Kaynak
1998, CC BY 4.0), split as for the network `digits`: 1437 appear in films to train on, 360 others in
those to measure with.

## Architecture

`models/networks/motion.py`: four 3x3 convolutions encode what is seen in a frame and where; an LSTM
of 128 units carries that, and the steps from place to place, through the video; two heads read it.
Input: grey, shorter side 64, values in [0, 1], 8 frames a second.

## Intended use and limits

For demonstrations, tests and as an example to follow. It knows one light digit at a time on a
darker ground, a quarter to a half of the picture high, that moves and is seen as a whole; what
stands still is given a direction all the same, and what is no digit a digit's name. A change is
told some frames late. Both halves of the split contain the same writers, so that new handwriting
will be read less well than the figures say. Not for anything that matters.
"""

_HISTORY = (
    "Tried before and given up: training all of it at once over streams, which after 275 steps of "
    "16 streams knew neither digit nor direction; digits that leave the picture on one side and "
    "come back on the other; a memory without the steps from place to place, which learned digits, "
    "but directions hardly at all; and a third as many streams, which were learned by heart: "
    "directions in new ones, told three frames late, were right in 0.940 of all windows. So the "
    "recipe was chosen by figures like those above, on these very films: there is no third set."
)


def clip_card(
    record: ModelRecord,
    trained: ClipTrained,
    recipe: ClipRecipe,
    figures: Figures,
    command: str,
    torch_version: str,
) -> str:
    """Write the card; `figures` as `evaluate` measured them."""
    return wrapped(
        _CARD.format(
            name=record.name,
            description=record.description,
            figures="\n".join(f"| {name} | {value:.4f} |" for name, value in figures.items()),
            parameters=sum(each.numel() for each in trained.module.parameters()),
            seconds=trained.seconds,
            latency=LATENCY,
            command=command,
            recipe=recipe,
            loss=trained.loss,
            torch_version=torch_version,
            history=_HISTORY if recipe == ClipRecipe() else "",
        )
    )
