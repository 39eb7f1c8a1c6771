"""After preloading, decoding opens nothing and imports nothing; and no pixel is left unwritten."""

import os
import subprocess
import sys

import numpy as np
import pytest

from tests.unit.models.media.stills.scene import written

CHILD = """
import hashlib, sys
from models.media.preloading import preload
from models.media.pictures import decode
from models.records.errors import InputError
from models.records.record import Limits

preload()
files = [open(name, "rb").read() for name in sys.argv[1:]]
seen = []
sys.addaudithook(lambda event, args: seen.append((event, args[:1])) if event in (
    "open", "import", "socket.__new__", "subprocess.Popen", "os.fork", "os.listdir") else None)
found = hashlib.sha256()
for data in files:
    for piece in (data, data[: len(data) // 2], data[: len(data) // 2] + data[len(data) // 3 :]):
        for channels, least in ((1, None), (3, None), (3, 40)):
            try:
                found.update(decode(piece, channels, Limits(), least).pixels.tobytes())
            except InputError as err:
                found.update(str(err).encode())
opened = list(seen)
print(found.hexdigest(), opened)
"""

KINDS = {
    "JPEG": [("RGB", {}), ("CMYK", {}), ("L", {"progressive": True})],
    "PNG": [("RGB", {}), ("P", {})],
    "WEBP": [("RGB", {}), ("RGB", {"lossless": True})],
    "BMP": [("RGB", {}), ("P", {})],
    "GIF": [("RGB", {})],
    "AVIF": [("RGB", {}), ("RGBA", {})],
    "TIFF": [
        *(("RGB", {"compression": each}) for each in ("raw", "tiff_lzw", "jpeg", "zstd", "lzma")),
        *(("1", {"compression": each}) for each in ("group3", "group4")),
    ],
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stills")
    names = []
    for kind, forms in KINDS.items():
        for number, (mode, options) in enumerate(forms):
            path = folder / f"{number}.{kind}"
            path.write_bytes(written(kind, mode, **options))
            names.append(str(path))
    import imagecodecs

    (folder / "a.jxl").write_bytes(imagecodecs.jpegxl_encode(np.zeros((30, 40, 3), np.uint8)))
    from models.media.preloading import heic_picture

    (folder / "a.heic").write_bytes(heic_picture())
    return [*names, str(folder / "a.jxl"), str(folder / "a.heic")]


def run(files, perturb: int) -> tuple[str, str]:
    environment = {**os.environ, "MALLOC_PERTURB_": str(perturb)}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *files], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    digest, _, opened = done.stdout.strip().partition(" ")
    return digest, opened


def test_after_preloading_nothing_is_opened_and_memory_shows_through_nowhere(files):
    first, opened = run(files, 1)
    assert opened == "[]"
    second, _ = run(files, 170)
    assert first == second
