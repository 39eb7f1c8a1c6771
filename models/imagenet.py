"""`python -m models.imagenet`: make the model `imagenet` of the package that brings its weights.

Run once after an installation (`make setup` does); again it does nothing. See
models/records/imagenet.py.
"""

# ruff: noqa: T201  # a command: what it prints is what it is for
import sys
from importlib import resources
from pathlib import Path

from models.records import imagenet
from models.records.record import ModelRecord

_FILE = "models/efficientnet-lite0-57934424.pth"
_ARCHITECTURE = "timm/tf_efficientnet_lite0"
_PROVENANCE = {
    "license": "Apache-2.0",
    "author": "ML Illustrated",
    "source": f"the Python package {imagenet.PACKAGE} 0.1.0",
}


def convert() -> tuple[ModelRecord, bytes]:
    """Read the package's weights, without running their code, as timm's network has them."""
    import timm
    import torch

    from models.networks import timm_networks
    from models.runtime.weights import write

    with resources.as_file(resources.files(imagenet.PACKAGE) / _FILE) as path:
        given = torch.load(path, weights_only=True, map_location="cpu")
    wanted = timm.create_model("tf_efficientnet_lite0", pretrained=False).state_dict()
    # Another library's names in the same order; the shapes tell if that is ever not so.
    tensors = dict(zip(wanted, given.values(), strict=True))
    apart = [name for name, tensor in tensors.items() if tensor.shape != wanted[name].shape]
    if apart:
        raise SystemExit(f"{imagenet.PACKAGE} holds other weights than expected: {apart[:5]}")
    asked = {"architecture": _ARCHITECTURE}
    read = timm_networks.describe(asked, {name: each.shape for name, each in tensors.items()})
    record = ModelRecord.from_json(
        {
            **read,
            **asked,
            "name": imagenet.NAME,
            "description": "Photos by 1,000 categories of ImageNet: EfficientNet-Lite0.",
            "provenance": _PROVENANCE,
        }
    )
    return record, write(tensors)


def prepare(folder: Path) -> tuple[ModelRecord, bytes]:
    """Give the model: from the folder, else made now and kept there if that can be."""
    found = imagenet.find(folder)
    if found is None:
        found = convert()
        try:
            imagenet.keep(folder, *found)
        except OSError as err:  # an environment that others own: made anew each time
            print(
                f"{folder} cannot be written ({err}); imagenet is not kept there", file=sys.stderr
            )
    return found


if __name__ == "__main__":
    if imagenet.is_installed():
        prepare(imagenet.prepared_folder())
