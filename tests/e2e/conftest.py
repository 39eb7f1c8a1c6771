"""One stack for the tests that do no harm to it, and what they submit."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.pictures.data import heldout_digits, make_photos, write_png_folder
from tests.e2e.stacks import RunningStack, running_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with running_stack(
        tmp_path_factory.mktemp("stack"),
        PIXELMILL_EGRESS_ALLOW="127.0.0.0/8",
        PIXELMILL_WEBHOOK_DELAYS_S="0.2,0.2,0.2",
    ) as running:
        yield running


@pytest.fixture(scope="session")
def digits_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The 360 held-out digits as PNG files."""
    folder = tmp_path_factory.mktemp("digits")
    write_png_folder(folder, *heldout_digits())
    return folder


@pytest.fixture(scope="session")
def photos_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2,000 JPEG photos in one stored zip."""
    path = tmp_path_factory.mktemp("photos") / "photos.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number, photo in enumerate(make_photos(2000)):
            archive.writestr(f"{number:04d}.jpg", photo)
    return path


def many_digits_zip(path: Path, count: int) -> Path:
    """Write `count` digit PNGs, the held-out ones again and again, in one zip."""
    from models.pictures.data import encode

    images, _ = heldout_digits()
    files = [encode(image, ".png") for image in images]
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(count):
            archive.writestr(f"{number:06d}.png", files[number % len(files)])
    return path
