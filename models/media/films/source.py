"""An open file as a container of FFmpeg that can open nothing else.

The container is the one that the magic bytes name: no other is tried, so no playlist is ever read.
FFmpeg reads the file through Python and is given no protocol; what else a film names (external
tracks, keys, segments) is refused.
"""

import errno
import os
from typing import Any, BinaryIO, NoReturn

import av
from av.container import InputContainer

from models.media.film_formats import DEMUXERS
from models.media.films.sizes import decoder_options
from models.records.errors import VideoDecodeFailed
from models.records.record import Limits

# Bytes that FFmpeg asks for at once.
_BUFFER = 1 << 17

# Real films have a picture, some sounds and subtitles.
_MAX_STREAMS = 64


class _Reading:
    """What FFmpeg sees of a file: its bytes, and neither its name nor its descriptor."""

    name = "film"

    def __init__(self, file: BinaryIO) -> None:
        self.read, self.tell = file.read, file.tell
        self._seek = file.seek

    def seek(self, offset: int, whence: int) -> int:
        """Seek, or answer FFmpeg's error for a place that no file has."""
        try:
            return self._seek(offset, whence)
        except (OSError, OverflowError, ValueError):
            return -errno.EINVAL


def open_container(
    file: BinaryIO, kind: str, limits: Limits, most_streams: int = _MAX_STREAMS
) -> InputContainer:
    """Open a container of a kind that `film_formats` names; raises VideoDecodeFailed."""
    file.seek(0, os.SEEK_SET)
    try:
        return av.open(
            _Reading(file),
            mode="r",
            format=DEMUXERS[kind],
            options=decoder_options(limits),
            container_options={
                "protocol_whitelist": "none",
                "format_whitelist": DEMUXERS[kind],
                "max_streams": str(most_streams),
            },
            metadata_errors="replace",
            buffer_size=_BUFFER,
            io_open=_refuse,
        )
    except (av.FFmpegError, _Refused, ValueError) as err:
        raise could_not_be_opened(kind) from err


def could_not_be_opened(kind: str) -> VideoDecodeFailed:
    """Word that a film has a beginning and no more."""
    return VideoDecodeFailed(
        f"The {kind} video could not be opened: it is truncated, corrupt or of a codec that is not "
        "supported. Play it, and save it again as MP4 or WebM."
    )


class _Refused(OSError):
    """A film that names another file."""


def _refuse(*_: Any) -> NoReturn:
    raise _Refused("a film is one file")
