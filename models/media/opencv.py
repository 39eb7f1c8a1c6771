"""The one door to OpenCV: limits that must be in place before its first import.

OpenCV reads these variables once, so whoever needs it imports `cv2` from here. A variable that is
already set wins, so that whoever starts the process can choose, but for what FFmpeg may open.
"""

import os

from models.record import PIXEL_CEILING

# A second wall behind the header check of models/media/formats.py.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(PIXEL_CEILING))
# Broken pictures are told per item; OpenCV's own lines on stderr would only repeat them, and
# FFmpeg's (-8 is its AV_LOG_QUIET).
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
# A second wall behind the magic bytes of models/media/formats.py, and no choice of anybody's:
# FFmpeg opens files alone, and takes no playlist, session or list of files for a video.
os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = (
    "protocol_whitelist;file|format_whitelist;mov,matroska,avi,mpegts,mpeg"
)

import cv2

# Decoding is parallel by item; a pool of OpenCV's own under each thread would only contend.
cv2.setNumThreads(1)

__all__ = ["cv2"]
