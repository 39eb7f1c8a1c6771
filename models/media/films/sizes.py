"""Sizes of frames held against the limits, at every frame and before memory is taken for it.

FFmpeg's own limit (`max_pixels`) stops a decoder before it allocates. It then only says that it
failed; what it would have needed is asked of a second decoder, which gets the one packet.
"""

import re
from typing import cast

import av
from av.codec.context import CodecContext
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from models.records.errors import VideoTooLarge
from models.records.record import Limits

# FFmpeg's and dav1d's words. Only the wording of an error stands on them, no limit does.
_EXCEEDS = re.compile(r"(\d+)x(\d+) exceeds")

# Decoders count what they allocate: both sides rounded up to whole blocks of 16 to 128 pixels.
_PADDING, _LEAST_PADDING = (9, 8), 65_536

# A film whose frames grow is refused at the first; one that is broken is not asked for ever.
_MAX_QUESTIONS = 8


def decoder_options(limits: Limits) -> dict[str, str]:
    """Give FFmpeg's options that keep any decoder within the limits, and make it tell of damage."""
    most = limits.max_pixels * _PADDING[0] // _PADDING[1] + _LEAST_PADDING
    return {"max_pixels": str(most), "err_detect": "crccheck+bitstream+buffer"}


def check_size(width: int, height: int, kind: str, limits: Limits) -> None:
    """Hold a frame's size in pixels against the limit; raises VideoTooLarge."""
    if width * height > limits.max_pixels:
        raise VideoTooLarge(
            f"The {kind} video is {width} x {height} pixels, {width * height:,} a frame; this "
            f"model takes at most {limits.max_pixels:,}. Send a smaller video."
        )


class SizeQuestions:
    """Tells packets that failed because of their size from those that are broken."""

    def __init__(self, context: VideoCodecContext, kind: str, limits: Limits) -> None:
        self._name, self._extradata = context.codec.name, context.extradata
        self._kind, self._limits = kind, limits
        self._left = _MAX_QUESTIONS

    def ask(self, packet: "Packet[VideoStream]") -> None:
        """Raise VideoTooLarge when this packet, which failed, holds too large a frame."""
        if self._left == 0 or not packet.is_keyframe or not packet.size:
            return
        self._left -= 1
        decoder = cast("VideoCodecContext", CodecContext.create(self._name, "r"))
        decoder.thread_count = 1
        decoder.options = decoder_options(self._limits)
        decoder.extradata = self._extradata
        for words in _errors_of(decoder, packet):
            if stated := _EXCEEDS.search(words):
                check_size(int(stated[1]), int(stated[2]), self._kind, self._limits)


def _errors_of(decoder: VideoCodecContext, packet: "Packet[VideoStream]") -> list[str]:
    before = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as logs:
            decoder.decode(packet)
            decoder.decode(None)
    except av.FFmpegError:
        pass
    finally:
        av.logging.set_level(before)
    return [words for _, _, words in logs]
