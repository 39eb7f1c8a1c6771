"""The one door to OpenCV: limits that must be in place before its first import.

OpenCV reads these variables once. Everything in `models` writes `from models.opencv import cv2`.
A variable that is already set wins, so that whoever starts the process can choose.
"""

import os

from models.record import PIXEL_CEILING

# A second wall behind the header check of models/media.py.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(PIXEL_CEILING))
# Broken pictures are told per item; OpenCV's own lines on stderr would only repeat them.
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")

import cv2

# Decoding is parallel by item; a pool of OpenCV's own under each thread would only contend.
cv2.setNumThreads(1)

__all__ = ["cv2"]
