"""Streams compressed as they are written: gzip, or zstd by pyarrow, which both who need it have.

No more is held back than a few hundred kilobytes of what was written: a stream stays one, however
well it can be compressed.
"""

import zlib
from collections.abc import Callable, Iterator, Mapping

import pyarrow as pa

from jobs.forms.pieces import Pieces

# Levels that cost less time than the network saves; the higher ones would hold streams up.
_GZIP_LEVEL = 1
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
# Bytes of what is written after which all that there is of it is sent.
_HELD_BACK = 256 * 1024


def _gzipped(content: Iterator[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_WINDOW)
    for block in _blocks(content):
        yield compressor.compress(block) + compressor.flush(zlib.Z_SYNC_FLUSH)
    yield compressor.flush()


def _zstandard(content: Iterator[bytes]) -> Iterator[bytes]:
    out = Pieces()
    with pa.CompressedOutputStream(pa.PythonFile(out, "w"), "zstd") as compressor:
        for block in _blocks(content):
            compressor.write(block)
            compressor.flush()
            yield out.take()
    yield out.take()


def _blocks(content: Iterator[bytes]) -> Iterator[bytes]:
    """Put pieces together to blocks of about `_HELD_BACK` bytes, none of them empty."""
    held: list[bytes] = []
    size = 0
    for piece in content:
        held.append(piece)
        size += len(piece)
        if size >= _HELD_BACK:
            yield b"".join(held)
            held, size = [], 0
    if size:
        yield b"".join(held)


ENCODERS: Mapping[str, Callable[[Iterator[bytes]], Iterator[bytes]]] = {
    "zstd": _zstandard,
    "gzip": _gzipped,
}
