"""Ranges of a shard's items: the bytes of each, and a request for each run of them."""

import random
from collections.abc import Sequence

import pytest

from jobs.base.storage import BlobMissing
from jobs.inputs.manifests import Item
from workers.engine.holding.requester import Requester
from workers.engine.reading.ahead import ReadAhead
from workers.engine.reading.places import Place

KIB, MIB = 1024, 1024 * 1024


class Blobs:
    """Stands for a store: its blobs, and what was asked of it."""

    def __init__(self, **blobs: bytes) -> None:
        self.blobs = blobs
        self.asked: list[tuple[str, list[int], list[int]]] = []

    def ranges(self, place, starts, lengths, requester) -> list[memoryview]:
        name = place.blob
        if starts:
            self.asked.append((name, list(starts), list(lengths)))
            if name not in self.blobs:
                raise BlobMissing(name)
        content = memoryview(self.blobs.get(name, b""))
        return [
            content[start : start + length] for start, length in zip(starts, lengths, strict=True)
        ]


def items_at(*places: tuple[str, int, int], encoding: str = "raw") -> list[Item]:
    return [
        Item(f"n{number}", encoding, blob=blob, offset=offset, length=length, size=length)
        for number, (blob, offset, length) in enumerate(places)
    ]


def ranges(ahead: ReadAhead, blob: str, starts: list[int], lengths: list[int]) -> list[memoryview]:
    return ahead.ranges(Place(blob), starts, lengths, Requester())


def read_all(store: Blobs, items: Sequence[Item], at_once: int = 8) -> list[bytes]:
    """Read items as chunks of a shard do."""
    ahead = ReadAhead(store.ranges, items)
    found: list[bytes] = []
    for first in range(0, len(items), at_once):
        run = items[first : first + at_once]
        for blob in dict.fromkeys(item.blob for item in run):
            of_blob = [item for item in run if item.blob == blob]
            found += map(
                bytes,
                ranges(
                    ahead,
                    blob,
                    [item.offset for item in of_blob],
                    [item.length for item in of_blob],
                ),
            )
    return found


def wanted(store: Blobs, items: Sequence[Item]) -> list[bytes]:
    return [store.blobs[item.blob][item.offset : item.offset + item.length] for item in items]


def test_small_members_are_a_request_for_eight_mebibytes() -> None:
    store = Blobs(a=random.Random(0).randbytes(20 * MIB))
    items = items_at(*(("a", 512 + 6 * KIB * number, 5 * KIB) for number in range(3000)))
    assert read_all(store, items) == wanted(store, items)
    assert len(store.asked) == 3


def test_files_of_their_own_are_read_for_themselves() -> None:
    store = Blobs(a=b"one", b=b"two", c=b"three")
    items = items_at(("a", 0, 3), ("b", 0, 3), ("c", 0, 5))
    assert read_all(store, items) == [b"one", b"two", b"three"]
    assert [lengths for _, _, lengths in store.asked] == [[3], [3], [5]]


def test_what_lies_far_apart_is_not_fetched_for_what_is_between() -> None:
    store = Blobs(a=random.Random(0).randbytes(4 * MIB))
    items = items_at(("a", 0, KIB), ("a", 2 * KIB, KIB), ("a", 3 * MIB, KIB))
    assert read_all(store, items) == wanted(store, items)
    assert sum(sum(lengths) for _, _, lengths in store.asked) < 5 * KIB


def test_members_larger_than_a_run_come_alone() -> None:
    store = Blobs(a=random.Random(0).randbytes(20 * MIB))
    items = items_at(("a", 0, 9 * MIB), ("a", 9 * MIB, KIB), ("a", 9 * MIB + KIB, 10 * MIB))
    assert read_all(store, items, at_once=1) == wanted(store, items)
    assert sum(sum(lengths) for _, _, lengths in store.asked) == 19 * MIB + KIB


@pytest.mark.parametrize("order", ["backwards", "twice", "shuffled", "overlapping"])
def test_members_in_any_order_have_their_own_bytes(order: str) -> None:
    store = Blobs(a=random.Random(0).randbytes(MIB), b=random.Random(1).randbytes(MIB))
    places = [("ab"[number % 2], KIB * number, KIB) for number in range(200)]
    if order == "backwards":
        places.reverse()
    elif order == "twice":
        places *= 2
    elif order == "shuffled":
        random.Random(2).shuffle(places)
    else:
        places = [("a", 700 * number, KIB) for number in range(200)]
    items = items_at(*places)
    ahead = ReadAhead(store.ranges, items)
    for item in items:
        (found,) = ranges(ahead, item.blob, [item.offset], [item.length])
        assert bytes(found) == store.blobs[item.blob][item.offset : item.offset + item.length]


def test_a_range_that_is_no_items_is_read_all_the_same() -> None:
    store = Blobs(a=b"0123456789")
    ahead = ReadAhead(store.ranges, items_at(("a", 2, 2), ("a", 4, 2)))
    assert [bytes(part) for part in ranges(ahead, "a", [0, 4, 5], [3, 2, 5])] == [
        b"012", b"45", b"56789",
    ]  # fmt: skip


def test_a_blob_that_is_gone_is_told_to_every_chunk() -> None:
    ahead = ReadAhead(Blobs().ranges, items_at(("a", 0, 2), ("a", 2, 2)))
    for place in (0, 2):
        with pytest.raises(BlobMissing):
            ranges(ahead, "a", [place], [2])


def test_urls_and_objects_are_no_ranges_of_blobs() -> None:
    store = Blobs(a=b"0123")
    items = items_at(("a", 0, 2), ("a", 2, 2), encoding="object")
    read_all(store, items)
    assert [lengths for _, _, lengths in store.asked] == [[2, 2]]
