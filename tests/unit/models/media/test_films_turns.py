"""Films come upright, whatever their display matrix, and in their own colours."""

from pathlib import Path

import numpy as np
import pytest

from models.records.errors import UnsupportedMedia
from tests.unit.models.media.films import apart, seen
from tests.videos import ffmpeg, scene, seen_by_ffmpeg

# Stored first, then what FFmpeg's tool is told of its display; numpy says what is right.
TURNS = {
    "90": (["-display_rotation", "90"], lambda stored: np.rot90(stored, 1, (1, 2))),
    "180": (["-display_rotation", "180"], lambda stored: np.rot90(stored, 2, (1, 2))),
    "270": (["-display_rotation", "270"], lambda stored: np.rot90(stored, 3, (1, 2))),
    "mirrored": (["-display_hflip"], lambda stored: stored[:, :, ::-1]),
    "flipped": (["-display_vflip"], lambda stored: stored[:, ::-1]),
    "mirrored and turned": (
        ["-display_rotation", "90", "-display_hflip"],
        lambda stored: np.rot90(stored, 1, (1, 2))[:, :, ::-1],
    ),
}


@pytest.mark.parametrize("name", TURNS)
def test_the_whole_display_matrix_is_applied(name: str, tmp_path: Path) -> None:
    stored, turned = tmp_path / "stored.mp4", tmp_path / "turned.mp4"
    ffmpeg(*scene(0.5), "-c:v", "libx264", stored)
    options, turn = TURNS[name]
    ffmpeg(*options, "-i", stored, "-c", "copy", turned)
    film = seen(turned)
    assert (film.pixels == turn(seen(stored).pixels)).all()
    height, width = film.pixels.shape[1:3]
    assert (film.facts.width, film.facts.height) == (width, height)
    # FFmpeg's tool turns them too, by filters of its own.
    assert apart(film.pixels, seen_by_ffmpeg(turned, width, height)) < 1.5


@pytest.mark.parametrize("size", ["97x63", "95x64", "96x61", "18x18", "2x2"])
@pytest.mark.parametrize("form", ["yuv444p", "yuv420p"])
def test_odd_sizes_come_whole(size: str, form: str, tmp_path: Path) -> None:
    path = tmp_path / "v.mkv"
    source = f"testsrc=size={size}:rate=24:duration=0.3"
    ffmpeg("-f", "lavfi", "-i", source, "-c:v", "ffv1", "-pix_fmt", form, path)
    width, height = map(int, size.split("x"))
    film = seen(path)
    assert np.abs(film.pixels.astype(int) - seen_by_ffmpeg(path, width, height)).max() <= 2


FORMS = [
    *("yuv420p", "yuv422p", "yuv444p", "yuvj420p", "yuv420p10le", "yuv422p10le", "yuv444p12le"),
    *("gray", "gray10le", "gray16le", "rgb24", "bgr0", "gbrp", "gbrp10le", "yuva420p", "nv12"),
]


@pytest.mark.parametrize("form", FORMS)
def test_every_pixel_format_is_converted(form: str, tmp_path: Path) -> None:
    path = tmp_path / "v.mkv"
    codec = {"rgb24": "png", "nv12": "rawvideo"}.get(form, "ffv1")
    ffmpeg(*scene(0.3), "-c:v", codec, "-pix_fmt", form, path)
    film = seen(path)
    assert np.abs(film.pixels.astype(int) - seen_by_ffmpeg(path, 96, 64)).max() <= 2
    assert film.pixels.std() > 20


@pytest.mark.parametrize("matrix", ["bt709", "smpte170m", "bt470bg", "bt2020nc", "smpte240m"])
@pytest.mark.parametrize("span", ["tv", "pc"])
def test_colours_come_by_the_matrix_and_the_range_that_are_named(
    matrix: str, span: str, tmp_path: Path
) -> None:
    path = tmp_path / "v.mp4"
    ffmpeg(
        *("-f", "lavfi", "-i", "color=0x20C060:size=96x64:rate=24:duration=0.3"),
        *("-vf", f"scale=out_color_matrix={matrix.removesuffix('nc')}:out_range={span}"),
        *("-pix_fmt", "yuv420p", "-c:v", "libx264", "-qp", 1),
        *("-colorspace", matrix, "-color_range", span, path),
    )
    assert seen(path).pixels[0, 32, 48] == pytest.approx([0x20, 0xC0, 0x60], abs=5)


def test_the_default_stream_is_the_film(tmp_path: Path) -> None:
    path = tmp_path / "v.mkv"
    ffmpeg(
        *(*scene(1, "160x96"), *scene(1, "96x64"), *scene(1, "192x96")),
        *("-map", "0", "-map", "1", "-map", "2", "-c:v", "libx264"),
        *("-disposition:v:0", "0", "-disposition:v:1", "default", "-disposition:v:2", "0", path),
    )
    assert (seen(path).facts.width, seen(path).facts.height) == (96, 64)


@pytest.mark.parametrize("name", ["v.mkv", "v.ts"])
def test_without_a_default_the_largest_stream_is_the_film(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    ffmpeg(
        *(*scene(1, "160x96"), *scene(1, "192x96"), *scene(1, "96x64")),
        *("-map", "0", "-map", "1", "-map", "2", "-c:v", "libx264"),
        *(*("-disposition:v:0", "0", "-disposition:v:1", "0", "-disposition:v:2", "0"), path),
    )
    assert (seen(path).facts.width, seen(path).facts.height) == (192, 96)


def test_a_cover_picture_is_not_the_film(tmp_path: Path) -> None:
    path, cover = tmp_path / "v.mp4", tmp_path / "cover.png"
    ffmpeg(*scene(0.04, "320x240"), "-frames:v", 1, cover)
    ffmpeg(
        *("-i", cover, *scene(1), "-map", "0", "-map", "1", "-c:v:0", "copy", "-c:v:1", "libx264"),
        *("-disposition:v:0", "attached_pic", path),
    )
    assert (seen(path).facts.width, len(seen(path).frames)) == (96, 24)


@pytest.mark.parametrize("name", ["v.m4a", "v.mkv", "v.ts", "v.wma"])
def test_sound_without_a_film_is_refused_as_that(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    ffmpeg("-f", "lavfi", "-i", "sine=duration=1", path)
    with pytest.raises(UnsupportedMedia, match="no film in it: it is sound alone"):
        seen(path)


def test_sound_with_a_cover_is_refused_as_that(tmp_path: Path) -> None:
    path, cover = tmp_path / "v.m4a", tmp_path / "cover.png"
    ffmpeg(*scene(0.04), "-frames:v", 1, cover)
    ffmpeg(
        *("-f", "lavfi", "-i", "sine=duration=1", "-i", cover, "-map", "0", "-map", "1"),
        *("-c:v", "copy", "-disposition:v", "attached_pic", path),
    )
    with pytest.raises(UnsupportedMedia, match="sound with a cover picture"):
        seen(path)
