"""What a worker and its decoders hold while photos of 48 megapixels are under way."""

import io
import zipfile

import numpy as np
from PIL import Image

from benchmarks.contestants.pixelmill_stack import register_work
from benchmarks.figures import Verdict
from benchmarks.report import Row
from benchmarks.stand import Stand, standing
from benchmarks.usage import PeakMemory
from benchmarks.works import phone_photos
from models.records.decoding import EXACT, FAST

_MIB = 1024**2
_PHOTOS, _SCENES = 64, 4
# Width and height in pixels.
_SIZE = (8000, 6000)
_MOST_GROWTH = 1024.0
# Looks are half of the time: memory may be held for a moment only.
_PAUSE = 1.0


def measure(quick: bool) -> Row:
    """Run 64 photos in either way of decoding, after one that loads what stays loaded."""
    del quick
    verdicts, figures = [], dict[str, object]()
    photos = [_photo(seed) for seed in range(_SCENES)]
    with standing() as stand:
        model = register_work(stand.stack, phone_photos(32))
        for decode in (FAST, EXACT):
            _run(stand, model, decode, photos[:1])
            rest = PeakMemory(stand.stack.pids["worker-0"]).end() / _MIB
            peak = PeakMemory(stand.stack.pids["worker-0"], _PAUSE)
            _run(stand, model, decode, [photos[each % _SCENES] for each in range(_PHOTOS)])
            growth = peak.end() / _MIB - rest
            figures[f"{decode}: at rest, MiB"] = round(rest)
            wanted = f"{decode}: {growth:+.0f} MiB over {rest:.0f} <= {_MOST_GROWTH:.0f}"
            verdicts.append(Verdict(wanted, growth <= _MOST_GROWTH))
    title = f"Memory under {_PHOTOS} JPEG photos of 48 megapixels"
    return Row(title, verdicts, figures=figures)


def _photo(seed: int) -> bytes:
    generator = np.random.default_rng(seed)
    rough = Image.fromarray(generator.integers(0, 256, (60, 80, 3), dtype=np.uint8))
    file = io.BytesIO()
    rough.resize(_SIZE, Image.Resampling.BICUBIC).save(file, "JPEG", quality=85)
    return file.getvalue()


def _run(stand: Stand, model: str, decode: str, photos: list[bytes]) -> None:
    path = stand.folder / "photos.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number, photo in enumerate(photos):
            archive.writestr(f"{number:03d}.jpg", photo)
    stand.client.wait(stand.client.submit(path, model=model, params={"decode": decode})).check()
