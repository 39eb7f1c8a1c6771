"""Files that once were answered wrongly (tests/cases/media), decoded and walked to what is right.

truth-scene.png and truth-photo.png are plain pictures; the others say by their names what is odd.
"""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.media import pictures
from models.media.films import open_video
from models.media.sampling import Sampling
from models.records.errors import InputError
from models.records.record import VIDEO_LIMITS
from tests.odd.packed.archives import read_archive
from tests.odd.still.scene import OddPicture
from tests.odd.still.verdicts import LIMITS, fault

MEDIA = Path(__file__).parents[1] / "cases" / "media"

AS_THE_SCENE = {
    "jpeg-2-extraneous-before-dqt.jpg": 2,
    "tiff-rgba-half-transparent.tif": 0,
    "png-orient6-raw-profile-ztxt.png": 0,
}
BROKEN = ("jpeg-trunc-half-plus-eoi.jpg", "tiff-lzw-corrupt-middle.tif")

# Members by name, in order; None for what may be an error instead of its content.
ARCHIVES: dict[str, tuple[str, ...]] = {
    "hardlink.tar": ("a/b/three.png", "a/two.png", "four.png", "hard.png"),
    "concatenated.tar": ("2.png", "3.png", "4.png", "6.png"),
    "concatenated.tar.gz": ("2.png", "3.png", "4.png", "6.png"),
    "sparse-gnu.tar": ("four.png", "sp.bmp"),
    "tar-updated.tar": ("three.bmp", "four.bmp"),
    "three-digits.tar.bz2": ("a/b/three.png", "a/two.png", "four.png"),
    "mixed-one-deflate64.zip": ("a/two.bmp", "big.bmp", "four.bmp", "three.bmp"),
    "one-text-bzip2.zip": ("a/b/three.png", "a/two.png", "four.png"),
    "names-unicode-extra-field.zip": ("写真/テスト.png",),
}


def read(name: str) -> bytes:
    return (MEDIA / name).read_bytes()


def plain(name: str) -> np.ndarray:
    with Image.open(MEDIA / name) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("name", AS_THE_SCENE)
def test_an_odd_picture_of_the_scene_has_its_pixels(name: str) -> None:
    decoded = pictures.decode(read(name), 3, LIMITS)
    right = plain("truth-scene.png").astype(int)
    assert decoded.pixels.shape == right.shape
    # JPEG itself loses some; that no place is off by much says that it is the same picture.
    steps = np.abs(decoded.pixels - right)
    assert steps.mean() <= AS_THE_SCENE[name]
    assert (decoded.width, decoded.height) == (288, 192)


@pytest.mark.parametrize("channels", [1, 3])
def test_chunks_about_colour_change_nothing_of_a_photo(channels: int) -> None:
    odd = pictures.decode(read("png-srgb-gama-phys-photo.png"), channels, LIMITS).pixels
    truth = pictures.decode(read("truth-photo.png"), channels, LIMITS).pixels
    assert np.array_equal(odd, truth)
    if channels == 3:
        assert np.array_equal(odd, plain("truth-photo.png"))
    else:
        luma = np.asarray(Image.open(MEDIA / "truth-photo.png").convert("L"))
        assert np.abs(odd[..., 0].astype(int) - luma).max() <= 1


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_picture_is_an_error(name: str) -> None:
    with pytest.raises(InputError) as caught:
        pictures.decode(read(name), 3, LIMITS)
    assert caught.value.code == "image_decode_failed"


def test_camera_raw_is_the_full_picture_or_is_refused_by_its_name() -> None:
    odd = OddPicture(
        "dng", read("raw-dng-like-scene.dng"), (plain("truth-scene.png"),), says="raw",
        may_refuse=True,
    )  # fmt: skip
    assert fault(odd) is None


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_gives_every_file_or_says_which_it_does_not(name: str) -> None:
    found = read_archive(read(name))
    assert tuple(member for member, _ in found.members) == ARCHIVES[name]
    for member, data in found.members:
        if data is None:
            assert (name, member) == ("mixed-one-deflate64.zip", "big.bmp")
        else:
            Image.open(io.BytesIO(data)).verify()


def test_a_hard_link_has_the_bytes_of_its_file_and_a_text_is_told_to_be_skipped() -> None:
    members = dict(read_archive(read("hardlink.tar")).members)
    assert members["hard.png"] == members["four.png"]
    assert read_archive(read("one-text-bzip2.zip")).skipped == ("readme.txt",)


# What frames of the film look like, made small, by second and by the film's own rate.
def shown(name: str) -> tuple[list[tuple[float, np.ndarray]], str | None]:
    path = MEDIA / name
    with path.open("rb") as file, open_video(file, path.stat().st_size, VIDEO_LIMITS) as film:
        frames = [
            (frame.position.at_ms / 1000, _small(frame.pixels))
            for frame in film.frames(Sampling(every_nth=1))
        ]
        return frames, film.damage


def _small(pixels: np.ndarray) -> np.ndarray:
    return pixels[4::8, 4::8, 1].astype(np.int16)


@pytest.fixture(scope="module")
def film() -> list[tuple[float, np.ndarray]]:
    frames, warning = shown("film.mp4")
    assert warning is None
    assert [at for at, _ in frames] == pytest.approx([n / 24 for n in range(480)], abs=0.002)
    return frames


# Seconds of the film that each begins at, frames, seconds between them, whether it is told to be
# damaged, and how much of what is shown must be as in the film at that time.
FILMS = {
    "il-50i.mp4": (0.0, 500, 1 / 25, False, 0.97),
    "trim-copy-from-5.3s.mp4": (5.3, 352, 1 / 24, False, 0.99),
    "xvid-packed.avi": (0.0, 478, 1 / 24, False, 0.97),
    "ts-joined-by-cat.ts": (0.0, 482, 1 / 24, None, 0.9),
    "noise-in-middle.mp4": (0.0, None, 1 / 24, True, 0.8),
}


@pytest.mark.parametrize("name", FILMS)
def test_an_odd_film_shows_the_film_at_its_times(name: str, film) -> None:
    begins, count, step, damaged, share = FILMS[name]
    frames, warning = shown(name)
    if damaged is not None:
        assert (warning is not None) == damaged, warning
    if count is not None:
        assert abs(len(frames) - count) <= 1
        times = np.array([at for at, _ in frames])
        uneven = np.abs(np.diff(times) - step) > 0.011
        # Where streams were joined the second one lacks a frame that it was coded from.
        assert uneven.sum() <= (2 if "joined" in name else 0)
        assert np.diff(times).max() < 2 * step + 0.011
        assert times[0] == pytest.approx(0, abs=step)
    alike = 0
    for at, pixels in frames:
        near = round((begins + at) * 24)
        neighbours = film[max(near - 1, 0) : near + 2]
        alike += any(np.abs(pixels - right).mean() < 6 for _, right in neighbours)
    assert alike >= share * len(frames), f"{alike} of {len(frames)}"


def test_sound_with_a_cover_is_no_film() -> None:
    with pytest.raises(InputError, match="cover") as caught:
        shown("cover-art-only.m4a")
    assert caught.value.code == "unsupported_media"
