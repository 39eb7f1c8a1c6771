"""What a network is to be held against before its version is ready: pictures, and the answers.

    the network's own library is installed here   ─► it is asked, in a process of its own
    `expected`, a file                             ─► its answers are taken as they stand

With no pictures given, three that we have are used.
"""

import base64
import importlib.util
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pixelmill.client.registering.house import CommandFailedError, run_command
from pixelmill.wire.errors import InvalidInput
from pixelmill.wire.safetensors_stream import Joined

# Who can be asked, by the beginning of an architecture's name.
_LIBRARIES: Mapping[str, str] = {
    "timm/": "timm",
    "torchvision/": "torchvision",
    "huggingface/": "transformers",
}
# What answers are compared of; None where the network says it.
_TASKS = (None, "classification", "detection", "segmentation", "embedding")
_PICTURES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"))
# How names of networks for films begin.
_OF_FILMS = (
    "huggingface/videomae", "huggingface/timesformer", "huggingface/vivit", "torchvision/r3d",
    "torchvision/mc3", "torchvision/r2plus1d", "torchvision/s3d", "torchvision/mvit",
    "torchvision/swin3d",
)  # fmt: skip
# As the server takes them (32 MiB of text).
_MOST_PICTURES, _MOST_BYTES = 16, 20 * 2**20
_TIMEOUT_S = 600.0

Samples = Path | str | Sequence[Path | str]


def can_ask(record: Mapping[str, Any]) -> bool:
    """Say whether the library of a record's network is here, and prepares pictures as it says."""
    if record.get("preprocess") or not can_be_asked(record):
        return False
    library = library_of(record)
    return library is not None and _is_here(library) and _is_here("torch")


def can_be_asked(record: Mapping[str, Any]) -> bool:
    """Say whether answers in a record's task are compared at all."""
    return record.get("task") in _TASKS and not _is_of_films(record)


def asked_library(
    weights: Path | Joined, folder: Path | None, record: Mapping[str, Any], samples: Samples | None
) -> dict[str, Any]:
    """Ask the library of a network what it answers; gives the check.

    Raises InvalidInput where it cannot be asked, in one line.
    """
    library, architecture = library_of(record), record.get("architecture", "onnx")
    if not can_be_asked(record):
        raise InvalidInput(
            f"There is no check for {architecture} in this task: pictures of classes, boxes, masks "
            "and vectors are compared; push it without (--no-check)."
        )
    if library is None:
        raise InvalidInput(
            f"No library knows {architecture!r} by itself, so that what it should answer has to be "
            "given: --expected FILE, a JSON object of answers by the pictures' names."
        )
    given = {
        "architecture": architecture,
        # A folder's library reads its weights by itself.
        "weights": str(weights.resolve()) if isinstance(weights, Path) else "",
        "folder": None if folder is None else str(folder.resolve()),
        "classes": len(record["labels"]) if record.get("labels") else None,
        "samples": [] if samples is None else [str(each.resolve()) for each in pictures(samples)],
    }
    try:
        answer = run_command("models.proving", given=json.dumps(given), timeout_s=_TIMEOUT_S)
    except CommandFailedError as err:
        if "No module named" in str(err):
            raise InvalidInput(
                f"Asking {library} takes it and torch here: pip install 'pixelmill[workers]' "
                f"{library}, or push without a check (--no-check)."
            ) from err
        raise InvalidInput(f"{library} could not be asked about {architecture}: {err}") from err
    check: dict[str, Any] = json.loads(answer)
    return check


def expected_answers(samples: Samples, expected: Path | str) -> dict[str, Any]:
    """Put pictures and a file of answers together; gives the check.

    The file is a JSON object of predictions by the pictures' names, or rows of results as
    `pixelmill results` writes them, a JSON object a line, whose `custom_id` is a picture's name.
    Raises InvalidInput.
    """
    path = Path(expected)
    answers = _read_answers(path)
    # What an answer is comes first: it is at fault whichever pictures it is of.
    for name, answer in answers.items():
        _check_answer(path, name, answer)
    found = list(pictures(samples, answers.keys()))
    names = [each.name for each in found]
    for name in names:
        if name not in answers:
            raise InvalidInput(f"{path} has no answer for {name}; give one for each picture.")
    for name in answers.keys() - set(names):
        raise InvalidInput(f"{path} has an answer for {name}, which is none of the pictures.")
    rows = [
        {
            "name": each.name,
            "data": base64.b64encode(each.read_bytes()).decode(),
            "predictions": answers[each.name],
        }
        for each in found
    ]
    return {"against": {path.name: ""}, "samples": rows}


