"""What a reader refuses to read, whatever the item claims."""

from concurrent.futures import ThreadPoolExecutor

from jobs.bootstrap import Ground
from jobs.manifests import Item
from jobs.segments import ItemError
from workers.egress import Egress
from workers.engine.reader import Reader


def test_an_item_whose_packed_bytes_are_too_many_is_refused_and_the_others_are_read(
    ground: Ground, egress: Egress
) -> None:
    ground.storage.put("blob", [b"x" * 100])
    liar = Item("liar", "zip", "blob", 0, 10_000_000, 10)
    honest = Item("honest", "raw", "blob", 0, 100, 100)
    with ThreadPoolExecutor(1) as fetchers:
        contents = Reader(ground.storage, egress, fetchers).read([liar, honest], 1_000_000)
    assert isinstance(contents[0], ItemError)
    assert contents[0].code == "image_too_large"
    assert bytes(contents[1]) == b"x" * 100
