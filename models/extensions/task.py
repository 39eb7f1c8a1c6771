"""The task of an operator's own architecture: Pixelmill's, with functions of the module in it.

    prepare ──► sample ──► batches of one shape ──► forward ──► an output a picture ──► predictions

Whatever is the module's own is called one picture at a time: what it raises costs that picture.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Final

import numpy as np
import torch
from torch import nn

from models.extensions.answers import checked
from models.extensions.architecture import Seen
from models.extensions.choosing import OF_PICTURES, chosen
from models.extensions.loading import Own
from models.media.pictures import Picture
from models.preprocessing.preprocess import Preprocessing, Scale, normalise
from models.preprocessing.whole_pictures import WholePicture
from models.records.errors import ExtensionFailed, InputError, RecordError
from models.records.record import ModelRecord
from models.tasks import classification, detection, segmentation, whole_pictures
from models.tasks.task import Outputs, Predictions, Sample, Task, stack

# The tasks whose pictures are cropped, unless a module's architecture is prepared otherwise.
_CROPPED = ("classification", "embedding")
# (height, width) of the picture that one with its own `prepare` is tried with.
_USUAL = (600, 800)


@dataclass(frozen=True, slots=True)
class Answered:
    """What a network gave for one picture, on the CPU, and how it saw it."""

    output: Any
    seen: Seen


def own_task(own: Own, record: ModelRecord, base: Task | None) -> Task | None:
    """Give the task of a record of an own architecture; None where it is Pixelmill's alone.

    `base` is Pixelmill's task of that name, None for videos. Raises RecordError.
    """
    says = own.says
    has_hooks = says.prepare is not None or says.postprocess is not None
    if says.task and record.task != says.task:
        raise RecordError(
            f"The record's task is {record.task!r}, and {own} does {says.task}; leave `task` out."
        )
    if has_hooks and base is None:
        raise RecordError(
            f"The task {record.task!r} has no `prepare` or `postprocess` of a module's own, which "
            f"{own} has; they are for {', '.join(OF_PICTURES)}."
        )
    is_usual = ("crop" in record.preprocess) == (record.task in _CROPPED)
    if base is None or (is_usual and not has_hooks):
        return None
    made = _OwnTask(own, base)
    parts: dict[str, Any] = {"infer": made.infer, "check": made.check, "channels": made.channels}
    parts |= {"least": made.least, "prepare": made.prepare, "blank": made.blank}
    if says.postprocess is not None:
        parts["postprocess"] = made.postprocess
    return replace(base, **parts)


class _OwnTask:
    """The functions of a `Task` for one architecture."""

    def __init__(self, own: Own, base: Task) -> None:
        self._own, self._says, self._base = own, own.says, base

    def check(self, record: ModelRecord) -> None:
        """Refuse a record that it cannot run; raises RecordError."""
        if not record.labels:
            raise RecordError(f"Model {record.name!r} has no labels; give one name a class.")
        if self.channels(record) not in (1, 3):
            raise RecordError("The record's preprocess.channels must be 1 or 3.")

    def channels(self, record: ModelRecord) -> int:
        """Say how many channels a picture is decoded to."""
        if self._says.prepare is None:
            return _form_of(record).decoded
        found: int = record.preprocess.get("channels", 3)
        return found

    def least(self, record: ModelRecord) -> int | None:
        """Say how far a decoder may scale a picture down; its own `prepare` wants all pixels."""
        return None if self._says.prepare is not None else _form_of(record).least

    def prepare(self, record: ModelRecord, picture: Picture) -> Sample:
        """Turn a decoded picture into a sample; raises InputError or ExtensionFailed."""
        prepare = self._says.prepare
        if prepare is None:
            is_cropped = isinstance(_form_of(record), Preprocessing)
            usual = classification.prepare if is_cropped else whole_pictures.prepare
            return usual(record, picture)
        try:
            sample = prepare(record, picture)
        except (InputError, MemoryError):
            raise
        except Exception as err:  # whatever it raises
            raise ExtensionFailed(self._own.failed("failed in `prepare`", err)) from err
        if not _is_sample(sample):
            raise ExtensionFailed(
                f"{self._own.capital} gave no sample in `prepare`; give Sample(pixels, "
                "picture.height, picture.width) with pixels uint8 or float32 (channels, h, w)."
            )
        return sample

    def blank(self, record: ModelRecord) -> Sample:
        """Give a black sample of a usual size."""
        if self._says.prepare is None:
            is_cropped = isinstance(_form_of(record), Preprocessing)
            return (classification.blank if is_cropped else whole_pictures.blank)(record)
        height, width = _USUAL
        black = np.zeros((height, width, self.channels(record)), np.uint8)
        try:
            return self.prepare(record, Picture(black, width, height))
        except InputError as err:
            what = f"refuses a black picture of {width} x {height} pixels"
            raise RecordError(self._own.failed(what, err)) from err

    def infer(
        self,
        record: ModelRecord,
        module: nn.Module,
        samples: Sequence[Sample],
        device: torch.device,
    ) -> Outputs:
        """Run the network on samples, those of one shape together."""
        outputs: dict[int, Any] = {}
        for positions, batch in self._batches(record, samples, device):
            given, alike = module(batch), [samples[position] for position in positions]
            read = (
                _READERS[self._base.name](given, alike)
                if self._says.postprocess is None
                else self._answered(given, alike)
            )
            outputs.update(zip(positions, read, strict=True))
        in_order = [outputs[position] for position in range(len(samples))]
        is_rows = isinstance(in_order[0], torch.Tensor)
        return torch.stack(in_order) if is_rows else in_order

    def postprocess(
        self, record: ModelRecord, outputs: Sequence[Answered], params: Mapping[str, Any]
    ) -> list[Predictions]:
        """Turn outputs into predictions by the module's own function; raises ExtensionFailed."""
        return [self._predictions(record, each, params) for each in outputs]

    def _predictions(
        self, record: ModelRecord, answered: Answered, params: Mapping[str, Any]
    ) -> Predictions:
        assert self._says.postprocess is not None
        try:
            given = self._says.postprocess(record, answered.output, answered.seen, params)
        except MemoryError:
            raise
        except Exception as err:  # whatever it raises
            raise ExtensionFailed(self._own.failed("failed in `postprocess`", err)) from err
        try:
            return chosen(self._base.name, checked(record, given, answered.seen), params)
        except ValueError as err:
            what = f"answers outside the contract of {self._base.name}"
            raise ExtensionFailed(f"{self._own.capital} {what}: {err}.") from err

    def _batches(
        self, record: ModelRecord, samples: Sequence[Sample], device: torch.device
    ) -> Iterator[tuple[list[int], torch.Tensor]]:
        """Yield (positions of samples of one shape, their batch on the device)."""
        scale = None if self._says.prepare is not None else _form_of(record)
        if isinstance(scale, WholePicture):
            yield from whole_pictures.inputs_by_shape(record, samples, device)
            return
        alike: dict[tuple[torch.Size, torch.dtype], list[int]] = {}
        for position, sample in enumerate(samples):
            alike.setdefault((sample.pixels.shape, sample.pixels.dtype), []).append(position)
        for positions in alike.values():
            batch = stack([samples[position] for position in positions], device)
            yield positions, _scaled(batch, scale)

    def _answered(self, given: Any, samples: Sequence[Sample]) -> list[Answered]:
        parts = _split(_on_cpu(given), len(samples))
        if len(parts) != len(samples):
            raise RecordError(
                f"{self._own.capital} gives {len(parts)} answers to {len(samples)} pictures; "
                "`forward` gives a row, or an entry of a list, for each."
            )
        return [
            Answered(part, seen_of(sample)) for part, sample in zip(parts, samples, strict=True)
        ]