def pictures(samples: Samples, named: Collection[str] = ()) -> Iterator[Path]:
    """Yield the files that are meant, a folder's in the order of their names.

    Of a folder these are what every library reads, and those that are `named`. Raises InvalidInput
    for none, for too many and for too much.
    """
    given = _given(samples)
    found = [file for each in given for file in _files(each) if _is_meant(each, file, named)]
    if not found:
        raise InvalidInput(f"There is no picture in {', '.join(map(str, given))} to check with.")
    if len(found) > _MOST_PICTURES:
        raise InvalidInput(
            f"There are {len(found)} pictures to check with; give at most {_MOST_PICTURES}."
        )
    size = sum(each.stat().st_size for each in found)
    if size > _MOST_BYTES:
        raise InvalidInput(
            f"The pictures to check with have {size:,} bytes; give at most {_MOST_BYTES:,}."
        )
    yield from found


def passed_over(samples: Samples) -> list[str]:
    """Name the files of folders that `pictures` does not yield."""
    return [
        file.name
        for each in _given(samples)
        for file in _files(each)
        if not _is_meant(each, file, ())
    ]


def _given(samples: Samples) -> list[Path]:
    return [Path(samples)] if isinstance(samples, Path | str) else [Path(each) for each in samples]


def _is_meant(given: Path, file: Path, named: Collection[str]) -> bool:
    """Say whether a file is one to check with; who names a file itself means it."""
    return given == file or file.suffix.lower() in _PICTURES or file.name in named


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        files = (each for each in path.iterdir() if each.is_file())
        return sorted(each for each in files if not each.name.startswith("."))
    if not path.is_file():
        raise InvalidInput(f"{path} is neither a picture nor a folder of them.")
    return [path]


def _read_answers(path: Path) -> dict[str, list[Any]]:
    try:
        text = path.read_text("utf-8-sig")
        try:
            whole = json.loads(text)
        except ValueError:
            whole = [json.loads(line) for line in text.splitlines() if line.strip()]
    except FileNotFoundError as err:
        raise InvalidInput(f"There is no file {path} of expected answers.") from err
    except (OSError, ValueError) as err:
        raise InvalidInput(f"{path} cannot be read as JSON: {err}.") from err
    if isinstance(whole, dict) and "predictions" not in whole:
        return whole
    rows = whole if isinstance(whole, list) else [whole]
    if not all(isinstance(row, dict) and "custom_id" in row for row in rows):
        raise InvalidInput(
            f"{path} should hold an object of predictions by picture, or rows of results, each "
            "with its custom_id."
        )
    # An item that failed has no answer.
    return {
        str(row["custom_id"]): row["predictions"]
        for row in rows
        if row.get("predictions") is not None
    }


def _check_answer(path: Path, name: str, answer: Any) -> None:
    """Refuse what is no list of predictions, in the words of who wrote it; raises InvalidInput."""
    if not isinstance(answer, list) or not all(isinstance(each, dict) for each in answer):
        raise InvalidInput(f"{path} should have a list of predictions for {name}, each an object.")
    confidences = [each["confidence"] for each in answer if "confidence" in each]
    for each in confidences:
        if isinstance(each, bool) or not isinstance(each, int | float) or not 0 <= each <= 1:
            raise InvalidInput(
                f"{path} has the confidence {each!r} for {name}; confidences are 0 to 1: of logits "
                "take the softmax first."
            )


def library_of(record: Mapping[str, Any]) -> str | None:
    """Name the library that knows a record's architecture by itself; None where there is none."""
    architecture = str(record.get("architecture", ""))
    return next(
        (name for begins, name in _LIBRARIES.items() if architecture.startswith(begins)), None
    )


def _is_of_films(record: Mapping[str, Any]) -> bool:
    return str(record.get("architecture", "")).startswith(_OF_FILMS)


def _is_here(library: str) -> bool:
    return importlib.util.find_spec(library) is not None
