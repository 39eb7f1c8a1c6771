"""Memory that a worker and one decoder process share: sealed, so that neither can shrink it.

Without the seals a decoder could cut the file under the worker's feet, which would end the worker
(SIGBUS). It is as large as the largest picture, but only what is written takes memory, and what a
large one took is given back.
"""

import ctypes
import fcntl
import math
import mmap
import os
import struct
from contextlib import suppress
from typing import Self

import numpy as np

from models.media.memory import Pixels, check_written, new_pattern, not_written

# By ctypes, which lets the interpreter lock go: giving 400 MB back takes 90 ms, and `mmap.madvise`
# holds up every thread for as long.
_fallocate = ctypes.CDLL(None, use_errno=True).fallocate
_fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_longlong, ctypes.c_longlong]
# FALLOC_FL_KEEP_SIZE and FALLOC_FL_PUNCH_HOLE.
_HOLE = 0x01 | 0x02

_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
_NUMBER = struct.Struct("<Q")
# At the beginning stand a number (`note`) and the pattern; what is laid down begins behind them.
_PATTERN_AT = 16
HEADER = 64

# Bytes of a file that are handed over at a time.
PIECE = 1024 * 1024
# What stays for the next items when a large one is done.
KEPT = 64 * 1024 * 1024

_WORD = 8
# How far the pattern is laid out beyond one picture; smaller ones are looked through as bytes.
_AHEAD = 64 * 1024
_DECODER = "a decoder process"


class Arena:
    """A mapping of shared memory; to be closed."""

    def __init__(self, fd: int, size: int) -> None:
        self.fd, self.size = fd, size
        self._map = mmap.mmap(fd, size)
        self._bytes = np.frombuffer(self._map, np.uint8)
        self._words = self._bytes[: size // _WORD * _WORD].view(np.uint64)
        self._pattern = self._words[_PATTERN_AT // _WORD]
        # Where what was laid down last ends, and up to where the pattern stands behind it.
        self._laid = self._filled = HEADER

    @classmethod
    def create(cls, name: str, size: int) -> Self:
        """Make new memory of `size` bytes; `name` is for whoever looks at the process."""
        fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(fd, size)
            os.pwrite(fd, new_pattern().tobytes(), _PATTERN_AT)
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
            return cls(fd, size)
        except BaseException:
            os.close(fd)
            raise

    def note(self, number: int) -> None:
        """Write a number at the beginning, for the other side to see at any time."""
        _NUMBER.pack_into(self._map, 0, number)

    def noted(self) -> int:
        """Read the number that was noted last."""
        return int(_NUMBER.unpack_from(self._map, 0)[0])

    def view(self, offset: int, shape: tuple[int, ...]) -> Pixels:
        """Give the uint8 array of this shape that begins at `offset`; raises ValueError beyond."""
        size = math.prod(shape)
        if offset < 0 or min(shape, default=1) < 0 or size > self.size - offset:
            raise ValueError(f"{size:,} bytes at {offset:,} do not lie in {self.size:,}")
        return self._bytes[offset : offset + size].reshape(shape)

    def lay_down(self, offset: int, pixels: Pixels) -> int:
        """Copy pixels over the pattern at `offset`; gives where the next may begin."""
        place, end = self.view(offset, pixels.shape), offset + pixels.size
        if offset < self._laid:
            self._filled = offset
        if end > self._filled:
            # Further than needed: a fill costs as much as a tiny picture.
            ahead = min(max(end, offset + _AHEAD), self.size)
            first, last = max(offset, self._filled) // _WORD, -(-ahead // _WORD)
            self._words[first:last] = self._pattern
            self._filled = ahead
        place[:] = pixels
        self._laid = -(-end // HEADER) * HEADER
        return self._laid

    def pick_up(self, offset: int, shape: tuple[int, ...]) -> Pixels:
        """Give what the other side says that it has laid down; raises ValueError, DecoderFault."""
        pixels = self.view(offset, shape)
        if pixels.size > _AHEAD:
            check_written(pixels, _DECODER, self._pattern)
        elif self._map.find(self._pattern.tobytes(), offset, offset + pixels.size) >= 0:
            raise not_written(_DECODER)
        return pixels

    def piece(self, offset: int, size: int) -> memoryview:
        """Give the `size` bytes that begin at `offset`, uncopied; raises ValueError beyond."""
        if offset < 0 or not 0 <= size <= self.size - offset:
            raise ValueError(f"{size:,} bytes at {offset:,} do not lie in {self.size:,}")
        return memoryview(self._map)[offset : offset + size]

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """Copy bytes to `offset`; raises ValueError beyond the end."""
        if not 0 <= offset <= self.size - len(data):
            raise ValueError(f"{len(data):,} bytes at {offset:,} do not lie in {self.size:,}")
        if len(data) <= PIECE:
            self._map[offset : offset + len(data)] = data
        else:
            self._pour(offset, memoryview(data))

    def _pour(self, offset: int, data: memoryview) -> None:
        """Write what is large through the file: Python lets the interpreter lock go meanwhile.

        For a worker; decoder processes write no more than a piece, and may not call this.
        """
        while data:
            written = os.pwrite(self.fd, data, offset)
            data, offset = data[written:], offset + written

    def give_back_beyond(self, kept: int = KEPT) -> None:
        """Give the memory behind the first `kept` bytes back to the system."""
        if self.size > kept and _fallocate(self.fd, _HOLE, kept, self.size - kept):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))

    def close(self) -> None:
        """Let go of it, as soon as no view of it is left."""
        del self._bytes, self._words, self._pattern
        with suppress(BufferError):  # somebody still looks at it: it goes with them
            self._map.close()
        os.close(self.fd)
