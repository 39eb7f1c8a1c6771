"""JPEG, by libjpeg-turbo (simplejpeg, strict): what it warns of is lost data, and an error.

Held by tests: bytes between segments, blanks before the start and bytes behind the end are passed
over as viewers do; a picture cut short is an error whatever stands behind the cut. Inside a scan a
changed byte may decode to other pixels without any sign: JPEG has no checksum.

CMYK is read as Adobe writes it, inverted, with or without Adobe's marker, as browsers, Pillow and
OpenCV do.
"""

import re
from functools import partial
from math import gcd

import numpy as np

from models.media.memory import Pixels, check_written, unwritten
from models.media.stills.jpeg.frame import JpegFrame, check_scans, read_frame
from models.media.stills.jpeg.segments import COLOUR_HINTS, EOI, SOI, join, take_apart
from models.media.stills.still import Still, as_channels, check_memory, undecodable, unsupported

_BLANKS = b"\0\t\n\r "
_MOST_BLANKS = 1024
_EXTRANEOUS = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
_UNCOMMON_SAMPLING = "determine subsampling"
# Bytes that a decoder has taken into its bit buffer when it finds the last block complete.
_READ_AHEAD = 12
_ROWS_AT_A_TIME = 256


def matches(data: bytes) -> bool:
    """Tell a JPEG by its start marker, which blanks may precede."""
    return data[:_MOST_BLANKS].lstrip(_BLANKS).startswith(SOI)


def read(data: bytes) -> Still:
    """Walk all segments; raises ImageDecodeFailed or struct.error."""
    kept, orientation = take_apart(data)
    frame = read_frame(data, kept)
    check_scans(data, frame, kept)
    decode = partial(_decode, join(data, kept), frame)
    return Still(frame.width, frame.height, decode, orientation)


def samples_of_stream(stream: bytes, size: tuple[int, int], most_rows: int, count: int) -> Pixels:
    """Decode a strip of a TIFF to uint8 (h, w, count): grey, RGB or CMYK as stored.

    Its first hint at how colours are coded is the TIFF's, and the only one that counts.
    size: the (width, height) that it must have; it may have up to `most_rows` rows. Raises
    ImageDecodeFailed.
    """
    kept, _ = take_apart(stream)
    hints = [each for each in kept if each.marker in COLOUR_HINTS]
    kept = tuple(each for each in kept if each not in hints[1:])
    frame = read_frame(stream, kept)
    check_scans(stream, frame, kept)
    is_right = frame.width == size[0] and size[1] <= frame.height <= most_rows
    if not is_right or len(frame.components) != count:
        raise undecodable("JPEG", f"a strip is {frame.width} x {frame.height} pixels")
    space = {1: "GRAY", 3: "RGB", 4: "CMYK"}[count]
    return _pixels(join(stream, kept), frame, space, None)


def _decode(clean: bytes, frame: JpegFrame, channels: int, least: int | None) -> Pixels:
    if len(frame.components) == 4:
        return as_channels(
            rgb_of_cmyk(_pixels(clean, frame, "CMYK", least), is_inverted=True), channels
        )
    # libjpeg makes no grey of the colours of a lossless picture.
    is_grey = channels == 1 and (frame.can_be_scaled or len(frame.components) == 1)
    return as_channels(_pixels(clean, frame, "GRAY" if is_grey else "RGB", least), channels)


def _pixels(clean: bytes, frame: JpegFrame, space: str, least: int | None) -> Pixels:
    import simplejpeg

    part = _part(frame, least)
    height, width = frame.height // part, frame.width // part
    pixels = unwritten((height, width, {"GRAY": 1, "RGB": 3, "CMYK": 4}[space]))
    try:
        given = simplejpeg.decode_jpeg(
            clean, space, min_height=height, min_width=width, buffer=pixels
        )
    except ValueError as err:
        check_memory(err)
        shorter = _without_padding(clean, str(err))
        if _UNCOMMON_SAMPLING in str(err):
            raise unsupported("JPEG", "its colours are sampled in an uncommon way") from err
        if shorter is None:
            raise undecodable("JPEG", str(err).removeprefix("Corrupt JPEG data: ")) from err
        return _pixels(shorter, frame, space, least)
    if given.shape != pixels.shape:
        raise undecodable("JPEG", f"it decodes to {given.shape[1]} x {given.shape[0]} pixels")
    check_written(pixels, "libjpeg-turbo")
    return pixels


def _part(frame: JpegFrame, least: int | None) -> int:
    """Choose by what libjpeg divides both sides, so that the shorter one has `least` pixels.

    Both must come out even: else the last column stands for less than the others, and whoever
    resizes the picture as a whole moves all that it shows, by half a pixel of the result.
    """
    if least is None or not frame.can_be_scaled:
        return 1
    shorter, even = min(frame.width, frame.height), gcd(frame.width, frame.height)
    return next((each for each in (8, 4, 2) if even % each == 0 and shorter // each >= least), 1)


def _without_padding(clean: bytes, warning: str) -> bytes | None:
    """Take off the zeros that some cameras write behind the last scan; None if there are none.

    The decoder says how many bytes it had no use for. More zeros than those would have been made
    picture of, which is what a file looks like whose rest was never written.
    """
    found = _EXTRANEOUS.search(warning)
    if found is None:
        return None
    data, unused = clean[: -len(EOI)], int(found[1])
    zeros = len(data) - len(data.rstrip(b"\0"))
    return data[:-unused] + EOI if unused <= zeros <= unused + _READ_AHEAD else None


def rgb_of_cmyk(cmyk: Pixels, is_inverted: bool) -> Pixels:
    """Mix ink by the plain rule, a colour times black; uint8 (h, w, 4) to (h, w, 3)."""
    rgb = unwritten((*cmyk.shape[:2], 3))
    for top in range(0, len(cmyk), _ROWS_AT_A_TIME):
        rows = cmyk[top : top + _ROWS_AT_A_TIME].astype(np.uint16)
        if not is_inverted:
            rows = 255 - rows
        black = rows[:, :, 3:]
        # A division by 255, rounded, without leaving 16 bits.
        product = (255 - rows[:, :, :3]) * black + 128
        rgb[top : top + _ROWS_AT_A_TIME] = black - (product + (product >> 8) >> 8)
    return rgb
