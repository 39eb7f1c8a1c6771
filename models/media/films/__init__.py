"""From a video file to upright frames with their times, as a stream in bounded memory.

    open_video ── magic bytes, stated sizes ──► source ── demuxed, decoded ──► reel
    reel ── clock, deinterlacing ──► Video.frames ── sampled ── conversion, turning ──► Frame

One frame is held at a time, however long the video is. Decisions, each held by a test:

- PyAV's FFmpeg decodes (docs/decisions/0006-films-on-pyav.md). It reads the open file through
  Python, of the one container that the magic bytes name, and can open nothing else.
- Of several picture tracks the default one counts, then the largest; a cover picture never.
- Times are the container's, in milliseconds from the film's beginning, which is where its first
  track begins: edit lists are honoured, variable frame rates come out right, and a picture that
  begins after the sound does not begin at 0 (clock.py).
- Interlaced frames are deinterlaced, one for one (deinterlacing.py).
- A frame is taken when its time reaches the next multiple of 1/fps seconds, or when its number is
  the next multiple of n.
- What the container or the frame says of rotation and mirroring is applied (turning.py).
- Every frame is converted by the matrix and the range that it names (conversion.py).
- Every frame's size is held against the limits, and by the decoder before it allocates.
- A frame that cannot be decoded is left out. What is missing or was patched up, in the middle or at
  the end, is told as a warning; only a video without a single frame is an error.
- Decoding is repeated from the beginning when a video is resumed: only so are the frames after the
  place the same as without a break, whatever the codec.
"""

from models.media.films.frame import Facts, Frame, Position
from models.media.films.video import Video, open_video, preload

__all__ = ["Facts", "Frame", "Position", "Video", "open_video", "preload"]
