"""Answers compressed where the caller asks for it (Accept-Encoding), as they are written.

zstd by pyarrow, which the API has anyway. No more is held back than a few hundred kilobytes of what
was written: a stream stays one, however well it can be compressed.
"""

import zlib
from collections.abc import Callable, Iterator, Mapping

import pyarrow as pa
from flask import Response, request
from werkzeug.datastructures import Headers

from api.results.pieces import Pieces

# HTTP/1.0, which a default nginx speaks to us, ends a stream that broke like one that is whole.
ROWS = "Pixelmill-Rows"
# Levels that cost less time than the network saves; the higher ones would hold streams up.
_GZIP_LEVEL = 1
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
# Bytes of what is written after which all that there is of it is sent.
_HELD_BACK = 256 * 1024


def compressed_answer(
    content: Iterator[bytes], headers: Mapping[str, str], media_type: str
) -> Response:
    """Give an answer of the pieces of `content`, in the encoding that the caller likes best."""
    encoding = _best_encoding()
    sent = Headers(headers)
    sent["Vary"] = "Accept-Encoding"
    if encoding is not None:
        sent["Content-Encoding"] = encoding
        content = _ENCODERS[encoding](content)
    return Response(content, headers=sent, content_type=media_type)


def _best_encoding() -> str | None:
    """Give the encoding with the highest quality; of equal ones the first of `_ENCODERS`."""
    asked = request.accept_encodings
    best = max(_ENCODERS, key=lambda name: float(asked.quality(name)))
    # That of no encoding counts only where it is named: `*` stands for what is not.
    plain = next((float(quality) for name, quality in asked if name == "identity"), 0.0)
    quality = float(asked.quality(best))
    return best if quality > 0 and quality >= plain else None


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


_ENCODERS: Mapping[str, Callable[[Iterator[bytes]], Iterator[bytes]]] = {
    "zstd": _zstandard,
    "gzip": _gzipped,
}
