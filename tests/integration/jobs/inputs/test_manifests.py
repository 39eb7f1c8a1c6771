"""Manifests: any window of a hundred thousand items, in bounded memory, with no name twice."""

import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.base.errors import InvalidInput
from jobs.base.storage import Storage, StorageError
from jobs.inputs.manifests import ROW_GROUP, Item, Manifest, write_manifest

MANY = 100_000


def items(count: int) -> Iterator[Item]:
    for index in range(count):
        if index % 3:
            yield Item(f"item-{index}", "zip", "inputs/a/b", index * 100, 100, 250)
        else:
            yield Item(f"item-{index}", "url", url=f"https://example.com/{index}.jpg")


def write(storage: Storage, name: str, given: Iterator[Item], **limits: int) -> int:
    return write_manifest(storage, name, given, **{"max_items": 10**7, "max_errors": 100, **limits})


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Storage:
    return Storage(tmp_path_factory.mktemp("blobs").as_uri())


@pytest.fixture(scope="module")
def manifest(storage: Storage) -> Manifest:
    assert write(storage, "jobs/large", items(MANY)) == MANY
    return Manifest(storage, "jobs/large")


def test_a_hundred_thousand_items_are_written_in_the_memory_of_some(storage: Storage) -> None:
    write(storage, "jobs/warm", items(10))
    tracemalloc.start()
    try:
        write(storage, "jobs/traced", items(MANY))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # A row group of Python objects and eight bytes for each name: about 9 MB. All of the items
    # at once would be more than 30.
    assert peak < 15_000_000


@settings(max_examples=40, deadline=None)
@given(st.integers(0, MANY - 1), st.integers(0, 3 * ROW_GROUP))
def test_any_window_equals_the_slice_of_the_list(
    manifest: Manifest, first: int, count: int
) -> None:
    count = min(count, MANY - first)
    assert manifest.items(first, count) == EXPECTED[first : first + count]


EXPECTED = list(items(MANY))


@pytest.mark.parametrize("first", [0, ROW_GROUP - 1, ROW_GROUP, MANY - 1])
def test_a_window_at_the_edge_of_a_row_group_is_whole(manifest: Manifest, first: int) -> None:
    count = min(2, MANY - first)
    assert manifest.items(first, count) == EXPECTED[first : first + count]


def test_what_lies_behind_the_end_is_an_error_and_no_empty_answer(manifest: Manifest) -> None:
    assert manifest.total == MANY
    with pytest.raises(IndexError, match=f"item {MANY}"):
        manifest.items(MANY - 1, 2)


def test_a_name_that_comes_again_row_groups_later_is_found_with_its_lines(
    storage: Storage,
) -> None:
    again = {ROW_GROUP + 5: 7, 2 * ROW_GROUP + 1: ROW_GROUP - 1, 2 * ROW_GROUP + 2: 7}
    named = (Item(f"n{again.get(index, index)}", "raw") for index in range(3 * ROW_GROUP))
    with pytest.raises(InvalidInput) as caught:
        write(storage, "jobs/twice", named)
    assert [fault["line"] for fault in caught.value.lines] == [index + 1 for index in again]
    assert "repeats custom_id 'n7' of line 8" in caught.value.lines[0]["message"]
    assert f"of line {ROW_GROUP}." in caught.value.lines[1]["message"]
    assert "of line 8." in caught.value.lines[2]["message"], "the first of them, not the last"
    assert caught.value.reason == "duplicate_custom_id"
    assert "jobs/twice" not in list(storage.list("jobs"))


def test_only_so_many_repetitions_are_listed(storage: Storage) -> None:
    same = (Item("same", "raw") for _ in range(50))
    with pytest.raises(InvalidInput) as caught:
        write(storage, "jobs/same", same, max_errors=3)
    assert [fault["line"] for fault in caught.value.lines] == [2, 3, 4]


@pytest.mark.parametrize(("count", "code"), [(0, "empty_input"), (6, "too_many_items")])
def test_too_few_and_too_many_items_leave_nothing_behind(
    storage: Storage, count: int, code: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        write(storage, "jobs/refused", items(count), max_items=5)
    assert caught.value.reason == code
    assert "jobs/refused" not in list(storage.list("jobs"))


def test_a_large_blob_whose_writing_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    storage = Storage((tmp_path / "blobs").as_uri())

    def chunks() -> Iterator[bytes]:
        for _ in range(3):
            yield bytes(8 * 1024 * 1024)
        raise ConnectionResetError("the caller went away")

    with pytest.raises(ConnectionResetError):
        storage.put("inputs/a/b", chunks())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_store_that_fails_in_the_middle_of_reading_is_told_from_a_fault_of_the_manifest(
    tmp_path: Path,
) -> None:
    storage = Storage((tmp_path / "blobs").as_uri())
    # Names that are not compressed: a small blob would be there since it was opened.
    chance = random.Random(0)
    named = (each._replace(custom_id=chance.randbytes(32).hex()) for each in items(30_000))
    write(storage, "jobs/gone", named)
    assert storage.size("jobs/gone") > 1024 * 1024
    opened = Manifest(storage, "jobs/gone")
    storage.delete(["jobs/gone"])
    with pytest.raises(StorageError):
        opened.items(25_000, 1)
