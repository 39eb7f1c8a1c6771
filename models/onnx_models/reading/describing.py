"""From a file's facts to the members of its record that nobody gave.

    facts ─► metadata ─┐
      │                ├─► head ─► task, labels, options ─► preprocess
    what was asked ────┘

What the caller gave wins over what the metadata says, and what the outputs are wins over both: a
contradiction is refused, for answers would be wrong without anybody seeing it.
"""

from collections.abc import Mapping
from typing import Any, Final

from models.onnx_models.examination.facts import Facts
from models.onnx_models.reading.expected_inputs import (
    are_bytes,
    cropped_by_ultralytics,
    of_bytes,
    scaled,
)
from models.onnx_models.reading.heads import classifier
from models.onnx_models.reading.heads.head import Head
from models.onnx_models.reading.metadata import Metadata, read_metadata
from models.onnx_models.reading.recognising import recognise
from models.onnx_models.reading.shapes import PictureInput, Size, picture_input, with_batch
from models.preprocessing.preprocess import Preprocessing
from models.preprocessing.whole_pictures import WholePicture
from models.records.errors import RecordError
from models.records.options import Scale, ValueScale, read_onnx_options

# (max_batch, shard_items) where nobody has measured the network.
_SIZES: Final[Mapping[str, tuple[int, int]]] = {
    "classification": (32, 128),
    "embedding": (32, 128),
    "detection": (8, 32),
    "segmentation": (4, 16),
}
_CROPPED_TASKS: Final = ("classification", "embedding")
# Of a mean or a deviation as somebody writes it.
_ROUNDING: Final = 1e-3
_PROBABILITIES: Final = ("softmax", "prob", "sigmoid")


def describe(asked: Mapping[str, Any], facts: Facts) -> dict[str, Any]:
    """Give the members of a ModelRecord that `asked` lacks or leaves empty.

    Of task, labels (a tuple), preprocess, max_batch, shard_items and description, those that are
    missing; `options` always, with what was asked in it; and `provenance` with `license` and
    `author`, where the file tells them. Raises RecordError for a file that is not understood, with
    what was found, what was expected, and what decides it.
    """
    facts = with_batch(facts)
    options = dict(asked.get("options") or {})
    read = read_onnx_options(options)
    named, scale = read.head, read.scale
    told = read_metadata(facts.metadata)
    labels = tuple(asked.get("labels") or (() if asked.get("task") == "embedding" else told.labels))
    picture_input(facts, (1, 1))  # what is no picture is refused before outputs are looked at
    head = recognise(facts, named, asked.get("task") or told.task, labels)
    taken = _input(facts, head, told.size)
    options["head"] = head.name
    if head is classifier.HEAD:
        options["outputs"] = options.get("outputs") or _scale(facts, told)
    if asked.get("preprocess"):
        _check_preprocess(asked["preprocess"], head, taken)
        _check_scale(asked["preprocess"], scale)
    max_batch, shard_items = _SIZES[head.task]
    members = {
        "task": head.task,
        "labels": labels,
        "preprocess": asked.get("preprocess") or _preprocess(head, taken, told, scale),
        "max_batch": 1 if taken.one_at_a_time or head.single else max_batch,
        "shard_items": shard_items,
        "description": _description(head, taken, told, bool(asked.get("preprocess")), options),
    }
    missing = {name: value for name, value in members.items() if not asked.get(name)}
    provenance = {"provenance": dict(told.provenance)} if told.provenance else {}
    return {**missing, "options": options, **provenance}


def _input(facts: Facts, head: Head, size: Size | None) -> PictureInput:
    taken = picture_input(facts, size or (head.side, head.side))
    if head.task in _CROPPED_TASKS and taken.height != taken.width:
        raise RecordError(
            f"The input takes {taken.height} x {taken.width} pixels, and pictures for {head.task} "
            "are cropped to squares: export the file with a square input."
        )
    return taken


def _scale(facts: Facts, told: Metadata) -> Scale:
    """Say what a classifier's scores are: Ultralytics' have gone through a softmax."""
    name = facts.outputs[0].name.lower()
    softened = told.ultralytics or any(word in name for word in _PROBABILITIES)
    return "probabilities" if softened else "logits"


