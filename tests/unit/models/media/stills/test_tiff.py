"""TIFF: every strip and tile right, or an error that names what is not read."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from models.records.errors import ImageDecodeFailed, UnsupportedMedia
from tests.unit.models.media.stills.scene import (
    GREY,
    SCENE,
    by_pillow,
    pixels_of,
    steps_off,
    written,
)

DEEP = SCENE.astype(np.uint16) * 257


def tiff(samples: np.ndarray = SCENE, photometric: str = "rgb", **options) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, samples, photometric=photometric, **options)
    return file.getvalue()


@pytest.mark.parametrize("compression", [None, "lzw", "deflate", "packbits", "lzma", "zstd"])
@pytest.mark.parametrize(
    "layout", [{}, {"rowsperstrip": 16}, {"tile": (64, 48)}, {"bigtiff": True}, {"byteorder": ">"}]
)
def test_what_is_packed_without_loss_comes_out_as_it_was(compression, layout):
    assert steps_off(tiff(compression=compression, **layout), SCENE) == 0


@pytest.mark.parametrize("compression", ["lzw", "deflate"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("samples", [SCENE, DEEP], ids=["8 bits", "16 bits"])
def test_differences_are_added_up(compression, order, samples):
    data = tiff(
        samples.astype(samples.dtype.newbyteorder(order)),
        compression=compression,
        predictor=2,
        byteorder=order,
    )
    assert steps_off(data, SCENE) == 0


@pytest.mark.parametrize("tile", [None, (32, 48)])
def test_planes_that_lie_apart_are_put_together(tile):
    planes = np.ascontiguousarray(np.moveaxis(SCENE, 2, 0))
    data = tiff(planes, planarconfig="separate", compression="lzw", tile=tile)
    assert steps_off(data, SCENE) == 0


@pytest.mark.parametrize("bits", [1, 2, 4, 6, 10, 12, 14])
def test_samples_of_any_width_become_8_bits(bits):
    most = 2**bits - 1
    samples = (GREY.astype(int) * most // 255).astype(np.uint8 if bits <= 8 else np.uint16)
    data = tiff(samples, "minisblack", bitspersample=bits)
    right = np.round(samples * (255 / most)) if bits < 8 else samples >> (bits - 8)
    assert steps_off(data, right.astype(int)) == 0


def test_of_16_and_32_bits_the_high_byte_counts():
    assert steps_off(tiff(DEEP + 0), SCENE) == 0
    assert steps_off(tiff(SCENE.astype(np.uint32) << 24), SCENE) == 0


def test_white_may_be_zero():
    assert steps_off(tiff(255 - GREY, "miniswhite"), GREY) == 0


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "LA"])
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_deflate", "packbits"])
def test_all_kinds_of_colours_are_those_of_pillow(mode, compression):
    data = written("TIFF", mode, compression=compression)
    assert steps_off(data, by_pillow(data)) <= (1 if mode == "CMYK" else 0)


@pytest.mark.parametrize("mode", ["L", "RGB", "YCbCr"])
def test_jpeg_in_tiff_is_that_of_pillow(mode):
    data = written("TIFF", mode, compression="jpeg")
    assert steps_off(data, by_pillow(data)) == 0


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
def test_fax_is_that_of_pillow_and_damage_to_it_an_error(compression):
    data = written("TIFF", "1", compression=compression)
    assert steps_off(data, by_pillow(data)) == 0
    at = 8 + 300
    damaged = data[:at] + bytes(each ^ 0x5A for each in data[at : at + 64]) + data[at + 64 :]
    with pytest.raises(ImageDecodeFailed):
        pixels_of(damaged)


@pytest.mark.parametrize("compression", ["jpeg2000", "jpegxl", "jpegxr", "png", "webp", "lerc"])
def test_what_is_not_unpacked_is_named(compression):
    with pytest.raises(ImageDecodeFailed, match="compressed with"):
        pixels_of(tiff(compression=compression))


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.float16, np.float32])
def test_numbers_without_a_range_are_refused(kind):
    with pytest.raises(ImageDecodeFailed, match="floating-point"):
        pixels_of(tiff(GREY.astype(kind), "minisblack"))


@pytest.mark.parametrize("compression", ["lzw", "deflate", "lzma"])
def test_noise_in_the_middle_is_an_error(compression):
    random = np.random.default_rng(1)
    data = tiff(compression=compression)
    for _ in range(50):
        at = int(random.integers(len(data) // 3, len(data) * 2 // 3))
        with pytest.raises(ImageDecodeFailed):
            pixels_of(data[:at] + random.bytes(64) + data[at + 64 :])


@pytest.mark.parametrize("compression", [None, "lzw", "deflate", "packbits", "lzma", "jpeg"])
def test_a_strip_that_is_missing_or_short_is_an_error(compression):
    data = bytearray(tiff(compression=compression, rowsperstrip=16))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        counts = file.pages[0].tags[279]
    for value in (b"\0\0", b"\x05\0"):
        short = data.copy()
        short[counts.valueoffset + 4 : counts.valueoffset + 4 + len(value)] = value
        if counts.dtype == 4:
            short[counts.valueoffset + 8 : counts.valueoffset + 12] = value + b"\0\0"
        with pytest.raises(ImageDecodeFailed):
            pixels_of(bytes(short))


def test_of_several_pages_the_first_full_size_one_counts():
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as pages:
        pages.write(SCENE[::4, ::4], photometric="rgb", subfiletype=1)
        pages.write(SCENE, photometric="rgb")
        pages.write(SCENE[::-1], photometric="rgb")
    assert steps_off(file.getvalue(), SCENE) == 0


RAW = {
    "DNG": {"extratags": [(50706, 1, 4, (1, 4, 0, 0), True)]},
    "colour filter": {"extratags": [(33422, 1, 4, (0, 1, 1, 2), True)]},
    "preview before": {"subfiletype": 1, "subifds": 1, "extratags": [(271, 2, 5, "NIKON", True)]},
}


@pytest.mark.parametrize("kind", RAW)
def test_camera_raw_is_refused_and_its_thumbnail_is_not_answered(kind):
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as pages:
        pages.write(SCENE[::4, ::4], photometric="rgb", **RAW[kind])
        pages.write(SCENE, photometric="rgb")
    with pytest.raises(UnsupportedMedia, match=r"camera raw.*Export it as JPEG or TIFF"):
        pixels_of(file.getvalue())


@pytest.mark.parametrize(
    "data",
    [
        b"II*\0\x10\0\0\0CR\x02\0",
        b"FUJIFILMCCD-RAW 0201",
        b"IIRO\x08\0\0\0",
        b"IIU\0\x18\0\0\0",
        b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",
    ],
    ids=["CR2", "RAF", "ORF", "RW2", "CR3"],
)
def test_camera_raw_of_other_containers_is_refused_too(data):
    with pytest.raises(UnsupportedMedia, match="camera raw"):
        pixels_of(data)


def test_a_tag_that_claims_a_billion_values_costs_nothing():
    data = bytearray(tiff())
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        tag = file.pages[0].tags[273]
    data[tag.offset + 4 : tag.offset + 8] = (10**9).to_bytes(4, "little")
    with pytest.raises(ImageDecodeFailed):
        pixels_of(bytes(data))


@pytest.mark.parametrize("big", [False, True])
def test_a_next_page_beyond_the_end_of_the_file_is_none(big):
    data = bytearray(tiff(bigtiff=big))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        last = max(tag.offset for tag in file.pages[0].tags.values())
    at = last + (20 if big else 12)
    data[at : at + (8 if big else 4)] = b"\xff" * (8 if big else 4)
    assert steps_off(bytes(data), SCENE) == 0
    first = slice(8, 16) if big else slice(4, 8)
    data[first] = b"\xff" * (first.stop - first.start)
    with pytest.raises(ImageDecodeFailed):
        pixels_of(bytes(data))


def test_colours_under_transparent_pixels_are_kept():
    rgba = np.dstack([SCENE, np.full_like(GREY, 128)])
    file = io.BytesIO()
    Image.fromarray(rgba).save(file, "TIFF")
    assert steps_off(file.getvalue(), SCENE) == 0
    for kind in ("assocalpha", "unassalpha"):
        assert steps_off(tiff(rgba, extrasamples=[kind]), SCENE) == 0
