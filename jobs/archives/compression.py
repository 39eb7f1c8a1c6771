"""How a zip's members are compressed: one decompressor and one line in a table for each method.

Every decompressor gives a piece of bounded size for every piece that it is given, whatever the
data claim: none takes more memory than its window, and no window is over 128 MiB.
"""

import bz2
import lzma
import struct
import sys
import zlib
from collections.abc import Callable
from typing import Any, Protocol

from jobs.archives.members import MIB, ArchiveError

# The largest window (dictionary) of LZMA, xz and Zstandard that is allocated.
MAX_WINDOW = 128 * MIB
MAX_WINDOW_LOG = 27
# A deflate64 code of some 20 bits gives up to 65,538 bytes: 128 bytes give under 4 MiB.
_DEFLATE64_PIECE = 128
_LZMA_HEADER = struct.Struct("<2xHBI")  # 4.4.4 and 5.8.8: version, size of properties, properties


class Decompressor(Protocol):
    """Compressed bytes in, plain bytes out."""

    @property
    def eof(self) -> bool:
        """Whether the stream has ended by its own mark."""

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes of what was given and is not `unused`."""

    @property
    def unused(self) -> bytes | memoryview:
        """What was given and not used: to be given again, or what follows the end."""

    def decompress(self, data: bytes | memoryview, room: int) -> bytes:
        """Give plain bytes, `room` at most."""


class Broken(Exception):
    """The compressed data are broken; the text says how."""


class WindowTooLarge(Broken):
    """The data ask for more memory than is given; a sound file, packed for large machines."""


class Deflate:
    """Raw deflate, as zlib inflates it."""

    needs_input = True

    def __init__(self, _: int) -> None:
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        """Whether the last block has ended."""
        return self._inflater.eof

    @property
    def unused(self) -> bytes:
        """What was not used yet."""
        return self._inflater.unused_data or self._inflater.unconsumed_tail

    def decompress(self, data: bytes | memoryview, room: int) -> bytes:
        """Inflate; raises Broken."""
        try:
            return self._inflater.decompress(data, room)
        except zlib.error as err:
            raise Broken(str(err)) from err


class Buffered:
    """bzip2, xz, Zstandard: decompressors of the standard library's kind, which keep their input.

    `errors` are what `decompressor` raises for broken data.
    """

    def __init__(self, decompressor: Any, errors: tuple[type[Exception], ...]) -> None:
        self._decompressor, self._errors = decompressor, errors

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""
        return bool(self._decompressor.eof)

    @property
    def unused(self) -> bytes:
        """What follows the stream."""
        return bytes(self._decompressor.unused_data or b"")

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes of what was given."""
        return bool(self._decompressor.needs_input)

    def decompress(self, data: bytes | memoryview, room: int) -> bytes:
        """Decompress; raises Broken."""
        try:
            return bytes(self._decompressor.decompress(data, room))
        except self._errors as err:
            # liblzma: "Memory usage limit exceeded"; libzstd: "Frame requires too much memory".
            kind = WindowTooLarge if "emory" in str(err) else Broken
            raise kind(str(err)) from err


