"""Whether a film's file goes on to the end that it names: containers that are walked from behind.

Each function: open file, its size in bytes -> True when it is cut off.

Sources: ISO/IEC 13818-1 (MPEG program and transport streams), Adobe's FLV 10.1 (E.3), Microsoft's
ASF specification 1.20.03 (3.2).
"""

import struct
from typing import BinaryIO

_TS_PACKET, _M2TS_PACKET = 188, 192
_TS_SYNC = 0x47

# Bytes from behind in which a whole pack of a program stream begins: DVDs write 2 kB, others 64 kB.
_PS_TAIL = 1 << 19
_PS_PACK, _PS_END = b"\x00\x00\x01\xba", 0xB9
_PS_LOWEST = 0xB9

_FLV_TAG = 11
_FLV_TYPES = (8, 9, 18)

_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_ASF_HEADER = 1 << 20


def ts_is_cut(file: BinaryIO, size: int) -> bool:
    """Packets are 188 bytes, or 192 with a time before each."""
    file.seek(0)
    return size % (_TS_PACKET if file.read(1) == bytes([_TS_SYNC]) else _M2TS_PACKET) != 0


def ps_is_cut(file: BinaryIO, size: int) -> bool:
    """The packets after the last pack's beginning reach the file's end exactly, or padding."""
    start = max(0, size - _PS_TAIL)
    file.seek(start)
    tail = file.read(_PS_TAIL)
    at = tail.rfind(_PS_PACK)
    return at >= 0 and _ps_walk(tail, at)


def flv_is_cut(file: BinaryIO, size: int) -> bool:
    """The last four bytes say how long the last tag is, and there it begins."""
    if size < 4:
        return True
    (length,) = struct.unpack(">I", _read(file, size - 4, 4))
    if length == 0 or not _FLV_TAG <= length <= size - 4:
        return True
    head = _read(file, size - 4 - length, 4)
    is_tag = head[0] & 0x1F in _FLV_TYPES
    return not is_tag or int.from_bytes(head[1:], "big") + _FLV_TAG != length


def asf_is_cut(file: BinaryIO, size: int) -> bool:
    """The file's properties name its size; a broadcast names none."""
    head = _read(file, 0, _ASF_HEADER)
    at = head.find(_ASF_PROPERTIES)
    # Identifier and length of the object, identifier of the file, then its size.
    if at < 0 or len(head) < at + 48:
        return at < 0
    return bool(struct.unpack_from("<Q", head, at + 40)[0] > size)


def _ps_walk(tail: bytes, at: int) -> bool:
    while at + 4 <= len(tail):
        if tail[at : at + 3] != b"\x00\x00\x01" or tail[at + 3] < _PS_LOWEST:
            # Padding of zeros is no damage; anything else ends where nobody can tell.
            return bool(tail[at:].strip(b"\x00"))
        kind = tail[at + 3]
        if kind == _PS_END:
            return False
        if kind == _PS_PACK[3]:
            if at + 14 > len(tail):
                return True
            is_mpeg2 = tail[at + 4] >> 6 == 0b01
            at += 14 + (tail[at + 13] & 0b111) if is_mpeg2 else 12
        elif at + 6 > len(tail):
            return True
        else:
            at += 6 + int.from_bytes(tail[at + 4 : at + 6], "big")
    return at != len(tail) and bool(tail[at:].strip(b"\x00") or at > len(tail))


def _read(file: BinaryIO, offset: int, count: int) -> bytes:
    file.seek(offset)
    return file.read(count)
