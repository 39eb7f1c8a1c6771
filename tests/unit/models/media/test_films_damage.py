"""What is damaged is told, and what is not is not."""

import random
from pathlib import Path

import numpy as np
import pytest

from models.records.errors import VideoDecodeFailed, VideoTooLarge
from tests.unit.models.media.films import seen
from tests.videos import ffmpeg, scene

WHOLE = {
    "H.264 in MP4": ("v.mp4", ["-c:v", "libx264", "-bf", "2"]),
    "H.264 in fragments": (
        "v.mp4",
        ["-c:v", "libx264", "-g", "12", "-movflags", "frag_keyframe+empty_moov"],
    ),
    "H.264 in MPEG-TS": ("v.ts", ["-c:v", "libx264"]),
    "MPEG-2 in MPEG-TS": ("v.ts", ["-c:v", "mpeg2video"]),
    "MPEG-2 in MPEG-PS": ("v.mpg", ["-c:v", "mpeg2video"]),
    "MPEG-1 in MPEG-PS": ("v.mpg", ["-c:v", "mpeg1video", "-r", "25"]),
    "MPEG-4 in AVI": ("v.avi", ["-c:v", "mpeg4", "-bf", "2"]),
    "VP9 in WebM": ("v.webm", ["-c:v", "libvpx-vp9", "-deadline", "realtime"]),
    "H.264 in M2TS": ("v.m2ts", ["-c:v", "libx264"]),
    "Sorenson in FLV": ("v.flv", ["-c:v", "flv"]),
    "WMV": ("v.wmv", ["-c:v", "wmv2"]),
}


def made(name: str, folder: Path) -> Path:
    file, options = WHOLE[name]
    path = folder / file
    ffmpeg(*scene(3), *options, path)
    return path


def broken(path: Path, data: bytes) -> Path:
    other = path.with_stem("broken")
    other.write_bytes(data)
    return other


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_film_is_not_called_damaged(name: str, tmp_path: Path) -> None:
    film = seen(made(name, tmp_path))
    assert film.damage is None
    assert len(film.frames) == pytest.approx(72, abs=3)


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("kept", [0.613, 0.777, 0.9])
def test_a_film_that_is_cut_off_says_so(name: str, kept: float, tmp_path: Path) -> None:
    path = made(name, tmp_path)
    data = path.read_bytes()
    # An odd number is no whole number of packets.
    cut = broken(path, data[: int(kept * len(data)) | 1])
    if name == "H.264 in MP4":
        with pytest.raises(VideoDecodeFailed):  # the index stands at the end
            seen(cut)
        return
    film = seen(cut)
    assert film.damage is not None
    assert "truncated or damaged" in film.damage
    assert 20 < len(film.frames) < 72


# Nothing in a WMV's packets or its codec tells every piece of noise from picture.
@pytest.mark.parametrize("name", [name for name in WHOLE if name != "WMV"])
def test_noise_in_the_middle_is_told(name: str, tmp_path: Path) -> None:
    path = made(name, tmp_path)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = random.Random(3).randbytes(3000)
    try:
        film = seen(broken(path, bytes(data)))
    except VideoTooLarge:
        # Where noise falls on the index of a fragment, what it claims may be too much to read.
        return
    assert film.damage is not None
    assert len(film.frames) > 20


def test_what_stands_before_the_damage_is_as_it_was(tmp_path: Path) -> None:
    path = made("H.264 in MP4", tmp_path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 500] = bytes(500)
    whole, film = seen(path), seen(broken(path, bytes(data)))
    assert (film.pixels[:20] == whole.pixels[:20]).all()


def test_a_frame_that_says_that_it_is_patched_is_counted(tmp_path: Path) -> None:
    path = made("H.264 in MPEG-TS", tmp_path)
    data = bytearray(path.read_bytes())
    # One packet of 188 bytes is lost in the middle.
    lost = len(data) // 376 * 188
    film = seen(broken(path, bytes(data[:lost] + data[lost + 188 :])))
    assert film.damage is not None
    assert np.diff(film.times).min() > 0


@pytest.mark.parametrize("number", [1, 2])
def test_a_packet_of_a_stream_that_is_not_there_costs_no_more_than_the_film(number: int) -> None:
    path = Path(f"tests/odd/samples/stream-that-is-not-there-{number}.film")
    with pytest.raises(VideoDecodeFailed, match="no frame"):
        seen(path)
