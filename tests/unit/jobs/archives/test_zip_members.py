"""One member of a zip: right, wrong in one bit, cut, lying, or larger than it says."""

import io
import random
import struct
from collections import deque
from itertools import islice

import pytest

from jobs.archives import (
    Limits,
    extract,
    extract_stream,
    walk_zip,
)
from tests.unit.jobs.archives.builders import (
    LIMITS,
    MIB,
    Raw,
    Unseekable,
    content,
    deflated,
    peak_of,
    raw_zip,
    refusal,
    walked,
    zipped,
)


@pytest.mark.parametrize("method", [0, 8])
@pytest.mark.parametrize("streamed", [False, True])
def test_one_wrong_bit_in_a_member_is_found(method, streamed):
    pixels = random.Random(1).randbytes(500)
    archive = bytearray(zipped({"a": pixels}, method, Unseekable() if streamed else None))
    (member,) = walked(walk_zip, bytes(archive))
    assert content(archive, member) == pixels
    archive[member.offset + 200] ^= 1
    refusal("corrupt_archive", content, archive, member)


def test_a_descriptor_without_its_signature_is_read():
    archive = zipped({"a": b"pixels"}, 0, Unseekable())
    (member,) = walked(walk_zip, archive)
    head, tail = archive[: member.length - 16], archive[member.length - 12 : member.length]
    assert extract(head + tail, "zip", MIB, 6) == b"pixels"
    refusal("corrupt_archive", extract, head + bytes(12), "zip", MIB, 6)
    assert "descriptor" in refusal("corrupt_archive", extract, head, "zip", MIB, 6)


@pytest.mark.parametrize("method", [0, 8])
@pytest.mark.parametrize("size", [5, 7, 10**6])
def test_a_member_that_lies_about_its_size_is_refused(method, size):
    packed = deflated(b"pixels") if method else b"pixels"
    archive = raw_zip([Raw(packed=packed, size=size, method=method)])
    (member,) = walked(walk_zip, archive)
    message = refusal("corrupt_archive", content, archive, member)
    assert ("more than the 5 bytes" in message) == (method == 8 and size == 5)


def test_a_member_cut_anywhere_is_refused():
    for method in (0, 8):
        archive = zipped({"a": b"some pixels" * 9}, method)
        (member,) = walked(walk_zip, archive)
        for cut in range(member.length):
            refusal("corrupt_archive", extract, archive[:cut], "zip", MIB, member.size)


@pytest.mark.parametrize("method", [0, 8])
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("step", [1, 7, 1000])
def test_a_member_that_is_read_in_parts_is_the_same_wherever_they_are_cut(method, streamed, step):
    pixels = random.Random(1).randbytes(500) + bytes(3000)
    archive = zipped({"a": pixels}, method, Unseekable() if streamed else None)
    (member,) = walked(walk_zip, archive)
    read = archive[member.offset : member.offset + member.length]
    parts = [read[start : start + step] for start in range(0, len(read), step)]
    assert b"".join(extract_stream(parts, member.size)) == pixels
    for cut in range(0, len(parts), max(1, len(parts) // 40)):
        short = [part for number, part in enumerate(parts) if number < cut]
        refusal("corrupt_archive", lambda: list(extract_stream(short, member.size)))  # noqa: B023


def test_a_large_member_is_inflated_in_bounded_memory():
    archive = zipped({"a": bytes(64 * MIB)}, 8)
    (member,) = walked(walk_zip, archive, Limits(max_ratio=2000))

    def longest():
        parts = extract_stream([archive[member.offset :]], member.size)
        return max(len(part) for part in parts)

    assert longest() <= MIB


def test_a_raw_member_is_what_was_read_and_nothing_less():
    assert extract(memoryview(b"pixels"), "raw", MIB, 6) == b"pixels"
    assert "5 bytes were read" in refusal("corrupt_archive", extract, b"pixel", "raw", MIB, 6)
    refusal("archive_too_large", extract, b"pixels", "raw", 5, 6)


def test_a_local_header_that_differs_from_the_directory_gets_no_further():
    header = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 1, 8, 0, 0, 0, 0, 0, 0, 0)
    refusal("unsupported_archive", extract, header, "zip", MIB, 0)
    # Stored, and of nothing: its checksum is right.
    header = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 1, 0, 0, 0, 0, 0, 0, 0, 0)
    refusal("unsupported_archive", extract, header, "zip", MIB, 0)
    header = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 8, 0, 0, 0, 0, 0, 0, 0, 0)
    assert "descriptor" in refusal("corrupt_archive", extract, header, "zip", MIB, 0)
    header = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 98, 0, 0, 0, 0, 0, 0, 0)
    assert "method 98" in refusal("unsupported_archive", extract, header, "zip", MIB, 0)
    header = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 0, 0, 0, 0, 0, 0, 60_000, 0)
    assert "header ends" in refusal("corrupt_archive", extract, header, "zip", MIB, 0)
    refusal("corrupt_archive", extract, bytes(99), "zip", MIB, 0)


def test_a_member_that_inflates_past_its_size_takes_no_memory():
    bomb = deflated(bytes(64 * MIB))
    archive = raw_zip([Raw(packed=bomb, size=1000, method=8)])
    (member,) = walked(walk_zip, archive)
    assert peak_of(refusal, "corrupt_archive", content, archive, member) < MIB


def test_two_hundred_thousand_members_are_walked_in_little_memory():
    # Old writers let the count wrap at 65,536. Two phases, for tracing all of both takes long.
    archive = raw_zip(
        [Raw(b"%06d.jpg" % index) for index in range(200_000)], count=200_000 % 65_536
    )
    walk = walk_zip(io.BytesIO(archive), LIMITS)
    judging = peak_of(next, walk)
    walking = peak_of(lambda: deque(islice(walk, 50_000), maxlen=0))
    assert judging < 16 * MIB
    assert walking < 4 * MIB
    assert sum(1 for _ in walk) == 149_999
