"""Whether the pictures of an AVIF file are whole: AV1 has no checksum, but an end that tells.

The data of each tile end in padding that the standard fixes, and data that went astray do not end
there. dav1d looks at it only when it is told to be strict, which libavif does not; so every coded
picture is decoded once more, by the dav1d in FFmpeg.

Source: AV1 bitstream specification, 8.2.4 (exit process for the symbol decoder).
"""

import io
from collections.abc import Iterator
from typing import cast

import av
from av.codec.context import CodecContext
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from models.media.films.sizes import decoder_options
from models.media.films.source import open_container
from models.media.stills.still import undecodable
from models.records.errors import VideoDecodeFailed
from models.records.record import Limits

_STRICT = {"strict": "very"}
# Tiles, and pictures of alpha beside them: libavif takes up to 1,024.
_MAX_PICTURES = 2048


def check_padding(data: bytes) -> None:
    """Refuse a file of which a coded picture does not end as it should; raises ImageDecodeFailed.

    Of what FFmpeg cannot find it says nothing.
    """
    for packet in _coded_pictures(data):
        decoder = cast("VideoCodecContext", CodecContext.create("libdav1d", "r"))
        decoder.thread_count, decoder.options = 1, decoder_options(Limits()) | _STRICT
        decoder.extradata = packet.stream.codec_context.extradata
        try:
            for each in (packet, None):
                decoder.decode(each)
        except av.FFmpegError as err:
            raise undecodable("AVIF", "a coded picture does not end as it should") from err


def _coded_pictures(data: bytes) -> "Iterator[Packet[VideoStream]]":
    """Give each picture that is stored: tiles, alpha; of an animation the first."""
    seen: set[int] = set()
    try:
        with open_container(io.BytesIO(data), "MP4", Limits(), _MAX_PICTURES) as container:
            for packet in container.demux(container.streams.video):
                if packet.size and packet.stream_index not in seen:
                    seen.add(packet.stream_index)
                    yield packet
    # PyAV looks up streams that FFmpeg has not told it of, where headers are broken.
    except (VideoDecodeFailed, av.FFmpegError, IndexError):
        return