class Lzma:
    """LZMA as zip keeps it: a header of its own, then a raw stream with or without an end mark."""

    def __init__(self, size: int) -> None:
        self._size, self._header = size, b""
        self._raw: Buffered | None = None

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes of what was given."""
        return self._raw is None or self._raw.needs_input

    @property
    def eof(self) -> bool:
        """Whether the end mark was met; some writers write none."""
        return self._raw is not None and self._raw.eof

    @property
    def unused(self) -> bytes:
        """What follows the end mark."""
        return b"" if self._raw is None else self._raw.unused

    def decompress(self, data: bytes | memoryview, room: int) -> bytes:
        """Decompress; raises Broken."""
        if self._raw is None:
            self._header += bytes(data)
            if len(self._header) < _LZMA_HEADER.size:
                return b""
            self._raw, data = self._opened(), self._header[_LZMA_HEADER.size :]
        return self._raw.decompress(data, room)

    def _opened(self) -> Buffered:
        length, packed, window = _LZMA_HEADER.unpack_from(self._header)
        lc, rest = packed % 9, packed // 9
        if length != 5 or rest > 24 or lc + rest % 5 > 4:
            raise Broken("its LZMA properties are wrong")
        # No match reaches further back than the member is long.
        chosen = {"id": lzma.FILTER_LZMA1, "lc": lc, "lp": rest % 5, "pb": rest // 5}
        chosen["dict_size"] = max(4096, min(window, self._size, MAX_WINDOW))
        return Buffered(lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[chosen]), LZMA_ERRORS)


class Deflate64:
    """Deflate64, which Windows writes for large files. What follows its end is not found."""

    needs_input = True

    def __init__(self, _: int) -> None:
        import inflate64  # comes with py7zr; only members that need it load it

        self._inflater = inflate64.Inflater()
        self._ready = b""
        self.unused: bytes | memoryview = b""

    @property
    def eof(self) -> bool:
        """Whether the last block has ended and all of it was given."""
        return bool(self._inflater.eof) and not self._ready

    def decompress(self, data: bytes | memoryview, room: int) -> bytes:
        """Inflate; raises Broken."""
        if not self._ready and not self._inflater.eof:
            try:
                self._ready = self._inflater.inflate(bytes(data[:_DEFLATE64_PIECE]))
            except Exception as err:  # the library raises several kinds, ValueError and its own
                raise Broken(str(err)) from err
            data = data[_DEFLATE64_PIECE:]
        content, self._ready = self._ready[:room], self._ready[room:]
        self.unused = data
        return content


LZMA_ERRORS = (lzma.LZMAError, EOFError, ValueError, MemoryError)


def bzip2(_: int = 0) -> Buffered:
    """A decompressor of one bzip2 stream; a block takes 4 MiB at most."""
    return Buffered(bz2.BZ2Decompressor(), (OSError, EOFError, ValueError))


def xz(_: int = 0) -> Buffered:
    """A decompressor of one xz stream, whose dictionary is 128 MiB at most."""
    # The limit counts the decoder's own state too.
    made = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_WINDOW + 16 * MIB)
    return Buffered(made, LZMA_ERRORS)


def zstandard(_: int = 0) -> Buffered:
    """A decompressor of one Zstandard frame, whose window is 128 MiB at most."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    options = {int(zstd.DecompressionParameter.window_log_max): MAX_WINDOW_LOG}
    return Buffered(zstd.ZstdDecompressor(options=options), (zstd.ZstdError, EOFError, ValueError))


def lz4(_: int = 0) -> Buffered:
    """A decompressor of one LZ4 frame; a block takes 4 MiB at most."""
    import lz4.frame  # only streams that need it load it

    return Buffered(lz4.frame.LZ4FrameDecompressor(), (RuntimeError, EOFError, ValueError))


# APPNOTE 4.4.5. Each is made with the member's size.
METHODS: dict[int, Callable[[int], Decompressor] | None] = {
    0: None,  # stored
    8: Deflate,
    9: Deflate64,
    12: bzip2,
    14: Lzma,
    20: zstandard,  # its number before 6.3.8
    93: zstandard,
    95: xz,
}
_NAMES = {1: "shrink", 2: "reduce", 6: "implode", 94: "MP3", 96: "JPEG", 97: "WavPack", 98: "PPMd"}


def method_name(method: int) -> str:
    """Give the name of a method that is not read, for a message."""
    return _NAMES.get(method, f"method {method}")


def unsupported(method: int) -> ArchiveError:
    """Give the error for a local header that asks for a method that is not read, or encryption."""
    return ArchiveError(
        "unsupported_archive",
        f"The member's local header asks for compression method {method} or encryption. "
        "Pack the archive again with store or deflate and no password.",
    )
