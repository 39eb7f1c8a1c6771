"""What a file that begins like an MP4 says that it is: the brands in its first box.

Source: ISO/IEC 14496-12, 4.3.
"""

import struct

_MAX_BRANDS = 64


def brands_of(data: bytes) -> tuple[bytes, ...]:
    """Give the major brand and the compatible ones; none where the bytes begin otherwise."""
    if data[4:8] != b"ftyp" or len(data) < 12:
        return ()
    (length,) = struct.unpack_from(">I", data)
    stop = min(length, len(data), 16 + 4 * _MAX_BRANDS)
    return (data[8:12], *(data[at : at + 4] for at in range(16, stop, 4)))
