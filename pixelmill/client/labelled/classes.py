"""A folder that has a folder for each class, named after it."""

from pathlib import Path

from pixelmill.client.inputs.planning import Gathered
from pixelmill.client.labelled.labels import Labels
from pixelmill.wire.errors import InvalidInput


def check_classes(labels: Labels, folder: Path, pictures: Gathered) -> None:
    """Raise InvalidInput where a folder that holds pictures is no class, or none is."""
    parents = {entry.name.rpartition("/")[0].rpartition("/")[2] for entry in pictures}
    classes = parents - {""}
    if not classes:
        example = labels.names[0] if labels.names else "cat"
        raise InvalidInput(
            f"{folder} has no folder for a class: put the pictures of each class into a folder "
            f"named after it, such as {folder / example}."
        )
    labels.check(classes, f"In {folder}: the folder")
