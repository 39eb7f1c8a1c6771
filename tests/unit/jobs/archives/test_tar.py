"""What is found in a tar, and what is refused."""

import io
import tarfile
from collections import deque
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.archives import (
    walk_tar,
)
from tests.unit.jobs.archives.builders import (
    END,
    FILES,
    LIMITS,
    MIB,
    contents,
    extended,
    names,
    peak_of,
    refusal,
    resealed,
    skipped,
    special,
    tarred,
    walked,
)

TAR_FORMATS = [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]


@settings(max_examples=100, deadline=None)
@given(FILES, st.sampled_from(TAR_FORMATS), st.sampled_from(["", "long/" * 40]))
def test_every_tar_that_tarfile_writes_is_read_back(files, tar_format, folder):
    files = {folder + name: data for name, data in files.items()}
    archive = tarred(files, tar_format)
    assert contents(walk_tar, archive) == files
    assert names(walk_tar, archive) == list(files)


def test_a_ustar_name_in_two_parts_is_joined():
    name = "folder/" * 20 + "a.jpg"
    assert names(walk_tar, tarred({name: b"1"}, tarfile.USTAR_FORMAT)) == [name]


def test_the_times_that_gnu_tar_keeps_in_place_of_a_prefix_are_no_name():
    header = bytearray(tarfile.TarInfo("a.jpg").tobuf(tarfile.GNU_FORMAT))
    header[345:357] = b"14712345670\0"
    assert names(walk_tar, resealed(header) + bytes(512)) == ["a.jpg"]


def test_links_and_devices_in_a_tar_are_told_and_folders_are_not():
    others = b"".join(special(kind, "is-" + kind.decode()) for kind in map(bytes, zip(b"123456V")))
    archive = others + special(b"0", "folder/") + tarred({"a": b"1"})
    assert contents(walk_tar, archive) == {"a": b"1"}
    links = [("is-1", "symlink"), ("is-2", "symlink")]
    devices = [(f"is-{kind}", "device") for kind in "346V"]
    assert skipped(walk_tar, archive) == links + devices


@pytest.mark.parametrize("kind", [b"1", b"2", b"3", b"4", b"5", b"6"])
def test_a_link_with_the_size_of_its_target_has_no_data_behind_it(kind):
    assert names(walk_tar, special(kind, size=9999) + tarred({"a": b"1"})) == ["a"]


@pytest.mark.parametrize("tar_format", TAR_FORMATS)
def test_a_tar_member_of_nine_gigabytes_is_stepped_over(tmp_path: Path, tar_format):
    info, size = tarfile.TarInfo("video.mp4"), 9 * 1024 * MIB
    info.size = size
    path = tmp_path / "big.tar"
    with path.open("wb") as file:
        file.write(info.tobuf(tar_format))
        file.truncate(file.tell() + size)
        file.seek(0, 2)
        file.write(tarred({"a": b"1"}))
    with path.open("rb") as file:
        assert [member.size for member in walk_tar(file, LIMITS)] == [size, 1]


def test_a_tar_name_that_is_not_utf_8_is_kept_apart():
    latin = [tarfile.TarInfo(name).tobuf(tarfile.GNU_FORMAT, "latin-1") for name in ("é", "è")]
    assert names(walk_tar, b"".join(latin) + bytes(1024)) == ["é", "è"]


def test_a_tar_cut_anywhere_is_refused():
    files = {"a": b"1" * 700, "long/" * 30: b"", "b" * 200: b"2"}
    for tar_format in TAR_FORMATS:
        archive = tarred(files, tar_format)
        end_mark = len(archive.rstrip(b"\0")) // 512 * 512 + 512
        for cut in range(0, end_mark + 512, 32):
            refusal("corrupt_archive", walked, walk_tar, archive[:cut])
        assert len(walked(walk_tar, archive[: end_mark + 512])) == 2


class Shrunk(io.BytesIO):
    """A file that has lost its end since its size was asked."""

    def seek(self, offset, whence=0):
        return super().seek(offset, whence) + 2048 * (whence == 2)


def test_a_file_that_shrinks_meanwhile_is_refused():
    archive = tarred({"a": b"1"})[:1024]
    walk = walk_tar(Shrunk(archive), LIMITS)
    assert "could not be read" in refusal("corrupt_archive", next, walk)


def test_a_broken_header_in_the_middle_is_no_end():
    archive = bytearray(tarred({"a": b"1", "b": b"2"}, tarfile.GNU_FORMAT))
    archive[1024] ^= 1
    assert "at byte 1,024" in refusal("corrupt_archive", walked, walk_tar, bytes(archive))


@pytest.mark.parametrize(
    "payload",
    [b"nonsense", b"99 path=a\n", b"0 path=a\n", b"-9 path=a\n", b"9 pathxa\n\n", b"10 size=x\n",
     b"12 size=-10\n", b"5011 size=%s\n" % (b"9" * 5000), b"9" * 5000 + b" path=a\n",
     b"11 path=a\n\n12"],
)  # fmt: skip
def test_a_broken_extended_header_is_refused(payload):
    archive = extended(b"x", payload) + tarred({"a": b"1"})
    assert "extended header at byte 0" in refusal("corrupt_archive", walked, walk_tar, archive)


def test_extended_headers_are_few_in_a_row_and_small():
    chain = extended(b"L", b"name\0") * 60 + extended(b"g", b"junk") + extended(b"K", b"link\0")
    assert contents(walk_tar, chain + tarred({"a": b"1"})) == {"name": b"1"}
    endless = extended(b"x", b"") * 300_000
    assert "in a row" in refusal("corrupt_archive", walked, walk_tar, endless)
    for kind in (b"L", b"K", b"x"):
        greedy = extended(kind, b"", size=65_537) + bytes(MIB)
        file = Watched(greedy)
        assert "claims" in refusal("corrupt_archive", list, walk_tar(file, LIMITS))
        assert file.most <= 512


class Watched(io.BytesIO):
    """Notes the most that was read at once."""

    most = 0

    def read(self, count=-1):
        self.most = max(self.most, count)
        return super().read(count)


def test_a_tar_size_that_is_no_size_is_refused():
    for bad in (b"-0000000001\0", b"99999999999\0", b"\xff" * 12, b"\x80" + b"\xff" * 11):
        header = bytearray(tarred({"a": b"1"}))
        header[124:136] = bad
        archive = resealed(header) + bytes(header[512:])
        refusal("corrupt_archive", walked, walk_tar, archive)


def test_a_tar_of_many_members_is_walked_in_little_memory():
    archive = io.BytesIO(b"".join(special(b"0", f"{i:05}.jpg") for i in range(20_000)) + END)
    walk = walk_tar(archive, LIMITS)
    assert peak_of(lambda: deque(islice(walk, 19_990), maxlen=0)) < 3 * MIB
    assert len(list(walk)) == 10
