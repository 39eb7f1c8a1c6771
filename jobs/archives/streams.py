"""Compressed streams, expanded piece by piece: how a tar.xz becomes a tar that can be range-read.

bzip2, xz, Zstandard and LZ4; gzip has a file of its own. Several streams in a row are one, as the
formats' own tools read them.
"""

from collections.abc import Callable, Iterator
from typing import BinaryIO

import pyarrow as pa

from jobs.archives.compression import (
    MAX_WINDOW,
    Broken,
    Buffered,
    WindowTooLarge,
    bzip2,
    xz,
    zstandard,
)
from jobs.archives.members import MIB, ArchiveError, Limits, check_ratio, check_total

_READ_BYTES = 64 * 1024

# What opens one stream, and the tool that checks a file.
_STREAMS: dict[str, tuple[Callable[[], Buffered], str]] = {
    "bzip2": (bzip2, "bzip2 -t"),
    "xz": (xz, "xz -t"),
    "zstd": (zstandard, "zstd -t"),
}


def expand_stream(
    kind: str, file: BinaryIO, limits: Limits, beat: Callable[[], None]
) -> Iterator[bytes]:
    """The decompressed stream in chunks of 1 byte to 1 MiB, in bounded memory.

    Raises ArchiveError: `archive_too_large` once the total or the ratio is over its limit, before
    the chunk that passed it is given out; `corrupt_archive` for a broken or truncated stream.
    """
    counted = _Counted(file, beat)
    unpacked = 0
    for chunk in _lz4(counted) if kind == "lz4" else _pieces(kind, counted):
        unpacked += len(chunk)
        check_total(unpacked, limits)
        check_ratio(unpacked, counted.bytes, limits)
        if chunk:
            yield chunk


class _Counted:
    """A file read forwards: counts what was read, and beats at every read."""

    closed = False

    def __init__(self, file: BinaryIO, beat: Callable[[], None]) -> None:
        self._file, self._beat = file, beat
        self.bytes = 0

    def close(self) -> None:
        """Leave the file open: it is the caller's."""

    def read(self, count: int) -> bytes:
        self._beat()
        data = self._file.read(count)
        self.bytes += len(data)
        return data


def _pieces(kind: str, source: _Counted) -> Iterator[bytes]:
    open_stream, _ = _STREAMS[kind]
    stream = open_stream()
    data = source.read(_READ_BYTES)
    while data or not stream.needs_input:
        yield _decompressed(kind, stream, data, source)
        data = b""
        if stream.eof:  # then only padding or another stream may follow
            data = stream.unused.lstrip(b"\0")
            while not data and (more := source.read(_READ_BYTES)):
                data = more.lstrip(b"\0")
            if not data:
                return
            stream = open_stream()
        elif stream.needs_input:
            data = source.read(_READ_BYTES)
    raise ArchiveError(
        "corrupt_archive",
        f"The {kind} stream ends too early, after {source.bytes:,} bytes: it was cut short. "
        "Upload the whole file again.",
    )


def _decompressed(kind: str, stream: Buffered, data: bytes, source: _Counted) -> bytes:
    try:
        return stream.decompress(data, MIB)
    except WindowTooLarge as err:
        raise ArchiveError(
            "unsupported_archive",
            f"The {kind} stream was packed with a window of over {MAX_WINDOW:,} bytes, which "
            "is not read. Pack it again without `--long`, or with a smaller dictionary.",
        ) from err
    except Broken as err:
        raise ArchiveError(
            "corrupt_archive",
            f"The {kind} stream is broken within its first {source.bytes:,} bytes ({err}). "
            f"Check it with `{_STREAMS[kind][1]}`, pack it again and upload it anew.",
        ) from err


def _lz4(source: _Counted) -> Iterator[bytes]:
    """LZ4 frames, by the library that pyarrow brings."""
    try:
        with pa.CompressedInputStream(pa.PythonFile(source, mode="r"), "lz4") as stream:
            while chunk := stream.read(MIB):
                yield bytes(chunk)
    except (OSError, pa.ArrowException) as err:
        raise ArchiveError(
            "corrupt_archive",
            f"The lz4 stream is broken or cut short, after {source.bytes:,} bytes ({err}). "
            "Check it with `lz4 -t`, pack it again and upload it anew.",
        ) from err