def _form_of(record: ModelRecord) -> Preprocessing | WholePicture:
    """Read a record's preprocessing by its form, whichever the task; raises RecordError."""
    if "crop" in record.preprocess:
        return record.parsed(Preprocessing.read)
    return record.parsed(WholePicture.read)


def _scaled(batch: torch.Tensor, scale: Scale | None) -> torch.Tensor:
    if scale is not None:
        return normalise(batch, scale)
    return batch.to(torch.float32).div_(255) if batch.dtype == torch.uint8 else batch


def _is_sample(given: object) -> bool:
    if not isinstance(given, Sample) or not isinstance(given.pixels, torch.Tensor):
        return False
    return given.pixels.ndim == 3 and given.pixels.dtype in (torch.uint8, torch.float32)


def seen_of(sample: Sample) -> Seen:
    """Say how a sample's picture is seen."""
    height, width = sample.pixels.shape[-2:]
    return Seen(sample.height, sample.width, (height, width), sample.inside)


def _split(given: Any, count: int) -> list[Any]:
    """Cut what a network gave for a batch into what it gave for each picture."""
    if isinstance(given, list):
        return given
    if isinstance(given, torch.Tensor):
        return list(given)
    if isinstance(given, Mapping):
        columns = {name: _split(each, count) for name, each in given.items()}
        return [{name: each[row] for name, each in columns.items()} for row in range(count)]
    if isinstance(given, tuple):
        return list(zip(*(_split(each, count) for each in given), strict=True))
    raise RecordError(
        f"`forward` gives {type(given).__name__}; give a tensor, a tuple or dict of tensors with a "
        "row a picture, or a list with an entry a picture."
    )


def _on_cpu(given: Any) -> Any:
    if isinstance(given, torch.Tensor):
        plain = given.float() if given.is_floating_point() else given
        return plain.cpu()
    if isinstance(given, Mapping):
        return {name: _on_cpu(each) for name, each in given.items()}
    if isinstance(given, tuple):
        return tuple(map(_on_cpu, given))
    return list(map(_on_cpu, given)) if isinstance(given, list) else given


def tensors_in(answer: Any) -> list[torch.Tensor]:
    """Give every tensor of an answer, however deep."""
    if isinstance(answer, torch.Tensor):
        return [answer]
    if is_dataclass(answer):
        parts: list[Any] = [getattr(answer, each.name) for each in fields(answer)]
    elif isinstance(answer, Mapping):
        parts = list(answer.values())
    elif isinstance(answer, Sequence) and not isinstance(answer, str | bytes):
        parts = list(answer)
    else:
        return []
    return [tensor for part in parts for tensor in tensors_in(part)]


def _rows(given: torch.Tensor, _: Sequence[Sample]) -> list[Any]:
    return list(given.float().cpu())


def _objects(given: Sequence[Any], samples: Sequence[Sample]) -> list[Any]:
    found = zip(given, samples, strict=True)
    return [detection.read_output(output, sample) for output, sample in found]


def _segments(given: Any, samples: Sequence[Sample]) -> list[Any]:
    given = given["out"] if isinstance(given, Mapping) else given
    read = detection.read_output if isinstance(given, list) else segmentation.layers_of
    return [read(output, sample) for output, sample in zip(given, samples, strict=True)]


# How what a network gives is read where the module has no `postprocess`, by task.
_READERS: Final[Mapping[str, Callable[[Any, Sequence[Sample]], list[Any]]]] = {
    "classification": _rows,
    "embedding": _rows,
    "detection": _objects,
    "segmentation": _segments,
}
