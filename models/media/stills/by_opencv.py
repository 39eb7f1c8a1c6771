"""Files that we have put together ourselves, decoded by OpenCV."""

import numpy as np

from models.media.memory import Pixels
from models.media.opencv import cv2
from models.media.stills.still import check_memory, undecodable


def decode_with_opencv(file: bytes, kind: str, *, is_grey: bool = False) -> Pixels:
    """Decode to uint8 (h, w, 3) RGB, or (h, w) where the file itself is grey.

    Nothing is turned. Raises ImageDecodeFailed.
    """
    mode = cv2.IMREAD_GRAYSCALE if is_grey else cv2.IMREAD_COLOR_RGB
    try:
        pixels = cv2.imdecode(np.frombuffer(file, np.uint8), mode | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as err:
        check_memory(err)
        raise undecodable(kind) from err
    # OpenCV's stub leaves out that imdecode answers None for what it cannot read.
    if pixels is None or pixels.dtype != np.uint8:
        raise undecodable(kind)
    return pixels.view("uint8")
