"""What a reader gives, whole or in parts, and what it refuses, whatever the item claims."""

import io
import random
import tarfile
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from jobs.archives import ArchiveError, Limits, Member, extract, walk, walk_zip
from jobs.base.bootstrap import Ground
from jobs.base.storage import BlobMissing
from jobs.inputs.manifests import Item
from jobs.results.segments import ItemError
from models.records.errors import VideoTooLarge
from workers.egress import Egress
from workers.engine.reading.budget import FetchBudget
from workers.engine.reading.fetching import Fetches
from workers.engine.reading.reader import Reader

CONTENT = random.Random(1).randbytes(20_000_000)


@pytest.fixture
def reader(ground: Ground, egress: Egress) -> Iterator[Reader]:
    with ThreadPoolExecutor(1) as fetchers:
        yield Reader(ground.storage, Fetches(egress, fetchers, FetchBudget()), fetchers)


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


def test_a_refused_item_is_answered_with_its_reason_whole_or_in_parts(
    ground: Ground, egress: Egress
) -> None:
    ground.storage.put("blob", [b"x" * 100])
    refused = Item("a", "refused", error_code="unsupported_archive", error_message="Encrypted.")
    honest = Item("b", "raw", "blob", 0, 100, 100)
    with ThreadPoolExecutor(1) as fetchers:
        reader = Reader(ground.storage, Fetches(egress, fetchers, FetchBudget()), fetchers)
        contents = reader.read([refused, honest, refused], 1000)
        assert contents[0] == contents[2] == ItemError("unsupported_archive", "Encrypted.")
        assert bytes(contents[1]) == b"x" * 100
        with pytest.raises(ArchiveError, match=r"Encrypted\.") as caught:
            list(reader.parts(refused, 1000, 1.0, lambda work: work()))
    assert caught.value.code == "unsupported_archive"


def test_a_sparse_member_is_read_as_it_lies_and_a_film_s_holes_are_filled(
    ground: Ground, egress: Egress
) -> None:
    content = bytes(100_000) + b"in the middle" + bytes(200_000)
    packed = sparse_tar(content)
    ground.storage.put("blob", [packed])
    (member,) = walk("tar", io.BytesIO(packed), Limits())
    assert isinstance(member, Member)
    assert member.encoding == "sparse"
    item = Item("a", "sparse", "blob", member.offset, member.length, member.size)
    with ThreadPoolExecutor(1) as fetchers:
        reader = Reader(ground.storage, Fetches(egress, fetchers, FetchBudget()), fetchers)
        (as_it_lies,) = reader.read([item], 10**6)
        assert not isinstance(as_it_lies, ItemError)
        assert extract(as_it_lies, "sparse", 10**6, item.size) == content
        parts = reader.parts(item, 10**6, 1.0, lambda work: work())
        assert b"".join(map(bytes, parts)) == content
        broken = item._replace(length=item.length - 600)
        with pytest.raises(ArchiveError, match="member"):
            list(reader.parts(broken, 10**6, 1.0, lambda work: work()))


def sparse_tar(content: bytes) -> bytes:
    """Pack one file with its holes left out, as `tar -S` does (GNU format 1.0, by pax headers)."""
    start = len(content) - len(content.lstrip(b"\0"))
    piece = content.strip(b"\0")
    numbers = [2, start, len(piece), len(content), 0]
    table = "".join(f"{number}\n" for number in numbers).encode()
    data = table + bytes(-len(table) % 512) + piece
    info = tarfile.TarInfo("GNUSparseFile.0/a.bmp")
    info.size = len(data)
    info.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "a.bmp",
        "GNU.sparse.realsize": str(len(content)),
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info, io.BytesIO(data))
    buffer.seek(0)
    with tarfile.open(fileobj=buffer) as archive:
        unpacked = archive.extractfile("a.bmp")
        assert unpacked is not None
        assert unpacked.read() == content, "the standard library reads it so"
    return buffer.getvalue()


def test_an_item_whose_packed_bytes_are_too_many_is_refused_and_the_others_are_read(
    ground: Ground, egress: Egress
) -> None:
    ground.storage.put("blob", [b"x" * 100])
    liar = Item("liar", "zip", "blob", 0, 10_000_000, 10)
    honest = Item("honest", "raw", "blob", 0, 100, 100)
    with ThreadPoolExecutor(1) as fetchers:
        contents = Reader(ground.storage, Fetches(egress, fetchers, FetchBudget()), fetchers).read(
            [liar, honest], 1_000_000
        )
    assert isinstance(contents[0], ItemError)
    assert contents[0].code == "image_too_large"
    assert bytes(contents[1]) == b"x" * 100
