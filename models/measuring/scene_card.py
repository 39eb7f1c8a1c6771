"""The model card of a network for scenes, as Markdown."""

from dataclasses import dataclass
from textwrap import fill

from models.measuring.evaluation import Figures
from models.records.record import ModelRecord
from models.training.scene_training import RECIPES, SceneRecipe, SceneTrained

_CARD = """\
# {name}

{description}

## Figures

| figure | value |
|---|---|
{figures}
| parameters | {parameters} |
| training seconds | {seconds:.1f} |

Measured on 500 scenes made of held-out digits only; measure again with
`python -m models.evaluate`. {measure}

## How it was trained

    {command}

Adam, {recipe.steps} steps of {recipe.batch} fresh scenes each, learning rate {recipe.learning_rate}
after fifty rising steps, falling along a half cosine, seed {recipe.seed}. {losses} Mean loss of the
last fifty steps {loss:.4f}. One CPU thread, torch {torch_version}; the seconds were taken on a
machine that others used too. {history}

## Data

Scenes of `models/pictures/scenes.py`: one to five digits, 16 to 40 pixels high, on 96 x 96
pixels of a grey ground with blotches, stray strokes, circles and grain. The grounds are made; the
digits are real handwriting, scikit-learn's `load_digits` (UCI "Optical Recognition of Handwritten
Digits", Alpaydin and Kaynak 1998, CC BY 4.0), split as for the network `digits`: 1437 appear in
scenes to train on, 360 others in those to measure with.

## Architecture

{architecture} Input: grey, shorter side 96, values in [0, 1].

## Intended use and limits

For demonstrations, tests and as an example to follow. It knows light strokes on darker grounds, no
taller than 40 of 96 pixels, that stand apart; photographs, dark ink and digits that overlap are
unknown to it, and clutter that looks like a digit may be taken for one. Both halves of the split
contain the same writers, so that new handwriting will be read less well than the figures say. Not
for cheques, forms or anything that matters.
"""


@dataclass(frozen=True)
class _Words:
    """What one network's card says that the other's does not."""

    measure: str
    losses: str
    architecture: str
    history: str


_WORDS = {
    "scenes-detector": _Words(
        measure="`heldout_map50` and `heldout_map75` are mean average precision over the ten "
        "digits where a box is right from an intersection over union of 0.5 or 0.75 on.",
        losses="Focal loss on the centres and generalised IoU on the boxes.",
        architecture="`models/networks/scenes_detector.py`: seven 3x3 convolutions down to a "
        "sixteenth of the resolution, joined again at a quarter of it by two more, where each cell "
        "tells class and box.",
        history="The recipe is the first that was tried.",
    ),
    "scenes-segmenter": _Words(
        measure="`heldout_mean_iou` is intersection over union of each class over all scenes "
        "together, in the mean over the ten digits and the ground.",
        losses="Cross-entropy with ink ten times as heavy as ground, and soft Dice loss.",
        architecture="`models/networks/scenes_segmenter.py`: a U-Net of three levels, from a half "
        "to an eighth of the resolution.",
        history="Two recipes without a heavier weight on ink were given up unfinished: they "
        "learned too slowly.",
    ),
}


def scene_card(
    record: ModelRecord,
    trained: SceneTrained,
    recipe: SceneRecipe,
    figures: Figures,
    command: str,
    torch_version: str,
) -> str:
    """Write the card of a network for scenes; `figures` as `evaluate` measured them."""
    words = _WORDS[record.name]
    card = _CARD.format(
        name=record.name,
        description=record.description,
        figures="\n".join(f"| {name} | {value:.4f} |" for name, value in figures.items()),
        parameters=sum(each.numel() for each in trained.module.parameters()),
        seconds=trained.seconds,
        command=command,
        recipe=recipe,
        loss=trained.loss,
        torch_version=torch_version,
        measure=words.measure,
        losses=words.losses,
        architecture=words.architecture,
        history=words.history if recipe == RECIPES[record.name] else "",
    )
    return wrapped(card)


def wrapped(card: str) -> str:
    """Wrap a card's running text after a hundred characters."""
    return "\n\n".join(map(_wrapped, card.split("\n\n")))


def _wrapped(paragraph: str) -> str:
    """Wrap running text, and leave headings, tables and commands as they are."""
    if paragraph.startswith(("#", "|", "    ")):
        return paragraph
    ending = "\n" if paragraph.endswith("\n") else ""
    return fill(paragraph, 100, break_long_words=False, break_on_hyphens=False) + ending
