"""`python -m models.proving`: what a network's own library answers to pictures, as a check.

Reads one JSON object from standard input: `architecture`, `weights` (a safetensors file), `folder`
(of a Hugging Face model), `classes`, and `samples`, paths of pictures; without samples the pictures
that we have. Writes the check (models/proving/check.py) to standard output. `pixelmill push` starts
this on the caller's own machine. Ends with status 2 and one line on standard error where the
library cannot be asked.
"""

import base64
import io
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_LONGEST_REASON = 300


def check(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Ask the library; gives the check. Raises ValueError, OSError and what the library raises."""
    from PIL import Image, ImageOps

    from models.proving.references.answers import LEAST_CONFIDENCE
    from models.proving.references.table import REFERENCES, Asked
    from models.records.architectures import source_of

    source = source_of(asked["architecture"]).name
    reference = REFERENCES[source]
    folder = asked.get("folder")
    answer = reference.make(
        Asked(
            asked["architecture"],
            Path(asked["weights"]),
            Path(folder) if folder else None,
            asked.get("classes"),
        )
    )
    samples = []
    for name, data in _pictures(asked.get("samples") or ()):
        with Image.open(io.BytesIO(data)) as opened:
            picture = _in_8_bits(ImageOps.exif_transpose(opened)).convert("RGB")
        text = base64.b64encode(data).decode()
        samples.append({"name": name, "data": text, "predictions": answer(picture)})
    against = {library: version(library) for library in reference.libraries}
    return {"against": against, "samples": samples, "least_confidence": LEAST_CONFIDENCE}


def _in_8_bits(picture: Any) -> Any:
    """Give grey of 16 bits its high byte; Pillow's own conversion makes it white."""
    import numpy as np
    from PIL import Image

    if not picture.mode.startswith("I"):
        return picture
    return Image.fromarray((np.asarray(picture, np.uint32) >> 8).astype(np.uint8))


def _pictures(paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    from models.proving.pictures import built_in

    if not paths:
        yield from built_in()
    for path in map(Path, paths):
        yield path.name, path.read_bytes()


def _in_one_line(err: Exception) -> str:
    """Give what a library says, without its colours, tables and line breaks, and not cut off."""
    plain = " ".join(_COLOURS.sub("", str(err)).split())
    if "ignore_mismatched_sizes" in plain:  # a table of them was printed before
        return "the weights are of other shapes than config.json says"
    return plain if len(plain) <= _LONGEST_REASON else f"{plain[: _LONGEST_REASON - 1]}…"


def main() -> int:
    """Answer one request; returns the exit status."""
    # The libraries print what they like; the check alone goes to standard output.
    answers, sys.stdout = sys.stdout, sys.stderr
    os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    try:
        json.dump(check(json.load(sys.stdin)), answers)
    except Exception as err:  # of whatever library: the caller is told in one line
        sys.stderr.write(f"\n{type(err).__name__}: {_in_one_line(err)}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
