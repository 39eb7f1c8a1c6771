"""What a reader gives, whole or in parts, and what it refuses, whatever the item claims."""

import io
import random
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from jobs.archives import ArchiveError, Limits, walk_zip
from jobs.bootstrap import Ground
from jobs.manifests import Item
from jobs.segments import ItemError
from jobs.storage import BlobMissing
from models.errors import VideoTooLarge
from workers.egress import Egress
from workers.engine.reader import Reader

CONTENT = random.Random(1).randbytes(20_000_000)


@pytest.fixture
def reader(ground: Ground, egress: Egress) -> Iterator[Reader]:
    with ThreadPoolExecutor(1) as fetchers:
        yield Reader(ground.storage, egress, fetchers)


def whole(reader: Reader, item: Item, max_bytes: int = 30_000_000) -> bytes:
    parts = [bytes(part) for part in reader.parts(item, max_bytes, 1.0, lambda work: work())]
    assert len(parts) > 1, "never all of it at once"
    return b"".join(parts)


def test_a_large_item_comes_in_parts(ground: Ground, reader: Reader) -> None:
    ground.storage.put("blob", [b"before", CONTENT, b"after"])
    item = Item("a", "raw", "blob", 6, len(CONTENT), len(CONTENT))
    assert whole(reader, item) == CONTENT
    with pytest.raises(VideoTooLarge, match="20,000,000 bytes"):
        whole(reader, item, 19_999_999)
    with pytest.raises(BlobMissing):
        whole(reader, Item("a", "raw", "gone", 0, 10, 10))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_large_member_of_an_archive_comes_in_parts(
    ground: Ground, reader: Reader, method: int
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("small", b"x")
        archive.writestr("large", CONTENT)
    ground.storage.put("blob", [buffer.getvalue()])
    buffer.seek(0)
    _, member = walk_zip(buffer, Limits())
    item = Item("a", "zip", "blob", member.offset, member.length, member.size)
    assert whole(reader, item) == CONTENT
    ground.storage.put("blob", [buffer.getvalue().replace(CONTENT[:40], bytes(40))])
    if method == zipfile.ZIP_STORED:
        with pytest.raises(ArchiveError, match="checksum"):
            whole(reader, item)


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
