"""Stored frames of any pixel format to uint8 RGB.

The matrix and the range are those that the frame names. Where it names no matrix it is BT.601,
whatever the size of the picture, and where it names no range it is the limited one (the full one
for JPEG's own formats): that is what FFmpeg's own tool does. Transfer functions are left alone.

Memory: FFmpeg's scaler writes into buffers of this graph's own pool, which are zeroed when they are
first made, and used again only for frames of this film; its answer is checked. So what lies there
can never be anybody else's, and the copy that leaves is made by numpy.
"""

from fractions import Fraction
from typing import NamedTuple

import numpy as np
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from numpy.typing import NDArray

_THREADS = 1

# By ITU-T H.273, table 4.
_MATRICES = {
    1: "bt709", 4: "fcc", 5: "bt470", 6: "smpte170m", 7: "smpte240m", 9: "bt2020", 10: "bt2020",
}  # fmt: skip
_UNNAMED_MATRIX = "bt601"
_RANGES = {1: "limited", 2: "full"}
_UNNAMED_RANGE = "auto"


class Form(NamedTuple):
    """What a frame is stored as: one graph converts frames of one form."""

    width: int
    height: int
    pixel_format: str
    matrix: str
    range: str


def form_of(frame: VideoFrame) -> Form:
    """Read a decoded frame's form."""
    return Form(
        frame.width,
        frame.height,
        frame.format.name,
        _MATRICES.get(frame.colorspace, _UNNAMED_MATRIX),
        _RANGES.get(frame.color_range, _UNNAMED_RANGE),
    )


class Converter:
    """Converts frame after frame; sets up anew only when their form changes."""

    def __init__(self) -> None:
        self._form: Form | None = None
        self._graph: Graph | None = None

    def to_rgb(self, frame: VideoFrame, form: Form) -> NDArray[np.uint8]:
        """Give uint8 (h, w, 3), a view of FFmpeg's memory. Raises av.FFmpegError."""
        if self._graph is None or form != self._form:
            self._graph, self._form = _graph(form), form
        self._graph.vpush(frame)
        plane = self._graph.vpull().planes[0]
        lines: NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8).reshape(
            form.height, plane.line_size
        )
        return lines[:, : 3 * form.width].reshape(form.height, form.width, 3)


def _graph(form: Form) -> Graph:
    graph = Graph()
    graph.threads = _THREADS
    graph.link_nodes(
        graph.add_buffer(
            width=form.width,
            height=form.height,
            format=VideoFormat(form.pixel_format),
            time_base=Fraction(1, 1000),
        ),
        graph.add("scale", flags="bicubic", in_color_matrix=form.matrix, in_range=form.range),
        graph.add("format", pix_fmts="rgb24"),
        graph.add("buffersink"),
    ).configure()
    return graph
