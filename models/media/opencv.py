"""The one door to OpenCV: limits that must be in place before its first import.

OpenCV reads these variables once, so whoever needs it imports `cv2` from here. A variable that is
already set wins, so that whoever starts the process can choose.
"""

import os

from models.records.record import PIXEL_CEILING

# A second wall behind the header check of models/media/formats.py.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(PIXEL_CEILING))
# Broken pictures are told per item; OpenCV's own lines on stderr would only repeat them, and
# FFmpeg's (-8 is its AV_LOG_QUIET).
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

import cv2

# Decoding is parallel by item; a pool of OpenCV's own under each thread would only contend.
cv2.setNumThreads(1)

__all__ = ["cv2"]
