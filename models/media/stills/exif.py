"""The one thing of EXIF that changes pixels: which way up the picture is.

Source: CIPA DC-008 (EXIF 2.32): a TIFF whose first directory holds tag 274.
"""

import struct

_ORIENTATION = 274
_SHORT, _LONG = 3, 4
# Directories of real cameras have some tens of entries.
_MAX_ENTRIES = 1000


def orientation_of(exif: bytes) -> int:
    """Read the orientation, 1 to 8, out of EXIF bytes; 1 where they say none or are broken."""
    tiff = exif[6:] if exif.startswith(b"Exif\0\0") else exif
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(tiff[:4]))
    if order is None:
        return 1
    try:
        (directory,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, directory)
        for entry in range(min(entries, _MAX_ENTRIES)):
            at = directory + 2 + 12 * entry
            tag, form = struct.unpack_from(order + "HH", tiff, at)
            if tag == _ORIENTATION and form in (_SHORT, _LONG):
                kind = "H" if form == _SHORT else "I"
                (value,) = struct.unpack_from(order + kind, tiff, at + 8)
                return int(value) if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1
