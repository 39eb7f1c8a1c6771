"""Seeded mutations of sound files: what transport, disks, cut uploads and attackers do to them."""

import random
from collections.abc import Callable, Iterator, Sequence

# What lengths, counts and offsets are set to: nothing, the least, the most, and about the sign.
_EXTREMES = (
    b"\0\0\0\0",
    b"\1\0\0\0",
    b"\0\0\0\1",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\0\0\xff\xff",
)

Mutation = Callable[[bytearray, random.Random], bytearray]


def mutated(data: bytes, choose: random.Random) -> bytes:
    """Give a file with one to three mutations."""
    changed = bytearray(data)
    for _ in range(choose.choice((1, 1, 1, 2, 3))):
        changed = choose.choice(_MUTATIONS)(changed, choose)
    return bytes(changed)


def mutations(sources: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Give so many mutated files; the same for the same seed."""
    choose = random.Random(seed)
    for _ in range(count):
        yield mutated(choose.choice(sources), choose)


def _at(data: bytearray, choose: random.Random) -> int:
    """A place: the first half kilobyte, where headers stand, as often as all the rest."""
    return (
        choose.randrange(min(len(data), 512) if choose.random() < 0.5 else len(data)) if data else 0
    )


def _flip(data: bytearray, choose: random.Random) -> bytearray:
    for _ in range(choose.choice((1, 1, 4, 30))):
        if data:
            data[_at(data, choose)] ^= 1 << choose.randrange(8)
    return data


def _noise(data: bytearray, choose: random.Random) -> bytearray:
    at, length = _at(data, choose), choose.choice((4, 64, 600))
    end = min(len(data), at + length)
    data[at:end] = choose.randbytes(end - at)
    return data


def _zeros(data: bytearray, choose: random.Random) -> bytearray:
    at, length = _at(data, choose), choose.choice((8, 256, 4096))
    end = min(len(data), at + length)
    data[at:end] = bytes(end - at)
    return data


def _extreme(data: bytearray, choose: random.Random) -> bytearray:
    at, number = _at(data, choose), choose.choice(_EXTREMES)
    data[at : at + 4] = number
    return data


def _cut(data: bytearray, choose: random.Random) -> bytearray:
    return data[: _at(data, choose)]


def _remove(data: bytearray, choose: random.Random) -> bytearray:
    at = _at(data, choose)
    del data[at : at + choose.choice((1, 2, 16, 512))]
    return data


def _insert(data: bytearray, choose: random.Random) -> bytearray:
    at = _at(data, choose)
    data[at:at] = choose.randbytes(choose.choice((1, 2, 16, 512)))
    return data


def _repeat(data: bytearray, choose: random.Random) -> bytearray:
    at, length = _at(data, choose), choose.choice((16, 512, 8192))
    data[at:at] = data[at : at + length] * choose.choice((1, 3, 20))
    return data


def _swap(data: bytearray, choose: random.Random) -> bytearray:
    first, second = sorted((_at(data, choose), _at(data, choose)))
    return data[:first] + data[second:] + data[first:second]


_MUTATIONS: tuple[Mutation, ...] = (
    _flip, _noise, _zeros, _extreme, _cut, _remove, _insert, _repeat, _swap,
)  # fmt: skip
