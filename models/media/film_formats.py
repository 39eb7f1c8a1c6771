"""What a film's bytes are: the container by its magic bytes, before any library sees the file.

A container is one line in `_CONTAINERS`; FFmpeg is told to use that demuxer and no other.

Sources: ISO/IEC 14496-12 (MP4), RFC 9559 (Matroska), Microsoft's AVI RIFF and ASF specifications,
ISO/IEC 13818-1 (MPEG), Adobe's FLV 10.1, the Blu-ray Disc Association's BDAV (192 bytes a packet).
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from models.records.errors import UnsupportedMedia

# The fifth to eighth byte of an MP4 or QuickTime file: old ones do not begin with `ftyp`.
_FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp", b"moof")

# Files that begin as an MP4 does and are pictures.
_PICTURE_BRANDS: Mapping[bytes, str] = {
    b"avif": "an AVIF picture",
    b"avis": "an animated AVIF picture",
    b"heic": "an HEIC picture",
    b"heix": "an HEIC picture",
    b"heim": "an HEIC picture",
    b"heis": "an HEIC picture",
    b"hevc": "an HEIC sequence of pictures",
    b"hevx": "an HEIC sequence of pictures",
    b"mif1": "an HEIF picture",
    b"mif2": "an HEIF picture",
    b"msf1": "an HEIF sequence of pictures",
    b"crx ": "a Canon camera raw picture (CR3)",
    b"jp2 ": "a JPEG 2000 picture",
    b"jxl ": "a JPEG XL picture",
}

_TS_PACKET, _M2TS_PACKET, _M2TS_STAMP = 188, 192, 4

# Bytes of a video's beginning that tell what it is.
VIDEO_HEAD = 3 * _M2TS_PACKET


class _Container(NamedTuple):
    """A container: as we name it, FFmpeg's demuxer, and how its beginning looks."""

    kind: str
    demuxer: str
    begins: Callable[[bytes], bool]


_CONTAINERS = (
    _Container("MP4", "mov", lambda head: head[4:8] in _FIRST_BOXES),
    _Container("Matroska", "matroska", lambda head: head.startswith(b"\x1aE\xdf\xa3")),
    _Container("AVI", "avi", lambda head: head[:4] == b"RIFF" and head[8:12] in (b"AVI ", b"AVIX")),
    _Container("MPEG-TS", "mpegts", lambda head: _is_ts(head)),
    _Container("MPEG-PS", "mpeg", lambda head: head.startswith(b"\x00\x00\x01\xba")),
    _Container("FLV", "flv", lambda head: head.startswith(b"FLV\x01")),
    _Container(
        "WMV", "asf", lambda head: head.startswith(bytes.fromhex("3026b2758e66cf11a6d900aa"))
    ),
)

DEMUXERS: Mapping[str, str] = {each.kind: each.demuxer for each in _CONTAINERS}

# What people send by mistake, or what we do not read. Order matters: the first match wins.
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x89PNG", "a PNG picture"),
    (b"GIF8", "a GIF picture"),
    (b"II*\x00", "a TIFF picture"),
    (b"MM\x00*", "a TIFF picture"),
    (b"BM", "a BMP picture"),
    (b"OggS", "an Ogg film or sound file"),
    (b".RMF", "a RealMedia film"),
    (b"\x06\x0e\x2b\x34", "an MXF film"),
    (b"FWS", "a Flash program"),
    (b"CWS", "a Flash program"),
    (b"DKIF", "an IVF film"),
    (b"YUV4MPEG", "uncompressed video (Y4M)"),
    (b"\x00\x00\x01\xb3", "MPEG video without a container"),
    (b"\x00\x00\x00\x01", "H.264 or H.265 video without a container"),
    (b"ID3", "an MP3 sound file"),
    (b"\xff\xfb", "an MP3 sound file"),
    (b"\xff\xf1", "an AAC sound file"),
    (b"fLaC", "a FLAC sound file"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"%PDF", "a PDF document"),
    (b"#EXTM3U", "a playlist"),
    (b"ffconcat", "a playlist"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"<", "HTML, XML or a playlist of DASH"),
    (b"{", "JSON text"),
    (b"[", "JSON text"),
)
_RIFFS = {b"WAVE": "an AVI video or a sound file", b"WEBP": "a WebP picture"}


def video_format(head: bytes) -> str:
    """Name the container of a video by its first `VIDEO_HEAD` bytes: a key of `DEMUXERS`.

    "MP4" is QuickTime and 3GP too, "Matroska" WebM, "MPEG-TS" M2TS. Raises UnsupportedMedia naming
    what the bytes look like.
    """
    if not _is_picture(head):
        for container in _CONTAINERS:
            if container.begins(head):
                return container.kind
    raise UnsupportedMedia(
        f"This is not a video that can be read: {_seen(head)}. "
        "Send MP4, QuickTime, WebM, Matroska, AVI, MPEG, FLV or WMV."
    )


def _is_ts(head: bytes) -> bool:
    """Tell MPEG-TS by three packets that begin where they should."""
    stamped = head[_M2TS_STAMP::_M2TS_PACKET]
    return head[: 3 * _TS_PACKET : _TS_PACKET] == b"GGG" or stamped[:3] == b"GGG"


def _is_picture(head: bytes) -> bool:
    return head[4:8] == b"ftyp" and head[8:12] in _PICTURE_BRANDS


def _seen(head: bytes) -> str:
    """Describe bytes that are no accepted video."""
    if not head:
        return "it is empty (0 bytes)"
    if _is_picture(head):
        return f"it looks like {_PICTURE_BRANDS[head[8:12]]}"
    if head[:4] == b"RIFF":
        return f"it looks like {_RIFFS.get(head[8:12], 'an AVI video or a sound file')}"
    if head[257:262] == b"ustar":
        return "it looks like a tar archive"
    for magic, what in _OTHERS:
        if head.startswith(magic):
            return f"it looks like {what}"
    if all(32 <= byte < 127 or byte in b"\t\r\n" for byte in head[:64]):
        return "it looks like plain text"
    return "it looks like unknown binary data"
