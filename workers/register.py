"""Registers models: an operator's command, run once for each version.

    python -m workers.register --shipped                       the networks that come with Pixelmill
    python -m workers.register torchvision/resnet50            weights from torchvision's hub
    python -m workers.register torchvision/resnet50 --weights FILE    a state dict or safetensors
    python -m workers.register torchvision/fasterrcnn_resnet50_fpn    a detector, likewise
    python -m workers.register torchvision/resnet50-embedding         its features as vectors

Weights are converted to safetensors, tried once, and stored with their digest. Workers read them
from there and never from a hub.
"""

import argparse
import sys
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from jobs.base.bootstrap import Ground, open_ground
from jobs.base.database import unusable
from jobs.base.private_files import keep_files_private
from jobs.base.settings import SettingsError, load_settings
from jobs.tables import ModelVersion
from jobs.versions.registry import register
from models import catalog
from models.records import imagenet
from models.records.errors import ModelError
from models.records.record import ModelRecord


def register_shipped(ground: Ground) -> list[ModelVersion]:
    """Register every network that comes with Pixelmill; those that are there already stay.

    `imagenet` is one of them where the package with its weights is, or was, installed.
    """
    shipped = [
        (record, catalog.shipped_weights(name).read_bytes())
        for name, record in catalog.SHIPPED.items()
    ]
    if (found := _imagenet()) is not None:
        shipped.append(found)
    return [_store(ground, record, weights, check=False) for record, weights in shipped]


def _imagenet() -> tuple[ModelRecord, bytes] | None:
    """Give `imagenet` as it was made when it was installed, or make it where that can be done."""
    found = imagenet.find(imagenet.prepared_folder())
    if found is None and imagenet.is_installed():
        from models.imagenet import prepare

        found = prepare(imagenet.prepared_folder())
    return found


def register_torchvision(ground: Ground, name: str, weights: Path | None) -> ModelVersion:
    """Register one of torchvision's networks, with published weights or those of a file."""
    from models.networks.torchvision import record_of_file, torchvision_record
    from models.runtime.weights import convert, fetch_torchvision

    record = torchvision_record(name) if weights is None else record_of_file(name, weights)
    data = convert(weights) if weights is not None else fetch_torchvision(name)
    return _store(ground, record, data, check=True)


def _store(ground: Ground, record: ModelRecord, weights: bytes, *, check: bool) -> ModelVersion:
    if check:
        # What cannot be loaded here is refused here, not in the middle of somebody's job.
        from models.runtime.registry import load

        load(record, weights).warm_up()
    return register(
        ground.database, ground.storage, record.name, record.to_json(), weights, _digest(weights)
    )


def _digest(weights: bytes) -> str:
    import hashlib

    return "sha256:" + hashlib.sha256(weights).hexdigest()


def main() -> None:
    """Read the command line and register; exits with 2 and one line when that is not possible."""
    parser = argparse.ArgumentParser(prog="workers.register", description=__doc__.split("\n")[0])
    parser.add_argument("name", nargs="?", help="such as torchvision/resnet50")
    parser.add_argument("--weights", type=Path, help="a .safetensors, .pth or .pt file")
    parser.add_argument("--shipped", action="store_true", help="what comes with Pixelmill")
    given = parser.parse_args()
    if given.shipped == bool(given.name):
        parser.error("give a model's name, or --shipped")
    keep_files_private()
    try:
        ground = open_ground(load_settings())
        versions = (
            register_shipped(ground)
            if given.shipped
            else [register_torchvision(ground, given.name, given.weights)]
        )
    except (ModelError, SettingsError, OSError) as err:
        print(f"pixelmill: {err}", file=sys.stderr)  # noqa: T201  # a command's own output
        raise SystemExit(2) from err
    except SQLAlchemyError as err:
        print(f"pixelmill: {unusable(err)}", file=sys.stderr)  # noqa: T201
        raise SystemExit(2) from err
    for version in versions:
        print(f"{version.name}@{version.version} {version.digest}")  # noqa: T201
    ground.close()


if __name__ == "__main__":
    main()
