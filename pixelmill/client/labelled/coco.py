"""A folder of pictures with one COCO file of boxes."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pixelmill.client.inputs.planning import Gathered, Picked, plan_inputs
from pixelmill.client.inputs.skipping import SkipCount
from pixelmill.client.labelled.labels import Labels
from pixelmill.wire.errors import InvalidInput
from pixelmill.wire.tarstream import Entry

_NAMES = ("annotations.json", "_annotations.coco.json")
_PATTERN = "instances*.json"


@dataclass(frozen=True, slots=True)
class Coco:
    """The pictures that a COCO file names, and the boxes of each."""

    pictures: Picked
    boxes: Mapping[str, list[dict[str, Any]]]

    def lines(self) -> Iterator[Mapping[str, Any]]:
        """Give what is true of each picture."""
        for entry in self.pictures.entries:
            yield {"custom_id": entry.name, "boxes": self.boxes[entry.name]}


def read_coco(labels: Labels, folder: Path) -> Coco:
    """Read a folder and its COCO file; raises InvalidInput naming what is wrong in it.

    Crowds (`iscrowd`) are no objects that a detector is asked for: they are left out and counted,
    and so are pictures that the file does not name.
    """
    path = _coco_file(folder)
    coco = _File(path, _read(path))
    skips = SkipCount()
    names = coco.images()
    boxes: dict[str, list[dict[str, Any]]] = {name: [] for name in names.values()}
    classes = coco.categories()
    used: set[str] = set()
    for number, each in enumerate(coco.list_of("annotations")):
        name = coco.member(names, each, "image_id", number)
        label = coco.member(classes, each, "category_id", number)
        used.add(label)
        if each.get("iscrowd"):
            skips.note(name, "crowd")
            continue
        boxes[name].append({"class": label, "box": coco.box(each, number)})
    labels.check(used, f"{path}: the category")
    return Coco(Picked(folder, tuple(_entries(folder, path, names, skips)), skips), boxes)


class _File:
    """What a COCO file holds, read with the place of each fault."""

    def __init__(self, path: Path, content: Mapping[str, Any]) -> None:
        self._path, self._content = path, content

    def list_of(self, name: str) -> list[Mapping[str, Any]]:
        found = self._content.get(name)
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise InvalidInput(f"{self._path} has no list `{name}` of objects: it is no COCO file.")
        return found

    def images(self) -> dict[Any, str]:
        """Give the name of each picture by its id."""
        found = self._by_id("images", "file_name")
        if not found:
            raise InvalidInput(f"{self._path} names no picture; its `images` are empty.")
        twice = len(found) - len(set(found.values()))
        if twice:
            raise InvalidInput(f"{self._path} names {twice} of its pictures twice in `images`.")
        return found

    def categories(self) -> dict[Any, str]:
        """Give the name of each class by its id."""
        return self._by_id("categories", "name")

    def member(
        self, known: Mapping[Any, str], each: Mapping[str, Any], name: str, number: int
    ) -> str:
        wanted = each.get(name)
        if not isinstance(wanted, int | str) or wanted not in known:
            raise InvalidInput(
                f"{self._path}: annotation {number} has the {name} {wanted!r}, which is not there."
            )
        return known[wanted]

    def box(self, each: Mapping[str, Any], number: int) -> dict[str, float]:
        sides: Any = each.get("bbox")
        is_box = isinstance(sides, list) and len(sides) == 4
        if not is_box or not all(isinstance(side, int | float) for side in sides):
            raise InvalidInput(
                f"{self._path}: annotation {number} has no `bbox` of x, y, width and height."
            )
        if min(sides[2:]) < 0:
            raise InvalidInput(f"{self._path}: annotation {number} has a box of negative size.")
        return dict(zip(("x", "y", "width", "height"), map(float, sides), strict=True))

    def _by_id(self, name: str, of: str) -> dict[Any, str]:
        found: dict[Any, str] = {}
        for number, each in enumerate(self.list_of(name)):
            key, text = each.get("id"), each.get(of)
            if not isinstance(key, int | str) or not isinstance(text, str):
                raise InvalidInput(f"{self._path}: {name}[{number}] lacks its `id` or `{of}`.")
            found[key] = text
        return found


def _coco_file(folder: Path) -> Path:
    if not folder.is_dir():
        raise InvalidInput(f"{folder} is no folder with pictures and a COCO file of their boxes.")
    found = [folder / name for name in _NAMES if (folder / name).is_file()]
    found += sorted(folder.glob(_PATTERN))
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(path.name for path in found)
        raise InvalidInput(f"{folder} has more than one COCO file: {names}; leave one of them.")
    wanted = ", ".join((*_NAMES, _PATTERN))
    raise InvalidInput(f"{folder} has no COCO file that says what is in its pictures: {wanted}.")


def _read(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as err:
        raise InvalidInput(f"{path} cannot be read as JSON: {err}.") from err
    if not isinstance(content, dict):
        raise InvalidInput(f"{path} holds no JSON object: it is no COCO file.")
    return content


def _entries(
    folder: Path, path: Path, names: Mapping[Any, str], skips: SkipCount
) -> Iterator[Entry]:
    """Give the pictures that are named, in the order of their names, and count the others."""
    wanted = set(names.values())
    for name in sorted(wanted):
        parts = PurePosixPath(name).parts
        file = folder.joinpath(*parts)
        if not parts or parts[0] == "/" or ".." in parts or not file.is_file():
            raise InvalidInput(f"{path} names the picture {name!r}, which is not in {folder}.")
        yield Entry(name, file)
    there = plan_inputs(folder)
    assert isinstance(there, Gathered)
    for entry in there:
        if entry.name not in wanted:
            skips.note(entry.name, "no_truth")
