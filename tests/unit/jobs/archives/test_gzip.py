"""A tar.gz is expanded as a stream, within limits."""

import gzip
import io
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.archives import (
    Limits,
    expand_gzip,
    walk_tar,
)
from tests.unit.jobs.archives.builders import (
    LIMITS,
    MIB,
    content,
    expanded,
    peak_of,
    refusal,
    tarred,
    walked,
)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=500), min_size=1, max_size=4), st.integers(0, 600))
def test_gzip_streams_in_a_row_with_padding_are_one_stream(parts, padding):
    stream = b"".join(gzip.compress(part) for part in parts) + bytes(padding)
    chunks = expanded(stream)
    assert b"".join(chunks) == b"".join(parts)
    assert b"" not in chunks


def test_a_tar_gz_becomes_the_tar_it_was_in_chunks_of_a_mebibyte_at_most():
    files = {"a": random.Random(2).randbytes(3 * MIB), "b": bytes(5 * MIB)}
    chunks = expanded(gzip.compress(tarred(files), 1))
    assert {len(chunk) <= MIB for chunk in chunks} == {True}
    archive = b"".join(chunks)
    found = {m.name: content(archive, m, 9 * MIB) for m in walked(walk_tar, archive)}
    assert found == files


def test_a_gzip_stream_cut_anywhere_is_refused():
    stream = gzip.compress(random.Random(3).randbytes(300))
    for cut in range(len(stream)):
        refusal("corrupt_archive", expanded, stream[:cut])
        refusal("corrupt_archive", expanded, stream + stream[: cut or 1])


def test_what_is_no_gzip_is_refused():
    for stream in (b"no gzip at all", gzip.compress(b"1") + b"tail"):
        refusal("corrupt_archive", expanded, stream)


def test_a_gzip_bomb_is_stopped_early_and_in_little_memory():
    one = gzip.compress(bytes(16 * MIB))
    file = io.BytesIO(one * 40)
    written = 0

    def expand():
        nonlocal written
        for chunk in expand_gzip(file, LIMITS):
            written += len(chunk)

    assert peak_of(refusal, "archive_too_large", expand) < 6 * MIB
    assert written <= 33 * MIB


def test_what_a_gzip_stream_expands_to_has_a_limit():
    stream = gzip.compress(random.Random(4).randbytes(1000))
    assert sum(map(len, expanded(stream, Limits(max_total_bytes=1000)))) == 1000
    refusal("archive_too_large", expanded, stream, Limits(max_total_bytes=999))
