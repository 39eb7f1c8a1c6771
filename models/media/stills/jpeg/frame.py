"""The frame of a JPEG and the scans that fill it: all must be there, and not too often.

libjpeg gives pixels, without a warning, for a progressive picture of which whole scans are missing.
So what the scans send is added up here, from their headers.

Source: ITU-T T.81, B.2.2, B.2.3 and G.1.1.1.
"""

import struct
from typing import NamedTuple

from models.media.stills.jpeg.segments import DHT, FRAMES, SOS, Segment
from models.media.stills.still import undecodable, unsupported
from models.records.errors import ImageDecodeFailed

_LOSSLESS = 0xC3
_SEQUENTIAL = frozenset({0xC0, 0xC1})
_PROGRESSIVE = frozenset({0xC2, 0xCA})
# Baseline, extended, progressive, lossless; then the arithmetic twins of the second and third.
_READ = frozenset({0xC0, 0xC1, 0xC2, _LOSSLESS, 0xC9, 0xCA})
# Encoders send ten to twenty. Each costs the decoder a walk through all blocks, though it be empty.
_MAX_SCANS = 64
_BLOCK = 64
_END_OF_BLOCK = 0
_HOLE = bytes(32)


class JpegFrame(NamedTuple):
    """What the frame header says. components: one id each."""

    kind: int
    width: int
    height: int
    components: tuple[int, ...]

    @property
    def can_be_scaled(self) -> bool:
        """Whether libjpeg can leave out frequencies on the way."""
        return self.kind != _LOSSLESS


def read_frame(data: bytes, segments: tuple[Segment, ...]) -> JpegFrame:
    """Read the one frame header; raises ImageDecodeFailed if there are more, or none."""
    frames = [each for each in segments if each.marker in FRAMES]
    if len(frames) != 1:
        raise undecodable("JPEG", f"it has {len(frames)} frame headers instead of one")
    start = frames[0].start
    precision, height, width, count = struct.unpack_from(">BHHB", data, start + 2)
    if frames[0].marker not in _READ:
        raise unsupported("JPEG", f"its frames are of the kind {frames[0].marker:02X}")
    if precision != 8:
        raise unsupported("JPEG", f"its samples have {precision} bits instead of 8")
    if count not in (1, 3, 4):
        raise unsupported("JPEG", f"it has {count} colour components")
    components = tuple(data[start + 8 + 3 * each] for each in range(count))
    return JpegFrame(frames[0].marker, width, height, components)


def check_scans(data: bytes, frame: JpegFrame, segments: tuple[Segment, ...]) -> None:
    """Refuse a picture of which a scan is missing, or that has too many; ImageDecodeFailed."""
    scans = [each for each in segments if each.marker == SOS]
    if len(scans) > _MAX_SCANS:
        raise unsupported("JPEG", f"it has {len(scans):,} scans, more than {_MAX_SCANS}")
    # The lowest bit that was sent of each coefficient; None while nothing was.
    sent: dict[int, list[int | None]] = {each: [None] * _BLOCK for each in frame.components}
    for scan in scans:
        _note(data, scan, frame, sent)
        if frame.kind in _SEQUENTIAL:
            _check_no_hole(data, scan, frame, segments)
    if any(bit != 0 for bits in sent.values() for bit in bits):
        raise _missing()


def _note(data: bytes, scan: Segment, frame: JpegFrame, sent: dict[int, list[int | None]]) -> None:
    """Note which bits of which coefficients one scan sends."""
    count = data[scan.start + 2]
    first, last, bits = struct.unpack_from("3B", data, scan.start + 3 + 2 * count)
    if frame.kind not in _PROGRESSIVE:
        first, last, bits = 0, _BLOCK - 1, 0
    for each in range(count):
        component = data[scan.start + 3 + 2 * each]
        if component not in sent or last >= _BLOCK:
            raise undecodable("JPEG", "a scan names what the frame has not")
        sent[component][first : last + 1] = [bits & 15] * (last + 1 - first)


def _check_no_hole(
    data: bytes, scan: Segment, frame: JpegFrame, segments: tuple[Segment, ...]
) -> None:
    """Refuse a stretch of zeros, as it stands where a file was never written to its end.

    Where a code of zero bits means the end of a block, blank paper looks like this. Elsewhere a
    stretch of zeros is hundreds of coefficients of -1, which no picture has.
    """
    has_all = data[scan.start + 2] == len(frame.components)
    if not has_all or data.find(_HOLE, scan.end, scan.data_end) < 0:
        return
    # At the end they may be padding, which the decoder judges.
    if _HOLE not in data[scan.end : scan.data_end].rstrip(b"\0"):
        return
    tables = (_first_ac_symbols(data, each) for each in segments if each.marker == DHT)
    if any(symbol != _END_OF_BLOCK for symbols in tables for symbol in symbols):
        raise undecodable("JPEG", "there are zeros in the middle of its data")


def _first_ac_symbols(data: bytes, table: Segment) -> list[int]:
    """Give what a code of nothing but zero bits stands for, of each table of coefficients."""
    symbols, position = [], table.start + 2
    while position + 17 < table.end:
        if data[position] >> 4 == 1:
            symbols.append(data[position + 17])
        position += 17 + sum(data[position + 1 : position + 17])
    return symbols


def _missing() -> ImageDecodeFailed:
    return undecodable("JPEG", "some of its scans are missing")
