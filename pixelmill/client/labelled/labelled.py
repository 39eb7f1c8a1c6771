"""Which kind of folder the task of a version takes, and what is sent of it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelmill.client.inputs.planning import Gathered, Picked, Upload, plan_inputs
from pixelmill.client.labelled.classes import check_classes
from pixelmill.client.labelled.coco import read_coco
from pixelmill.client.labelled.labels import Labels
from pixelmill.client.labelled.masks import read_masks
from pixelmill.client.records import Model
from pixelmill.wire.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Labelled:
    """What is sent of a labelled folder: its pictures, and a line of truth for each.

    `lines` is None where the names of folders are the truth.
    """

    pictures: Gathered | Picked | Upload
    lines: Callable[[], Iterator[Mapping[str, Any]]] | None = None


def read_labelled(model: Model, folder: Path) -> Labelled:
    """Read and check a folder for a version; raises InvalidInput for what cannot be evaluated."""
    read = _READERS.get(model.task or "")
    if read is None:
        raise InvalidInput(
            f"{model.id} does {model.task}, which is not evaluated; {', '.join(_READERS)} are."
        )
    return read(Labels(model.id, tuple(model.raw.get("labels") or ())), folder)


def _classes(labels: Labels, folder: Path) -> Labelled:
    plan = plan_inputs(folder)
    if isinstance(plan, Upload):
        # The server looks into archives, before it runs anything of them.
        return Labelled(plan)
    assert isinstance(plan, Gathered)
    check_classes(labels, folder, plan)
    return Labelled(plan)


def _boxes(labels: Labels, folder: Path) -> Labelled:
    found = read_coco(labels, folder)
    return Labelled(found.pictures, found.lines)


def _masks(labels: Labels, folder: Path) -> Labelled:
    found = read_masks(labels, folder)
    return Labelled(found.pictures, found.lines)


_READERS: Mapping[str, Callable[[Labels, Path], Labelled]] = {
    "classification": _classes,
    "detection": _boxes,
    "segmentation": _masks,
}