def _preprocess(
    head: Head, taken: PictureInput, told: Metadata, scale: ValueScale | None
) -> dict[str, Any]:
    """Give what the head's networks expect; raises RecordError where no two expect the same."""
    if taken.of_bytes:
        return _preprocess_bytes(head, taken, told, scale)
    if head is classifier.HEAD and told.ultralytics:
        plain = cropped_by_ultralytics(taken)
    elif head.scale_is_open and scale is None:
        raise RecordError(
            "Nothing in the file says how pixels are normalised for it, and a wrong guess answers "
            "wrongly: say --scale imagenet (ImageNet's mean and deviation: torchvision's and most "
            "others' networks), unit (values from 0 to 1) or symmetric (-1 to 1) (options.scale), "
            "or all of it with --record (preprocess)."
        )
    else:
        plain = head.preprocess(taken)
    return plain if scale is None else scaled(plain, scale)


def _preprocess_bytes(
    head: Head, taken: PictureInput, told: Metadata, scale: ValueScale | None
) -> dict[str, Any]:
    """Give what is expected where the file normalises by itself: its size and nothing of values."""
    if scale is not None:
        raise RecordError(
            "The file's input is uint8, so that it takes pixels as they are, 0 to 255, and what "
            f"normalises them is inside: leave --scale {scale} (options.scale) out."
        )
    is_cropped = head is classifier.HEAD and told.ultralytics
    return of_bytes(cropped_by_ultralytics(taken) if is_cropped else head.preprocess(taken))


def _check_preprocess(plain: Mapping[str, Any], head: Head, taken: PictureInput) -> None:
    """Hold the caller's preprocessing against the input; raises RecordError."""
    if head.task in _CROPPED_TASKS:
        crop = Preprocessing.read(plain)
        channels, size = crop.channels, list(crop.crop_size)
    else:
        whole = WholePicture.read(plain)
        channels, size = whole.channels, list(whole.fixed or whole.letterbox or ())
    if channels != taken.channels:
        raise RecordError(
            f"The record's preprocess.channels is {channels} and the file's input has "
            f"{taken.channels}."
        )
    if taken.of_bytes and not are_bytes(plain):
        raise RecordError(
            "The record's preprocess normalises, and the file's input is uint8, 0 to 255: give a "
            "mean of 0 and a std of 1 / 255 (0.00392157) a channel."
        )
    if not taken.free and size != [taken.height, taken.width]:
        given = " x ".join(map(str, size)) or "of any shape"
        raise RecordError(
            f"The record's preprocess makes samples {given}, and the file's input takes "
            f"{taken.height} x {taken.width} (height x width)."
        )


def _check_scale(plain: Mapping[str, Any], scale: ValueScale | None) -> None:
    """Refuse a scale beside a preprocessing that normalises otherwise; raises RecordError."""
    if scale is None:
        return
    said = scaled(dict(plain), scale)
    if any(
        abs(one - other) > _ROUNDING
        for name in ("mean", "std")
        for one, other in zip(said[name], plain[name], strict=True)
    ):
        raise RecordError(
            f"--scale {scale} (options.scale) is a mean of {said['mean']} and a std of "
            f"{said['std']}, and the record's preprocess says {list(plain['mean'])} and "
            f"{list(plain['std'])}: drop one of the two, --scale or the preprocess."
        )


def _description(
    head: Head, taken: PictureInput, told: Metadata, prepared: bool, options: Mapping[str, Any]
) -> str:
    """Say what the file says of itself, and what was assumed."""
    said = [told.description] if told.description else []
    if taken.free and told.size is None and not prepared:
        said.append(f"Its input's size is free, and {taken.height} x {taken.width} was assumed.")
    if taken.of_bytes:
        said.append("It takes pixels as they are, 0 to 255.")
    if options.get("scale") and not prepared:
        said.append(f"Pictures are normalised by {options['scale']!r} (options.scale).")
    if head is classifier.HEAD:
        said.append(f"Its scores are taken for {options['outputs']} (options.outputs).")
    if head.note:
        said.append(head.note)
    return " ".join(said) or f"An ONNX file, read as {head.name}."
