"""Hostile films: what they claim takes no memory, and nothing but the film itself is opened."""

import os
import resource
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from models.media.film_formats import video_format
from models.media.mp4_index import MAX_INDEX_ENTRIES
from models.records.errors import UnsupportedMedia, VideoDecodeFailed, VideoTooLarge
from models.records.record import Limits
from tests.unit.models.media.films import seen
from tests.videos import ffmpeg, film, scene


def claiming(count: int, path: Path) -> Path:
    """A film whose index says that it has so many frames of one size: that takes no bytes."""
    data = bytearray(film(3))
    at = data.index(b"stsz")
    struct.pack_into(">II", data, at + 8, 700, count)
    path.write_bytes(data)
    return path


def _peak_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def test_an_index_of_millions_is_refused_before_it_is_made(tmp_path: Path) -> None:
    path = claiming(80_000_000, tmp_path / "v.mov")
    assert path.stat().st_size < 10_000
    before = _peak_kb()
    with pytest.raises(VideoTooLarge, match="index claims 80,000,000 pieces"):
        seen(path)
    assert _peak_kb() - before < 20_000


def test_plain_sound_of_hours_is_no_index_of_millions(tmp_path: Path) -> None:
    path = tmp_path / "v.mov"
    sound = ["-f", "lavfi", "-i", "anullsrc=r=48000:d=100"]
    ffmpeg(*scene(1), *sound, "-c:v", "libx264", "-c:a", "pcm_s16le", path)
    assert MAX_INDEX_ENTRIES < 100 * 48_000
    assert len(seen(path).frames) == 24


def test_an_index_hidden_in_compressed_headers_is_refused(tmp_path: Path) -> None:
    data = film(3)
    at = data.index(b"mvhd")
    path = tmp_path / "v.mov"
    path.write_bytes(data[:at] + b"cmov" + data[at + 4 :])
    with pytest.raises(VideoDecodeFailed, match="headers are compressed"):
        seen(path)


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
def test_frames_that_grow_on_the_way_are_refused_with_their_size(
    codec: str, tmp_path: Path
) -> None:
    parts = []
    for size, seconds in (("64x64", 1), ("3000x2000", 0.2)):
        part = tmp_path / f"{size}.ts"
        ffmpeg(*scene(seconds, size), "-c:v", codec, "-bf", 0, part)
        parts.append(part.read_bytes())
    path = tmp_path / "grows.ts"
    path.write_bytes(b"".join(parts))
    with pytest.raises(VideoTooLarge, match=r"30\d\d x 2000 pixels"):
        seen(path)
    # Where the limits allow it, it is a film of two sizes.
    grown = seen(path, limits=Limits(max_pixels=6_000_000))
    shapes = {frame.pixels.shape[:2] for frame in grown.frames}
    assert shapes == {(64, 64), (2000, 3000)}


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"", "it is empty"),
        (b"\0\0\0\x18ftypavis" + bytes(600), "an animated AVIF picture"),
        (b"\0\0\0\x18ftypheix" + bytes(600), "an HEIC picture"),
        (b"\0\0\0\x18ftypcrx " + bytes(600), "a Canon camera raw picture"),
        (b"OggS" + bytes(600), "an Ogg film"),
        (b"#EXTM3U\n" * 90, "a playlist"),
        (b"\x06\x0e\x2b\x34" + bytes(600), "an MXF film"),
        (b"a letter" * 80, "plain text"),
    ],
)
def test_what_is_no_film_is_named(head: bytes, words: str) -> None:
    with pytest.raises(UnsupportedMedia, match=words):
        video_format(head)


# Decodes a film in a process that notes every file, socket and process that is opened meanwhile.
_CHILD = """
import sys
from pathlib import Path
from models.media.films import preload
from tests.unit.models.media.films import seen
preload()
opened = []
path = Path(sys.argv[1])
def watch(event, arguments):
    if event in ("open", "socket.connect", "subprocess.Popen", "import", "ctypes.dlopen"):
        opened.append((event, str(arguments[0])))
sys.addaudithook(watch)
film = seen(path)
print(len(film.frames), [each for each in opened if each != ("open", str(path))])
"""


@pytest.mark.parametrize("name", ["v.mp4", "v.ts", "v.mkv", "v.mpg", "v.avi"])
def test_after_preload_decoding_opens_and_imports_nothing(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    codec = "mpeg2video" if name == "v.mpg" else "libx264"
    sound = ["-f", "lavfi", "-i", "sine=duration=1"]
    fields = ["-vf", "setfield=tff", "-flags", "+ildct+ilme"]
    ffmpeg(*scene(1), *sound, *fields, "-c:v", codec, "-c:a", "mp2", path)
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, path],
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        capture_output=True,
        check=False,
    )
    assert done.stdout.decode().strip() == "24 []", done.stderr.decode()
