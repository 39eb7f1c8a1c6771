"""The width and height that each still format states in its header.

One function a format: bytes -> (width, height) in stored pixels, before any EXIF rotation. They
raise ImageDecodeFailed for what cannot be right, and struct.error or IndexError where the bytes
end too soon (the caller words that). JPEG, PNG and WebP also check that the file reaches its own
end: decoders differ in how much of a truncated picture they make up, and a grey lower half must
not be classified as if it were the picture.

Sources: ITU T.81 (JPEG), W3C PNG, RFC 9649 (WebP), TIFF 6.0, GIF89a, Microsoft's BITMAPINFOHEADER.
"""

import struct
from collections.abc import Iterator

from models.errors import ImageDecodeFailed

# Markers C0 to CF start a frame, save these three: Huffman tables, JPG extension, arithmetic.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_SCAN = 0xDA
_JPEG_END = b"\xff\xd9"
# Real files have tens of segments; more is an attempt to keep the walk busy.
_MAX_SEGMENTS = 4096
_PNG_FIRST_CHUNK = 33  # the first after the signature and IHDR
_MAX_CHUNKS = 200_000  # 64 MB in chunks of 8 kB are 8,000
_TIFF_WIDTHS, _TIFF_HEIGHTS = (256, 322), (257, 323)  # of the image, and of one tile


def jpeg_size(data: bytes) -> tuple[int, int]:
    """Walk the segments up to the first scan; refuse a file without an end marker."""
    size = (0, 0)
    for marker, start in _jpeg_segments(data):
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, start + 3)
            # The largest counts: a decoder may be led to another frame than we are.
            size = max(size, (width, height), key=lambda each: each[0] * each[1])
        # Inside a scan FF is always stuffed, so FF D9 after it is the end and no thumbnail's. It is
        # looked for from behind: the way through a scan takes 50 microseconds.
        if marker == _JPEG_SCAN and data.rfind(_JPEG_END, start) < 0:
            raise ImageDecodeFailed("The JPEG image is truncated: its end marker is missing.")
    return size


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield (marker, offset of its length field) up to and with the first scan."""
    position = 2
    for _ in range(_MAX_SEGMENTS):
        if data[position] != 0xFF:
            raise ImageDecodeFailed("The JPEG image is corrupt: a segment starts without a marker.")
        marker = data[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        yield marker, position + 2
        if marker == _JPEG_SCAN:
            return
        position += 2 + max(2, struct.unpack_from(">H", data, position + 2)[0])
    raise ImageDecodeFailed("The JPEG image is corrupt: it has too many segments before its data.")


def png_size(data: bytes) -> tuple[int, int]:
    """Read IHDR, which must come first and once; refuse a file that does not reach its IEND.

    All chunk lengths are checked because OpenCV (4.14) believes them: one false length made it
    allocate 4 GB for a picture of 12 kB.
    """
    if data[12:16] != b"IHDR":
        raise ImageDecodeFailed("The PNG image is corrupt: it does not start with IHDR.")
    width, height = struct.unpack_from(">II", data, 16)
    position = _PNG_FIRST_CHUNK
    for _ in range(_MAX_CHUNKS):
        length, kind = struct.unpack_from(">I4s", data, position)
        position += 12 + length  # length, kind, data, checksum
        if position > len(data):
            break
        if kind == b"IHDR":
            raise ImageDecodeFailed("The PNG image is corrupt: it has a second IHDR.")
        if kind == b"IEND":
            return width, height
    raise ImageDecodeFailed("The PNG image is truncated or corrupt: its chunks do not reach IEND.")


def webp_size(data: bytes) -> tuple[int, int]:
    """Read the first chunk: extended canvas, lossless or lossy; refuse a short file."""
    if len(data) < 8 + struct.unpack_from("<I", data, 4)[0]:
        raise ImageDecodeFailed("The WebP image is truncated: it is shorter than it states.")
    chunk = data[12:16]
    if chunk == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
        return width, height
    if chunk == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise ImageDecodeFailed("The WebP image is corrupt: its first chunk is none of WebP's.")


def bmp_size(data: bytes) -> tuple[int, int]:
    """Read the information header; a negative height only means top-down rows."""
    (header_bytes,) = struct.unpack_from("<I", data, 14)
    if header_bytes == 12:  # the OS/2 form
        width, height = struct.unpack_from("<HH", data, 18)
        return width, height
    width, height = struct.unpack_from("<ii", data, 18)
    return width, abs(height)


def gif_size(data: bytes) -> tuple[int, int]:
    """Read the logical screen, which holds every frame."""
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def tiff_size(data: bytes) -> tuple[int, int]:
    """Read the first directory: the picture's size, or its tiles' where they are larger."""
    order = "<" if data[:2] == b"II" else ">"
    (directory,) = struct.unpack_from(order + "I", data, 4)
    (entries,) = struct.unpack_from(order + "H", data, directory)
    widths, heights = [0], [0]
    for entry in range(directory + 2, directory + 2 + 12 * entries, 12):
        tag, field_type = struct.unpack_from(order + "HH", data, entry)
        form = "H" if field_type == 3 else "I"  # SHORT, else LONG
        (value,) = struct.unpack_from(order + form, data, entry + 8)
        if tag in _TIFF_WIDTHS:
            widths.append(value)
        if tag in _TIFF_HEIGHTS:
            heights.append(value)
    return max(widths), max(heights)
