"""Bombs: small inputs, made in milliseconds, that ask for far more memory or time than is theirs.

Each comes with the codes that it may end with. Those that are honest pictures of many pixels may
take the memory of their pixels (`honest_mib`); every other must end in little more than nothing.
"""

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

# What stands for an answer where the codes of errors are listed.
ANSWER = ""
BROKEN, TOO_LARGE, UNKNOWN = "image_decode_failed", "image_too_large", "unsupported_media"


@dataclass(frozen=True)
class Bomb:
    """A bomb, by what it may come to.

    codes: of its error; ANSWER among them where it may be answered. honest_mib: MiB that its
    decoder may take for pixels that are really there.
    """

    name: str
    data: bytes
    codes: frozenset[str]
    honest_mib: int = 0


def bomb(name: str, data: bytes, *codes: str, honest_mib: int = 0) -> Bomb:
    """Put a bomb together; no codes stand for an answer."""
    return Bomb(name, data, frozenset(codes or (ANSWER,)), honest_mib)


@cache
def _megabyte_of_zeros() -> bytes:
    """A mebibyte of zeros, deflated so that it can stand behind itself."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)


def deflated_zeros(mebibytes: int, tail: bytes = b"") -> bytes:
    """Give the raw deflate stream (RFC 1951) of so many mebibytes of zeros and a tail."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return _megabyte_of_zeros() * mebibytes + packer.compress(tail) + packer.flush()


def zlib_zeros(count: int) -> bytes:
    """Give the zlib stream (RFC 1950) of so many zeros, with its right checksum."""
    adler = (count % 65521) << 16 | 1
    tail = bytes(count % 2**20)
    return b"\x78\xda" + deflated_zeros(count // 2**20, tail) + adler.to_bytes(4, "big")


def _families() -> Mapping[str, Callable[[], Iterator[Bomb]]]:
    from tests.odd.moving.bomb_films import films
    from tests.odd.packed.bomb_archives import archives
    from tests.odd.still.bomb_pictures import pictures

    return {"pictures": pictures, "films": films, "archives": archives}


FAMILIES = ("pictures", "films", "archives")


@cache
def bombs_of(family: str) -> tuple[Bomb, ...]:
    """Give the bombs of a family; each is made once a process."""
    found = tuple(_families()[family]())
    assert len({each.name for each in found}) == len(found), f"{family}: two have one name"
    return found
