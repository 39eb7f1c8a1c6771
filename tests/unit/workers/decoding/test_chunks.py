"""How a shard's items are put into chunks."""

from jobs.inputs.manifests import Item
from workers.engine.images import CHUNK_BYTES, CHUNK_ITEMS, SMALL_CHUNK_BYTES, leading


def test_a_chunk_holds_no_more_bytes_than_memory_should() -> None:
    part = CHUNK_BYTES // 3
    items = [Item(str(number), "raw", length=2 * part) for number in range(3)]
    assert [len(leading(items, start, 32)) for start in range(3)] == [1, 1, 1]
    small = [Item(str(number), "raw", length=part) for number in range(9)]
    assert [item.custom_id for item in leading(small, 2, 32)] == ["2", "3", "4"]


def test_a_chunk_has_at_least_one_item_and_no_more_than_a_batch() -> None:
    huge = [Item("0", "raw", length=10 * CHUNK_BYTES), Item("1", "raw", length=1)]
    assert [item.custom_id for item in leading(huge, 0, 32)] == ["0"]
    tiny = [Item(str(number), "raw", length=1) for number in range(9)]
    assert len(leading(tiny, 0, 4)) == 4
    assert len(leading(tiny, 7, 4)) == 2


def test_small_items_fill_a_batch_and_no_others_do() -> None:
    tiny = [Item(str(number), "raw", length=SMALL_CHUNK_BYTES // 256) for number in range(300)]
    assert len(leading(tiny, 0, 256)) == 256
    small = [Item(str(number), "raw", length=SMALL_CHUNK_BYTES // 100) for number in range(300)]
    assert len(leading(small, 0, 256)) == 100
    photos = [Item(str(number), "raw", length=40_000) for number in range(300)]
    assert len(leading(photos, 0, 256)) == CHUNK_ITEMS
    urls = [Item(str(number), "url", url="http://example.com/x") for number in range(300)]
    assert len(leading(urls, 0, 256)) == 8


def test_a_few_that_would_be_left_behind_come_along() -> None:
    photos = [Item(str(number), "raw", "blob", length=60_000) for number in range(20)]
    assert len(leading(photos, 20 - CHUNK_ITEMS - 2, 256)) == CHUNK_ITEMS + 2
    assert len(leading(photos, 0, 256)) == CHUNK_ITEMS
    # Never more than a batch.
    assert len(leading(photos, 20 - CHUNK_ITEMS - 2, CHUNK_ITEMS)) == CHUNK_ITEMS
