"""A folder of pictures with a PNG of class ids for each, in its folder `masks`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pixelmill.client.inputs.planning import Gathered, Picked, plan_inputs
from pixelmill.client.inputs.skipping import SkipCount
from pixelmill.client.labelled.labels import Labels
from pixelmill.client.labelled.png import read_ids
from pixelmill.client.labelled.rle import codes_of
from pixelmill.wire.errors import InvalidInput

_FOLDER = "masks"
# What is nothing that the network is asked for, such as the borders of VOC's objects.
_VOID = 255


@dataclass(frozen=True, slots=True)
class Masked:
    """The pictures of a folder, and the masks of each, one a class."""

    pictures: Picked
    masks: Mapping[str, list[dict[str, Any]]]

    def lines(self) -> Iterator[Mapping[str, Any]]:
        """Give what is true of each picture."""
        for entry in self.pictures.entries:
            yield {"custom_id": entry.name, "masks": self.masks[entry.name]}


def read_masks(labels: Labels, folder: Path) -> Masked:
    """Read a folder; raises InvalidInput for a picture without a mask, and a mask that is none.

    Every mask is looked at before anything is sent.
    """
    root = folder / _FOLDER
    if not root.is_dir():
        raise InvalidInput(
            f"{folder} has no folder {_FOLDER}: put a PNG of class ids into it for each picture, "
            "of the same name."
        )
    found = plan_inputs(folder)
    assert isinstance(found, Gathered)
    every = list(found)
    pictures = [entry for entry in every if not entry.name.startswith(f"{_FOLDER}/")]
    if not pictures:
        raise InvalidInput(
            f"{folder} holds masks alone, and none of the pictures that they are of."
        )
    masks: dict[str, list[dict[str, Any]]] = {}
    used: set[str] = set()
    for entry in pictures:
        name = PurePosixPath(entry.name).with_suffix(".png")
        mask = root.joinpath(*name.parts)
        if not mask.is_file():
            raise InvalidInput(f"{entry.name} has no mask: {mask} is not there.")
        masks[entry.name] = _masks_of(labels, mask)
        used.add(f"{_FOLDER}/{name}")
    skips = SkipCount()
    for entry in every:
        if entry.name.startswith(f"{_FOLDER}/") and entry.name not in used:
            skips.note(entry.name, "no_picture")
    return Masked(Picked(folder, tuple(pictures), skips), masks)


def _masks_of(labels: Labels, path: Path) -> list[dict[str, Any]]:
    ids, most = read_ids(path), len(labels.names)
    codes = dict(codes_of(ids))
    for number in sorted(codes):
        if number >= most and number != _VOID:
            raise InvalidInput(
                f"{path} has the class id {number}, but {labels.model} has {most} labels, 0 to "
                f"{most - 1}; {_VOID} is what is not counted."
            )
    named = ((number, code) for number, code in codes.items() if number < most)
    return [{"class": labels.names[number], "mask": code} for number, code in named]
