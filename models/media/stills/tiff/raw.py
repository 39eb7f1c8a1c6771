"""Camera raw that looks like a TIFF: told by its tags, so that its thumbnail is not answered.

Sources: Adobe's DNG specification 1.7; TIFF/EP (ISO 12234-2).
"""

import itertools

from models.media.stills.tiff.directory import Directory, directories, sub_directories
from models.records.errors import UnsupportedMedia

_NEW_SUBFILE, _PACKING, _PHOTOMETRIC, _MAKE, _SUB_DIRECTORIES = 254, 259, 262, 271, 330
_DNG_VERSION, _CFA_PATTERN, _EP_PATTERN = 50706, 33421, 33422
_MOSAIC, _LINEAR_RAW = 32803, 34892
_PACKED_BY_CAMERAS = frozenset({32767, 32769, 34713, 65535})
_REDUCED = 1
_MAX_PAGES = 16


def camera_raw() -> UnsupportedMedia:
    """Word the refusal of what a camera's sensor saw."""
    return UnsupportedMedia(
        "This is a camera raw file (such as DNG, NEF, CR2 or ARW), which has to be developed "
        "first. Export it as JPEG or TIFF and send that."
    )


def check_is_no_camera_raw(data: bytes) -> None:
    """Refuse camera raw; raises UnsupportedMedia, or struct.error where the bytes end too soon."""
    if data[8:10] == b"CR":
        raise camera_raw()
    pages = list(itertools.islice(directories(data), _MAX_PAGES))
    if not pages:
        return
    below = [each for page in pages for each in sub_directories(page)]
    has_camera_preview = (
        pages[0].first(_NEW_SUBFILE) & _REDUCED
        and _SUB_DIRECTORIES in pages[0]
        and _MAKE in pages[0]
    )
    if has_camera_preview or any(_is_raw(each) for each in [*pages, *below[: 4 * _MAX_PAGES]]):
        raise camera_raw()


def _is_raw(page: Directory) -> bool:
    return (
        _DNG_VERSION in page
        or _CFA_PATTERN in page
        or _EP_PATTERN in page
        or page.first(_PHOTOMETRIC) in (_MOSAIC, _LINEAR_RAW)
        or page.first(_PACKING) in _PACKED_BY_CAMERAS
    )
