"""A data set in Ultralytics' layout, to be trained on: a zip file without the pictures.

    data.yaml                the classes by their numbers, and where pictures belong
    labels/train/….txt       an object a line: class, then centre and size in shares of the picture
    items-00000.jsonl, …     every item: its picture's name, its labels' file, or why it has none

A picture `a/b.jpg` belongs into images/train/a/b.jpg and its labels are labels/train/a/b.txt. Of
pictures that would share a file of labels, as `a.jpg` and `a.png` do, all but the first are
numbered; the picture is to be renamed so too. A folder `images` of a picture's own is `images_`,
for labels are looked for beside the last of that name. A picture that shows nothing has an empty
file; an item that was not answered has none, for an empty one would say that it shows nothing.

Source: https://docs.ultralytics.com/datasets/detect/
"""

import re
from collections.abc import Iterator, Sequence

from api.results.forms.boxes import inside, rectangle_of
from api.results.forms.zip_stream import Member, zipped
from jobs.forms.export import NO_SIZE, Export, fault_of, has_size, predictions_of, size_of
from jobs.inputs.budgets import shortened
from jobs.inputs.repeats import Names, Numbering
from jobs.results.segments import Row, to_json

_ITEMS_A_FILE = 10_000
# What Windows forbids, what cannot be seen, and the two that lead elsewhere.
_UNSAFE = re.compile(r'[\\:*?"<>|\x00-\x1f\x7f]')
_ELSEWHERE = (".", "..")
# Labels are looked for by putting `labels` for the last of these in a picture's path.
_IMAGES = "images"
# Characters of a folder's or a file's name, of up to four bytes each; file systems take 255 bytes.
_LONGEST = 60 * 4
_SHORTENED = 100


def write(export: Export) -> Iterator[bytes]:
    """Write the archive; the rows are read three times, for names, members and their directory."""
    names = Names()
    for row in export.rows():
        if has_size(row):
            names.add(_split(row.custom_id)[0])
    yield from zipped(lambda: _members(export, Numbering(names)))


def _members(export: Export, numbering: Numbering) -> Iterator[Member]:
    yield Member("data.yaml", _about(export.labels).encode())
    listed: list[str] = []
    files = 0
    for row in export.rows():
        item = {"index": row.index, "custom_id": row.custom_id}
        fault = fault_of(row, NO_SIZE)
        if fault is None:
            lines = _label_lines(row)
            stem, suffix = _split(row.custom_id)
            (stem,) = numbering.name_all([stem])
            labels = f"labels/train/{stem}.txt"
            yield Member(labels, "".join(lines).encode())
            item |= {"picture": f"images/train/{stem}{suffix}", "labels": labels}
            item |= {"objects": len(lines)}
        listed.append(f"{to_json({**item, **(fault or {})})}\n")
        if len(listed) == _ITEMS_A_FILE:
            yield _items_file(files, listed)
            listed, files = [], files + 1
    if listed or not files:
        yield _items_file(files, listed)


def _items_file(number: int, lines: list[str]) -> Member:
    return Member(f"items-{number:05d}.jsonl", "".join(lines).encode())


def _label_lines(row: Row) -> list[str]:
    """Write what lies in an item's picture; boxes reach to its borders at most."""
    width, height = size_of(row)
    lines = []
    for prediction in predictions_of(row):
        box = inside(rectangle_of(prediction), width, height)
        if box is not None:
            across, down = box.x + box.width / 2, box.y + box.height / 2
            shares = (
                across / width,
                down / height,
                box.width / width,
                box.height / height,
            )
            numbers = " ".join(f"{share:.8f}" for share in shares)
            lines.append(f"{prediction['class_id']} {numbers}\n")
    return lines


def _split(custom_id: str) -> tuple[str, str]:
    """Give an item's name as a path that leads nowhere else, without its suffix, and the suffix."""
    parts = [_UNSAFE.sub("_", part) for part in custom_id.split("/") if part]
    parts = [_short("_" if part in _ELSEWHERE else part) for part in parts] or ["_"]
    name, dot, suffix = parts[-1].rpartition(".")
    folders = [f"{part}_" if part == _IMAGES else part for part in parts[:-1]]
    if not (dot and name):
        return "/".join([*folders, parts[-1]]), ""
    return "/".join([*folders, name]), f".{suffix}"


def _short(part: str) -> str:
    return part if len(part.encode()) <= _LONGEST else shortened(part, _SHORTENED)


def _about(labels: Sequence[str]) -> str:
    classes = "".join(f"  {number}: {_quoted(name)}\n" for number, name in enumerate(labels))
    names = f"names:\n{classes}" if classes else "names: {}\n"
    return f"train: images/train\nval: images/train\nnc: {len(labels)}\n{names}"


def _quoted(text: str) -> str:
    """Write a text as YAML's double-quoted form has it, on one line."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'
