"""The folders of a 7z: what was compressed together, expanded forwards in bounded memory.

One line in a table for each method. py7zr's own decompressors take what a few bytes of input may
become at once: hundreds of megabytes for deflate64.
"""

import lzma
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Self

from jobs.archives.compression import (
    LZMA_ERRORS,
    MAX_WINDOW,
    Broken,
    Buffered,
    Decompressor,
    Deflate,
    Deflate64,
    bzip2,
    zstandard,
)
from jobs.archives.members import MIB, ArchiveError, corrupt

_READ_BYTES = 64 * 1024
_PIECE = MIB


@dataclass(frozen=True, slots=True)
class Coder:
    """One step of a folder's compression: its method, and what it was told."""

    method: bytes
    properties: bytes
    is_simple: bool  # one stream in, one out

    @classmethod
    def of(cls, coder: dict[str, Any]) -> Self:
        """Give what py7zr read of a coder."""
        is_simple = coder["numinstreams"] == 1 and coder["numoutstreams"] == 1
        return cls(coder["method"], coder["properties"] or b"", is_simple)


class Copied:
    """Stored as it is."""

    needs_input, eof = True, False

    def __init__(self, _: int) -> None:
        self.unused: bytes | memoryview = b""

    def decompress(self, data: bytes | memoryview, room: int) -> bytes:
        """Give what came, `room` bytes at most."""
        self.unused = data[room:]
        return bytes(data[:room])


# Method numbers of the LZMA SDK, "Methods.txt".
_ALONE: dict[bytes, Callable[[int], Decompressor]] = {
    b"\x00": Copied,
    b"\x04\x01\x08": Deflate,
    b"\x04\x01\x09": Deflate64,
    b"\x04\x02\x02": bzip2,
    b"\x04\xf7\x11\x01": zstandard,
}
_LZMA, _LZMA2, _DELTA = b"\x03\x01\x01", b"\x21", b"\x03"
_BRANCHES = {
    b"\x03\x03\x01\x03": lzma.FILTER_X86,
    b"\x03\x03\x02\x05": lzma.FILTER_POWERPC,
    b"\x03\x03\x04\x01": lzma.FILTER_IA64,
    b"\x03\x03\x05\x01": lzma.FILTER_ARM,
    b"\x03\x03\x07\x01": lzma.FILTER_ARMTHUMB,
    b"\x03\x03\x08\x05": lzma.FILTER_SPARC,
}
_AES = b"\x06\xf1\x07\x01"
_NAMES = {
    b"\x03\x04\x01": "PPMd",
    b"\x03\x03\x01\x1b": "BCJ2",
    b"\x04\xf7\x11\x02": "Brotli",
    b"\x04\xf7\x11\x04": "LZ4",
    b"branched": "several streams in one (BCJ2)",
}


def opened(coders: tuple[Coder, ...], size: int) -> Decompressor:
    """Give the decompressor of a folder of `size` bytes; raises ArchiveError for what has none."""
    for coder in coders:
        if coder.method == _AES:
            raise ArchiveError(
                "unsupported_archive",
                "The 7z is encrypted. Pack the archive again without a password.",
            )
    if len(coders) == 1 and coders[0].is_simple and coders[0].method in _ALONE:
        return _ALONE[coders[0].method](size)
    methods = [coder.method for coder in coders]
    # liblzma loses the last bytes of a branch filter behind LZMA, which has no end mark here.
    is_lost = _LZMA in methods and any(method in _BRANCHES for method in methods)
    if is_lost or not all(coder.is_simple for coder in coders):
        raise _unsupported(methods)
    filters = [_filter(coder, size, methods) for coder in reversed(coders)]
    try:
        made = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)
    except LZMA_ERRORS as err:
        corrupt(f"A folder of the 7z has wrong properties ({err})")
    return Buffered(made, LZMA_ERRORS)


def _filter(coder: Coder, size: int, methods: list[bytes]) -> dict[str, int]:
    properties = coder.properties
    if coder.method in _BRANCHES:
        return {"id": _BRANCHES[coder.method]}
    if coder.method == _DELTA and len(properties) == 1:
        return {"id": lzma.FILTER_DELTA, "dist": properties[0] + 1}
    if coder.method == _LZMA2 and len(properties) == 1 and properties[0] <= 40:
        exponent, odd = divmod(properties[0], 2)
        return {"id": lzma.FILTER_LZMA2, "dict_size": _window((2 | odd) << (exponent + 11), size)}
    if coder.method == _LZMA and len(properties) == 5 and properties[0] < 225:
        lc, rest = properties[0] % 9, properties[0] // 9
        window = _window(int.from_bytes(properties[1:], "little"), size)
        chosen = {"id": lzma.FILTER_LZMA1, "lc": lc, "lp": rest % 5, "pb": rest // 5}
        return chosen | {"dict_size": window}
    raise _unsupported(methods)


def _window(stated: int, size: int) -> int:
    """The bytes that matches can reach back: never more than there are."""
    window = max(4096, min(stated, size))
    if window > MAX_WINDOW:
        raise ArchiveError(
            "unsupported_archive",
            f"The 7z was packed with a dictionary of {stated:,} bytes, over the {MAX_WINDOW:,} "
            "that are read. Pack it again with a smaller one (`-md=64m`).",
        )
    return window


def _unsupported(methods: list[bytes]) -> ArchiveError:
    names = [_NAMES.get(method, f"method {method.hex()}") for method in methods]
    known = {_LZMA, _LZMA2, _DELTA, *_ALONE, *_BRANCHES}
    odd = [name for name, method in zip(names, methods, strict=True) if method not in known]
    return ArchiveError(
        "unsupported_archive",
        f"The 7z is compressed with {' and '.join(odd or names)}, which is not read. "
        "Pack the archive again with LZMA2 (`-m0=lzma2`).",
    )


class FolderReader:
    """A folder's bytes, read forwards. Seeks before each piece: the caller may move the file."""

    def __init__(self, file: BinaryIO, start: int, packed: int, decompressor: Decompressor) -> None:
        self._file, self._next, self._stop = file, start, start + packed
        self._decompressor = decompressor
        self._rest: bytes | memoryview = b""
        self.consumed = 0

    def pieces(self, size: int) -> Iterator[bytes]:
        """Give exactly the next `size` bytes, 1 MiB at a time; raises ArchiveError."""
        while size > 0:
            piece = self._piece(min(_PIECE, size))
            size -= len(piece)
            if piece:
                yield piece

    def _piece(self, room: int) -> bytes:
        hungry = self._decompressor.needs_input
        data: bytes | memoryview = b""
        if hungry:
            data = self._rest or self._read()
        try:
            piece = self._decompressor.decompress(data, room)
        except Broken as err:
            raise ArchiveError(
                "corrupt_archive",
                f"The data of the 7z before byte {self._next:,} are broken ({err}). "
                "Pack the archive again and upload it anew.",
            ) from err
        if self._decompressor.eof:
            self._rest = b""
        elif hungry:
            self._rest = self._decompressor.unused
        if not piece and ((hungry and not data) or self._decompressor.eof):
            corrupt(f"The data of the 7z end at byte {self._next:,}, before the last file")
        return piece

    def _read(self) -> bytes:
        self._file.seek(self._next)
        data = self._file.read(min(_READ_BYTES, self._stop - self._next))
        self._next += len(data)
        self.consumed += len(data)
        return data
