"""Shards of a job, and what tells a repeated request from a changed one."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.errors import InvalidRequest
from jobs.intake.submission import fingerprint
from jobs.kinds.cutting import cut_shards
from jobs.results.rows import Cursor, parse_cursor


def covered(shards, total):
    position = 0
    for shard in shards:
        assert shard["first"] == position
        assert shard["count"] >= 1
        position += shard["count"]
    assert position == total


@given(st.integers(1, 200_000), st.integers(1, 10_000))
def test_shards_cover_every_item_exactly_once_in_order(total, preferred):
    covered(cut_shards("job_1", total, preferred), total)


@pytest.mark.parametrize("total", [50_001, 99_999, 1_000_000, 10_000_000])
@pytest.mark.parametrize("preferred", [1, 8, 128, 6000])
def test_a_large_job_has_at_most_one_shard_for_200_items(total, preferred):
    shards = cut_shards("job_1", total, preferred)
    assert len(shards) <= total / 200
    covered(shards, total)


@given(st.integers(1, 50_000), st.integers(1, 10_000))
def test_a_small_job_has_no_shard_above_what_its_model_prefers(total, preferred):
    assert max(shard["count"] for shard in cut_shards("job_1", total, preferred)) <= preferred


def test_a_middling_job_is_shared_by_several_workers():
    assert 4 <= len(cut_shards("job_1", 1000, 6000)) <= 16
    assert len(cut_shards("job_1", 10, 6000)) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(JSON)
def test_a_fingerprint_is_64_hexadecimal_characters_whatever_is_asked(value):
    assert len(fingerprint(value)) == 64
    assert fingerprint(value) == fingerprint(value)


def test_the_order_of_members_does_not_change_a_fingerprint():
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (([1], [2]), ([2], [1])),
        (("a", "b"), ("ab",)),
        (({"a": 1},), ({"a": "1"},)),
        (({"a": None},), ({},)),
        ((["a", "b"],), (["b", "a"],)),
    ],
)
def test_another_request_has_another_fingerprint(one, other):
    assert fingerprint(*one) != fingerprint(*other)


@given(st.integers(0, 10**9), st.integers(0, 10**8))
def test_a_cursor_can_be_read_back(commit, row):
    assert parse_cursor(str(Cursor(commit, row))) == Cursor(commit, row)


@given(st.text())
def test_no_other_text_is_a_cursor(text):
    for attempt in (text, f"{text}.0", f"0.{text}"):
        with contextlib.suppress(InvalidRequest):
            assert parse_cursor(attempt).row >= 0
