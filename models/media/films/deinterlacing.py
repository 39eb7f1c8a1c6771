"""Interlaced frames to whole ones: FFmpeg's bwdif, one frame for each.

An interlaced frame holds two moments, line by line. The filter keeps the first and makes up its
other lines from the frames around. Frames that are not interlaced pass through as they are, and a
film without a single interlaced frame never sees it.
"""

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import Generic, TypeVar

import av
from av.filter import Graph
from av.video.frame import VideoFrame

Note = TypeVar("Note")

_THREADS = 1


class Deinterlacer(Generic[Note]):
    """Passes frames on in their order, each with the note that came with it."""

    def __init__(self) -> None:
        self.is_used = False
        self._graph: Graph | None = None
        self._form: tuple[int, int, str] | None = None
        # The filter looks one frame ahead, so notes wait for their frames.
        self._notes: deque[Note] = deque()

    def pass_on(self, frame: VideoFrame, note: Note) -> Iterator[tuple[VideoFrame, Note]]:
        """Take a frame; give those that are ready. Raises av.FFmpegError."""
        form = (frame.width, frame.height, frame.format.name)
        if self._graph is not None and form != self._form:
            yield from self.rest()
        if self._graph is None:
            if not frame.interlaced_frame:
                yield frame, note
                return
            self._graph, self._form, self.is_used = _graph(frame), form, True
        self._notes.append(note)
        self._graph.vpush(frame)
        yield from self._ready()

    def rest(self) -> Iterator[tuple[VideoFrame, Note]]:
        """Give what is held back, at the end of the film."""
        if self._graph is not None:
            self._graph.vpush(None)
            yield from self._ready()
        self._graph = None
        self._notes.clear()

    def _ready(self) -> Iterator[tuple[VideoFrame, Note]]:
        assert self._graph is not None
        while self._notes:
            try:
                frame = self._graph.vpull()
            except (av.BlockingIOError, av.EOFError):
                return
            yield frame, self._notes.popleft()


def _graph(frame: VideoFrame) -> Graph:
    graph = Graph()
    graph.threads = _THREADS
    graph.link_nodes(
        graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=frame.time_base or Fraction(1, 1000),
        ),
        graph.add("bwdif", mode="send_frame", deint="interlaced"),
        graph.add("buffersink"),
    ).configure()
    return graph
