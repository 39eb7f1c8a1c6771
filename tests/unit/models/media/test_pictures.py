"""Bytes become upright pixels, or an error that says what was wrong with them."""

import io
import resource
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from models.media import pictures
from models.media.opencv import cv2
from models.records.errors import ImageDecodeFailed, ImageTooLarge, UnsupportedMedia
from models.records.record import Limits

LIMITS = Limits()


def pixels_of(data: bytes, channels: int, limits: Limits) -> np.ndarray:
    return pictures.decode(data, channels, limits).pixels


def peak_megabytes() -> float:
    """Give the most memory that this process ever held; OpenCV's is not Python's to trace."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


FORMATS = ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"]


@pytest.mark.parametrize("kind", FORMATS)
def test_each_still_format_is_read(kind, encoded, picture):
    pixels = pixels_of(encoded(kind), 3, LIMITS)
    assert pixels.shape == (90, 120, 3)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - picture).mean() < 8


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.01, 0.1, 0.3, 0.5, 0.8, 0.95, 0.999])
def test_a_truncated_image_is_an_error_wherever_it_is_cut(kind, share, encoded):
    data = encoded(kind)
    with pytest.raises((ImageDecodeFailed, UnsupportedMedia)) as caught:
        pixels_of(data[: max(1, int(len(data) * share))], 3, LIMITS)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_without_its_end_marker_is_truncated(progressive, encoded):
    data = encoded("JPEG", progressive=progressive)
    with pytest.raises(ImageDecodeFailed, match="end marker is missing"):
        pixels_of(data[:-2], 3, LIMITS)


def test_the_end_marker_of_an_exif_thumbnail_does_not_hide_a_truncation(encoded):
    thumbnail = encoded("JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    data = encoded("JPEG", quality=50)
    whole = data[:2] + segment + data[2:]
    assert pixels_of(whole, 3, LIMITS).shape == (90, 120, 3)
    with pytest.raises(ImageDecodeFailed, match="end marker is missing"):
        pixels_of(whole[:-2], 3, LIMITS)


def test_a_png_without_iend_is_truncated(encoded):
    with pytest.raises(ImageDecodeFailed, match="PNG image is truncated"):
        pixels_of(encoded("PNG")[:-12], 3, LIMITS)


def test_a_png_whose_chunk_lies_about_its_length_costs_no_memory(encoded):
    # OpenCV 4.14 allocated 4 GB for such a file before it failed.
    data = bytearray(encoded("PNG"))
    data[33:37] = struct.pack(">I", 0xF0000000)
    before = peak_megabytes()
    with pytest.raises(ImageDecodeFailed, match="do not reach IEND"):
        pixels_of(bytes(data), 3, LIMITS)
    assert peak_megabytes() - before < 100


def test_bytes_after_the_end_of_an_image_do_no_harm(encoded):
    assert pixels_of(encoded("JPEG") + b"maker notes", 3, LIMITS).shape == (90, 120, 3)


def test_an_empty_file_is_called_empty():
    with pytest.raises(ImageDecodeFailed, match="empty"):
        pixels_of(b"", 3, LIMITS)


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"PK\x03\x04rest of it", "a ZIP archive"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"\x00\x00\x00\x18ftypmp42", "an MP4 or QuickTime video"),
        (b"\x00\x00\x00\x18ftypjp2 ", "a JPEG 2000 picture"),
        (b"<svg xmlns='...'/>", "HTML, SVG or other XML text"),
        (b"#EXTM3U\nhttp://127.0.0.1/", "a playlist"),
        (b"v/1\x01" + bytes(20), "an OpenEXR picture"),
        (b"just some words", "plain text"),
        (bytes(range(1, 20)), "unknown binary data"),
    ],
)
def test_other_media_are_refused_by_the_name_of_what_was_seen(data, named):
    with pytest.raises(UnsupportedMedia, match=named) as caught:
        pixels_of(data, 3, LIMITS)
    assert caught.value.code == "unsupported_media"


def _bombs(encoded):
    """One small file a format whose header states an enormous picture."""
    jpeg = bytearray(encoded("JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = b"\xff\xff\xff\xff"
    ihdr = b"IHDR" + struct.pack(">IIBBBBB", 65535, 65535, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + ihdr
    png += struct.pack(">I", zlib.crc32(ihdr)) + encoded("PNG")[33:]
    bmp = bytearray(encoded("BMP"))
    bmp[18:26] = struct.pack("<ii", 65535, -65535)
    gif = bytearray(encoded("GIF"))
    gif[6:10] = b"\xff\xff\xff\xff"
    webp = b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff\xff\0\xff\xff\0"
    entries = [(256, 4, 1, 65535), (257, 4, 1, 65535)]
    tiff = b"II*\0\x08\0\0\0\x02\0" + b"".join(struct.pack("<HHII", *each) for each in entries)
    return {"JPEG": jpeg, "PNG": png, "BMP": bmp, "GIF": gif, "WEBP": webp, "TIFF": tiff}


@pytest.mark.parametrize("kind", FORMATS)
def test_a_header_of_65535_by_65535_is_too_large_before_anything_is_allocated(kind, encoded):
    data = bytes(_bombs(encoded)[kind])
    before = peak_megabytes()
    with pytest.raises(ImageTooLarge, match=r"6553[56] x 6553[56]") as caught:
        pixels_of(data, 3, LIMITS)
    assert peak_megabytes() - before < 100
    assert caught.value.code == "image_too_large"


def test_a_tiff_with_enormous_tiles_is_too_large():
    entries = [(256, 4, 1, 8), (257, 4, 1, 8), (322, 4, 1, 65536), (323, 4, 1, 65536)]
    data = b"II*\0\x08\0\0\0\x04\0" + b"".join(struct.pack("<HHII", *each) for each in entries)
    with pytest.raises(ImageTooLarge):
        pixels_of(data, 3, LIMITS)


def test_the_limits_of_the_record_count(encoded):
    with pytest.raises(ImageTooLarge, match="10,800"):
        pixels_of(encoded("PNG"), 3, Limits(max_pixels=10_799))
    with pytest.raises(ImageTooLarge, match="bytes"):
        pixels_of(encoded("PNG"), 3, Limits(max_bytes=100))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(kind, orientation, encoded, picture):
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = {
        1: picture,
        2: picture[:, ::-1],
        3: picture[::-1, ::-1],
        4: picture[::-1],
        5: picture.transpose(1, 0, 2),
        6: np.rot90(picture, -1),
        7: np.rot90(picture, 2).transpose(1, 0, 2),
        8: np.rot90(picture),
    }[orientation]
    pixels = pixels_of(encoded(kind, exif=exif), 3, LIMITS)
    assert pixels.shape == upright.shape
    assert np.abs(pixels.astype(int) - upright).mean() < 4
    assert pixels_of(encoded(kind, exif=exif), 1, LIMITS).shape == (*upright.shape[:2], 1)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 3)])
def test_16_bits_are_scaled_to_8_and_not_clipped(suffix, shape):
    deep = np.full(shape, 40_000, np.uint16)
    data = bytes(cv2.imencode(suffix, deep)[1])
    for channels in (1, 3):
        pixels = pixels_of(data, channels, LIMITS)
        assert pixels.dtype == np.uint8
        assert np.abs(pixels.astype(int) - 40_000 // 256).max() <= 1


def test_alpha_is_dropped_and_the_colour_under_it_kept():
    rgba = np.zeros((8, 8, 4), np.uint8)
    rgba[..., 0] = 200
    buffer = io.BytesIO()
    Image.fromarray(rgba).save(buffer, "PNG")
    assert (pixels_of(buffer.getvalue(), 3, LIMITS) == [200, 0, 0]).all()


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "I;16"])
def test_grey_and_palette_pictures_become_three_channels(mode, encoded):
    pixels = pixels_of(encoded("PNG", mode=mode), 3, LIMITS)
    assert pixels.shape == (90, 120, 3)
    if mode != "P":
        assert (pixels[..., 0] == pixels[..., 2]).all()


def test_a_grey_picture_reaches_a_one_channel_network_unchanged(encoded, picture):
    grey = np.asarray(Image.fromarray(picture).convert("L"))
    assert (pixels_of(encoded("PNG", mode="L"), 1, LIMITS)[..., 0] == grey).all()


def test_a_cmyk_jpeg_is_read(encoded, picture):
    pixels = pixels_of(encoded("JPEG", mode="CMYK"), 3, LIMITS)
    assert np.abs(pixels.astype(int) - picture).mean() < 8


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_several_frames_the_first_counts(kind, encoded, picture):
    frames = [Image.fromarray(np.roll(picture, 30 * n, 0)) for n in range(1, 4)]
    data = encoded(kind, save_all=True, append_images=frames)
    pixels = pixels_of(data, 3, LIMITS)
    assert np.abs(pixels.astype(int) - picture).mean() < 8


@pytest.mark.parametrize("kind", FORMATS)
def test_damaged_bytes_never_end_in_anything_but_pixels_or_an_input_error(kind, encoded):
    random = np.random.default_rng(0)
    data = encoded(kind)
    for _ in range(200):
        damaged = bytearray(data)
        for place in random.integers(0, min(len(data), 400), 4):
            damaged[place] = random.integers(256)
        try:
            pixels = pixels_of(bytes(damaged), 3, Limits(max_pixels=1_000_000))
        except (ImageDecodeFailed, ImageTooLarge, UnsupportedMedia):
            continue
        assert pixels.size <= 3_000_000
