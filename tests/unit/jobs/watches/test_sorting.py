"""A listing in the order of its addresses, however it came."""

import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.base.storage import Storage
from jobs.watches.arrivals import Known, Listed
from jobs.watches.seen import read_seen, writing_seen
from jobs.watches.sorting import Sorted


def listed(number: int) -> Listed:
    return Listed(f"s3://b/ä {number:07d}", number, f'"{number}"', f"ä {number:07d}")


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 95])
def test_a_listing_comes_in_order_and_as_often_as_it_is_asked_for(count: int) -> None:
    objects = [listed(number) for number in range(count)]
    mixed = random.Random(1).sample(objects, count)
    with Sorted(mixed, 10) as found:
        assert list(found) == objects
        assert list(found) == objects


def test_an_object_that_is_listed_twice_comes_once() -> None:
    with Sorted([listed(1), listed(2), listed(1)], 1) as found:
        assert list(found) == [listed(1), listed(2)]


def test_what_breaks_a_listing_off_is_told() -> None:
    def broken() -> Iterator[Listed]:
        yield listed(1)
        yield listed(2)
        raise RuntimeError("the store is away")

    with pytest.raises(RuntimeError, match="the store is away"), Sorted(broken(), 1):
        pass


def test_a_long_listing_takes_no_more_memory_than_a_run() -> None:
    def peak(count: int) -> int:
        tracemalloc.start()
        with Sorted(map(listed, range(count, 0, -1)), 5000) as found:
            assert sum(1 for _ in found) == count
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(60_000) < 2 * peak(10_000)


@pytest.mark.parametrize("count", [0, 1, 10_000, 25_001])
def test_what_was_seen_is_read_as_it_was_written(tmp_path: Path, count: int) -> None:
    storage = Storage(tmp_path.as_uri())
    known = [Known(f"file:///a/{n:06d}", -n, n % 2 == 0, n % 3) for n in range(count)]
    with writing_seen(storage, "watches/a.parquet") as write:
        for each in known:
            write(each)
    assert list(read_seen(storage, "watches/a.parquet")) == known


def test_nothing_is_left_of_what_was_not_written_to_its_end(tmp_path: Path) -> None:
    storage = Storage(tmp_path.as_uri())

    def break_off() -> None:
        with writing_seen(storage, "watches/a.parquet") as write:
            write(Known("s3://b/a", 1, True))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert list(storage.list("watches")) == []
