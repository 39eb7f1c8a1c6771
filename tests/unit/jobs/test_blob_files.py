"""Blobs as files: every byte where it belongs, and few requests for many small reads."""

import io
import os
import random
import tarfile
import zipfile
from pathlib import Path

import pytest

from jobs.base.storage import BlobMissing, Storage

MIB = 1024 * 1024


class Counting(Storage):
    """A store that counts what is asked of it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder.as_uri())
        self.requests, self.fetched = 0, 0

    def ranges(self, name, starts, lengths):
        self.requests += 1
        self.fetched += sum(lengths)
        return super().ranges(name, starts, lengths)


@pytest.fixture
def store(tmp_path: Path) -> Counting:
    return Counting(tmp_path)


def kept(store: Counting, content: bytes) -> Counting:
    store.put("inputs/a", [content])
    return store


@pytest.mark.parametrize("size", [0, 1, MIB, 3 * MIB + 7])
def test_reads_at_any_place_give_the_blobs_bytes(store: Counting, size: int) -> None:
    content = random.Random(0).randbytes(size)
    kept(store, content)
    chance = random.Random(1)
    with store.open("inputs/a") as file:
        for _ in range(300):
            place = chance.randrange(size + 10)
            count = chance.choice([0, 1, 500, 70_000, MIB, -1])
            assert file.seek(place) == file.tell() == place
            wanted = content[place:] if count < 0 else content[place : place + count]
            assert file.read(count) == wanted
            assert file.tell() == place + len(wanted)
        assert file.seek(-min(size, 5), os.SEEK_END) == size - min(size, 5)
        assert file.read() == content[size - min(size, 5) :]


def test_nothing_lies_before_the_beginning(store: Counting) -> None:
    with kept(store, b"abc").open("inputs/a") as file, pytest.raises(ValueError, match="before"):
        file.seek(-4, os.SEEK_END)


def test_a_small_blob_is_one_request(store: Counting) -> None:
    with kept(store, bytes(200_000)).open("inputs/a") as file:
        while file.read(1000):
            pass
        file.seek(0)
        file.read()
    assert store.requests == 1


def test_a_blob_that_is_not_there_is_missing_as_soon_as_it_is_opened(store: Counting) -> None:
    with pytest.raises(BlobMissing):
        store.open("inputs/b")


def packed(count: int, size: int, kind: str) -> bytes:
    made = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(made, "w") as archive:
            for number in range(count):
                archive.writestr(f"{number:06d}.png", random.Random(number).randbytes(size))
        return made.getvalue()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for number in range(count):
            info = tarfile.TarInfo(f"{number:06d}.png")
            info.size = size
            archive.addfile(info, io.BytesIO(random.Random(number).randbytes(size)))
    return made.getvalue()


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_the_headers_of_many_small_files_are_a_few_requests(store: Counting, kind: str) -> None:
    kept(store, packed(3000, 5000, kind))
    with store.open("inputs/a") as file:
        if kind == "tar":
            with tarfile.open(fileobj=file) as archive:
                assert len(archive.getnames()) == 3000
        else:
            with zipfile.ZipFile(file) as archive:
                for info in archive.infolist():
                    with archive.open(info) as member:
                        assert len(member.read()) == 5000
    assert store.requests <= 12


def test_headers_of_large_files_fetch_little_of_what_they_skip(store: Counting) -> None:
    content = packed(12, 2 * MIB, "tar")
    kept(store, content)
    with store.open("inputs/a") as file, tarfile.open(fileobj=file) as archive:
        assert len(archive.getnames()) == 12
    assert store.fetched < len(content) / 8
