"""API keys: what is mistyped is told without a look at the database; what is signed by them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.errors import Unauthenticated
from jobs.tenants.derived_keys import derive, key_that_signed, signature
from jobs.tenants.keys import StoredKey, _checksum, _parse

SECRET = "s" * 32
KEY = f"pm_live_abc123_{SECRET}{_checksum('abc123' + SECRET)}"


def test_a_key_is_its_id_and_its_secret():
    assert _parse(KEY) == ("abc123", SECRET)


@pytest.mark.parametrize("position", range(len(KEY)))
def test_any_one_character_that_is_changed_shows(position):
    letter = "A" if KEY[position] != "A" else "B"
    with pytest.raises(Unauthenticated, match="pm_live_<key id>_<secret>"):
        _parse(KEY[:position] + letter + KEY[position + 1 :])


@pytest.mark.parametrize("key", ["", "pm_live_", KEY[:-1], KEY + "0", KEY[8:], f" {KEY}", "é" * 50])
def test_what_is_cut_short_or_too_long_shows(key):
    with pytest.raises(Unauthenticated):
        _parse(key)


@pytest.mark.parametrize("key_id", ["", "\0", "a b", "../x", "a'b"])
def test_a_key_id_that_no_key_ever_had_is_refused_although_its_checksum_is_right(key_id):
    with pytest.raises(Unauthenticated):
        _parse(f"pm_live_{key_id}_{SECRET}{_checksum(key_id + SECRET)}")


@given(st.text())
def test_no_text_makes_anything_else_than_unauthenticated_of_it(text):
    for key in (text, f"pm_live_{text}", f"pm_live_a_{text}"):
        with pytest.raises(Unauthenticated):
            _parse(key)


def test_the_newest_key_of_an_operator_signs_and_each_verifies() -> None:
    row = StoredKey("key", "tenant", False, "0" * 64, None)
    old, turned = derive(row, "share", ("old",)), derive(row, "share", ("new", "old"))
    given = signature(old[0], "text")
    assert key_that_signed(turned, "text", given) == old[0]
    assert key_that_signed(derive(row, "share", ("new",)), "text", given) is None
    # Before keys could be turned, all that was set was the key.
    (both,) = derive(row, "share", ("new,old",))
    assert key_that_signed(turned, "text", signature(both, "text")) == both
