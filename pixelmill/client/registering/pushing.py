"""What a caller may hand to `push`, and what of a record each kind of it says by itself.

best.onnx                    ──► the file; a worker reads the rest from it
best.onnx, best.onnx.data    ──► one file of both
model.safetensors            ──► the file, with `architecture`
model.pth, .pt, .bin, .pkl   ──► a state dict, made safetensors in a process of its own
a Hugging Face folder        ──► its weights, as one file, with what its JSON files say

What no server could take is refused here, by the files' beginnings and headers, before any library
is asked.

Whoever gives a whole record has the last word.
"""

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelmill.client.hugging_face.folder import read_folder
from pixelmill.client.registering.class_counts import check_classes
from pixelmill.client.registering.external_data import join_external_data
from pixelmill.client.registering.house import CommandFailedError, run_command
from pixelmill.wire.errors import InvalidInput
from pixelmill.wire.safetensors_stream import Joined

log = logging.getLogger(__name__)

_PICKLED = (".pth", ".pt", ".bin", ".ckpt", ".pkl", ".pickle")
_MOST_LABEL_BYTES = 8 * 2**20
# A zip archive, as torch writes them, or a bare pickle; a safetensors file's header may be as long
# as a pickle begins, and then this follows.
_PICKLE_BEGINS = (b"PK\x03\x04", b"\x80")
_HEADER_BEGINS = b"\0\0\0\0{"


@dataclass(frozen=True, slots=True)
class Pushed:
    """What goes to the server: one file, and its record as far as it is known here.

    `folder` is that of a Hugging Face model.
    """

    weights: Path | Joined
    record: Mapping[str, Any]
    folder: Path | None = None


@contextmanager
def pushed(
    source: Path, said: Mapping[str, Any], state_dict: str | None = None
) -> Iterator[Pushed]:
    """Give the file and the record for a path; what was made on the way is gone afterwards.

    `said` are the members of the record that the caller gave; `state_dict` is the key of a
    checkpoint's. Raises InvalidInput.
    """
    with _read(source, said, state_dict) as what:
        check_classes(source, what.weights, what.record)
        yield what


@contextmanager
def _read(source: Path, said: Mapping[str, Any], state_dict: str | None) -> Iterator[Pushed]:
    with tempfile.TemporaryDirectory(prefix="pixelmill-") as made:
        if source.is_dir():
            weights, read = read_folder(source, said.get("task"))
            if isinstance(weights, Path):
                _look(weights)
            yield Pushed(weights, with_said(read, said), source)
        elif not source.is_file():
            raise InvalidInput(f"{source} is neither a file nor a folder; push takes one of them.")
        elif _is_pickled(source):
            _look(source)
            _check_architecture(source, said)
            target = Path(made) / "model.safetensors"
            _convert(source, target, said["architecture"], state_dict)
            yield Pushed(target, said)
        elif state_dict is not None:
            raise InvalidInput(f"{source} is no torch checkpoint; leave --state-dict out.")
        elif source.suffix == ".safetensors" or _begins(source)[4:] == _HEADER_BEGINS:
            _check_architecture(source, said)
            _look(source)
            yield Pushed(source, said)
        else:
            target = Path(made) / "model.onnx"
            yield Pushed(target if join_external_data(source, target) else source, said)


def with_said(read: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """Put what the caller said over what was read; of where it is from, member by member."""
    provenance = {**read.get("provenance", {}), **said.get("provenance", {})}
    return {**read, **said, **({"provenance": provenance} if provenance else {})}


def record_of(
    record: Mapping[str, Any] | None = None,
    *,
    architecture: str | None = None,
    labels: Sequence[str] | Path | str | None = None,
    task: str | None = None,
    head: str | None = None,
    scale: str | None = None,
    license_name: str | None = None,
) -> dict[str, Any]:
    """Put together what was said of a record, the single words over the whole one.

    `labels` are names, or a file with a name a line. Raises InvalidInput.
    """
    said: dict[str, Any] = {**(record or {})}
    given = {"architecture": architecture, "task": task}
    said |= {name: value for name, value in given.items() if value is not None}
    if labels is not None:
        said["labels"] = read_labels(labels)
    options = {"head": head, "scale": scale}
    if chosen := {name: value for name, value in options.items() if value is not None}:
        said["options"] = {**said.get("options", {}), **chosen}
    if license_name is not None:
        said["provenance"] = {**said.get("provenance", {}), "license": license_name}
    return said


def read_labels(labels: Sequence[str] | Path | str) -> list[str]:
    """Give names of classes: those of a list, of a file (a name a line), or of "cat,dog"."""
    if not isinstance(labels, str | Path):
        return [str(each) for each in labels]
    path = Path(labels)
    if path.is_file():
        if path.stat().st_size > _MOST_LABEL_BYTES:
            raise InvalidInput(f"{path} is too large for a list of labels.")
        try:
            lines = path.read_text("utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as err:
            raise InvalidInput(
                f"{path} cannot be read as a text with a label a line: {err}."
            ) from err
        return [line.strip() for line in lines if line.strip()]
    if isinstance(labels, Path) or "," not in labels:
        raise InvalidInput(
            f"There is no file of labels {str(labels)!r}; give one with a name a line, or the "
            "names themselves, such as cat,dog (a comma makes a name of one: cat,)."
        )
    return [each.strip() for each in labels.split(",") if each.strip()]


def _begins(source: Path) -> bytes:
    with source.open("rb") as file:
        return file.read(9)


def _is_pickled(source: Path) -> bool:
    begins = _begins(source)
    looks_pickled = begins.startswith(_PICKLE_BEGINS) and begins[4:] != _HEADER_BEGINS
    return looks_pickled or source.suffix in _PICKLED


def _check_architecture(source: Path, said: Mapping[str, Any]) -> None:
    if not said.get("architecture"):
        raise InvalidInput(
            f"{source} holds numbers alone: say whose they are, such as "
            "--architecture timm/convnext_tiny or torchvision/resnet18. `pixelmill models` lists "
            "what runs here already."
        )


def _look(source: Path) -> None:
    """Refuse what is no state dict by its beginning, header or opcodes, without torch."""
    try:
        run_command("models.convert", str(source.resolve()))
    except CommandFailedError as err:
        raise InvalidInput(f"{source} cannot be pushed: {err}") from err


def _convert(source: Path, target: Path, architecture: str, state_dict: str | None) -> None:
    """Turn a state dict into safetensors in a process that reads it without running its code."""
    wanted = () if state_dict is None else ("--state-dict", state_dict)
    try:
        told = run_command(
            "models.convert",
            str(source.resolve()),
            str(target),
            "--architecture",
            architecture,
            *wanted,
        )
    except CommandFailedError as err:
        if "No module named" in str(err):
            raise InvalidInput(
                f"{source} is a pickle, and making safetensors of it takes torch, which is not "
                "installed here: pip install 'pixelmill[workers]'."
            ) from err
        raise InvalidInput(f"{source} cannot be pushed: {err}") from err
    if told.strip():
        log.warning("%s: %s", source.name, told.strip())
