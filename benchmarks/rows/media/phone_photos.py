"""Photos of twelve megapixels end to end: how much it saves to decode them smaller than they are.

MobileNetV3-small on a stack, `decode: "fast"` against `"exact"`, and against what a tutorial writes
(PIL, torchvision's transforms, one at a time, two processes), in interleaved rounds.
"""

from collections.abc import Mapping

from benchmarks.contest import OURS, Contestant, Turns, hold
from benchmarks.figures import Verdict
from benchmarks.report import Row, spread
from benchmarks.works import phone_photos
from models.records.decoding import EXACT, FAST

_ROUNDS, _QUICK_ROUNDS = 5, 2
_PHOTOS, _QUICK_PHOTOS = 120, 32
_TUTORIAL = "a tutorial's loop"
_FAST, _EXACT = f", {FAST}", f", {EXACT}"
_LEAST = {OURS + _EXACT: 2.5, _TUTORIAL: 4.0}


def measure(quick: bool) -> Row:
    """Infer the photos in turn; gives what each did and by how much fast is ahead."""
    count = _QUICK_PHOTOS if quick else _PHOTOS
    turns: Mapping[str, Mapping[str, str]] = {_EXACT: {"decode": EXACT}, _FAST: {"decode": FAST}}
    contestants = (
        Contestant(OURS, "pixelmill_stack", turns=turns),
        Contestant(_TUTORIAL, "tutorial"),
    )
    rounds = _QUICK_ROUNDS if quick else _ROUNDS
    table = hold(phone_photos(count), contestants, rounds)
    verdicts = [_verdict(table, other, least) for other, least in _LEAST.items()]
    figures: dict[str, object] = {
        f"{line}: images/s, medians of {rounds} rounds (least to most)": spread(
            each.images_per_s, 1
        )
        for line, each in table.items()
    }
    for line, each in table.items():
        figures[f"{line}: classes that are not those of exact, of {count}"] = max(each.other_labels)
    title = f"{count} JPEG photos of 12 megapixels, MobileNetV3-small"
    return Row(title, verdicts, figures=figures)


def _verdict(table: Mapping[str, Turns], other: str, least: float) -> Verdict:
    ratio = table[OURS + _FAST].ratio_to(table[other])
    return Verdict(f"{OURS}{_FAST} {ratio:.2f} x {other} >= {least}", ratio >= least)
