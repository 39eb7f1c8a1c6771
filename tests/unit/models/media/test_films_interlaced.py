"""Interlaced films: every pixel that comes out was written by the decoder, and shows the film."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.media.films import open_video
from models.media.sampling import Sampling
from models.records.record import Limits
from tests.videos import ffmpeg, scene, seen_by_ffmpeg

LIMITS = Limits(max_pixels=1_000_000)

_FIELDS = "tinterlace=mode=interleave_top,setfield=tff"
# What broadcasters, DVDs and camcorders write; DV has one size and one rate.
FILMS = {
    "H.264, block by block": ("v.mp4", ["-c:v", "libx264", "-flags", "+ildct+ilme"]),
    "H.264 with B-frames in MPEG-TS": (
        "v.ts",
        ["-c:v", "libx264", "-bf", "2", "-x264-params", "tff=1:b-pyramid=1"],
    ),
    "MPEG-2": ("v.mpg", ["-c:v", "mpeg2video", "-bf", "2", "-flags", "+ildct+ilme"]),
    "ProRes": ("v.mov", ["-c:v", "prores_ks", "-flags", "+ildct+ilme"]),
    "DV": ("v.avi", ["-c:v", "dvvideo", "-pix_fmt", "yuv420p", "-flags", "+ildct"]),
}  # fmt: skip

# Prints the digest of every pixel of a film.
_CHILD = """
import sys
from tests.unit.models.media.test_films_interlaced import digest
print(digest(sys.argv[1]))
"""


def made(name: str, folder: Path) -> Path:
    file, options = FILMS[name]
    size = "720x576" if "dvvideo" in options else "96x64"
    path = folder / file
    ffmpeg(*scene(0.8, size, "50"), "-vf", _FIELDS, *options, path)
    return path


def frames_of(path: str | Path) -> list[np.ndarray]:
    with open(path, "rb") as file, open_video(file, os.path.getsize(path), LIMITS) as video:
        return [frame.pixels for frame in video.frames(Sampling(every_nth=1))]


def digest(path: str) -> str:
    frames = frames_of(path)
    return f"{len(frames)} {hashlib.sha256(b''.join(map(bytes, frames))).hexdigest()}"


def _digest_over(path: Path, filler: int) -> str:
    """Decode in a process whose fresh memory holds `filler`."""
    environment = {**os.environ, "MALLOC_PERTURB_": str(filler), "PYTHONPATH": os.getcwd()}
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, path], env=environment, capture_output=True, check=True
    )
    return done.stdout.decode()


@pytest.mark.parametrize("name", FILMS)
def test_pixels_do_not_depend_on_what_memory_held_before(name: str, tmp_path: Path) -> None:
    path = made(name, tmp_path)
    assert _digest_over(path, 17) == _digest_over(path, 203)


@pytest.mark.parametrize("name", FILMS)
def test_interlaced_frames_are_deinterlaced_one_for_one(name: str, tmp_path: Path) -> None:
    path = made(name, tmp_path)
    found = frames_of(path)
    height, width = found[0].shape[:2]
    expected = seen_by_ffmpeg(path, width, height, "bwdif=mode=send_frame:deint=interlaced")
    assert len(found) == len(expected) == 20
    # The film is interlaced: it differs from what is stored.
    assert np.abs(expected - seen_by_ffmpeg(path, width, height).astype(int)).mean() > 0.5
    apart = [float(np.abs(a.astype(int) - b).mean()) for a, b in zip(found, expected, strict=True)]
    # The first frame has none before it, which versions of the filter make up differently.
    assert apart[0] < 1.5
    assert max(apart[1:]) < 0.1
