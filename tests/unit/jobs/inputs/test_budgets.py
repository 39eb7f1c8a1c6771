"""Strangers' names fit their budget and can be seen, whatever they were."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.inputs.budgets import LONGEST_ID, NAMELESS, fit_name, is_unseen, visible


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("a/b.png", "a/b.png"),
        ("a\nb", "a␊b"),
        ("a\x7fb", "a␡b"),
        ("photo\u202egpj.exe", "photo\\u202egpj.exe"),
        ("a\u200eb\ufeff", "a\\u200eb\\ufeff"),
        ("half \ud83d", "half \\ud83d"),
        # Blanks and joiners of other languages, and signs that are newer than this Python, stay.
        ("写真\u3000一.png", "写真\u3000一.png"),
        ("می\u200cخواهم.png", "می\u200cخواهم.png"),
        ("👨\u200d👩\u200d👧.png", "👨\u200d👩\u200d👧.png"),
        ("\U0003fffd", "\U0003fffd"),
    ],
)
def test_what_cannot_be_seen_is_written_out_and_all_else_stays(name, seen):
    assert visible(name) == fit_name(name) == seen


@pytest.mark.parametrize("name", ["", " ", "\u3000"])
def test_a_name_of_nothing_says_so(name):
    assert fit_name(name).startswith(NAMELESS)


def test_a_long_name_keeps_both_its_ends_and_stays_another_than_its_neighbour():
    names = [f"{'x' * 1_000_000}{number}.png" for number in range(3)]
    fitted = [fit_name(name) for name in names]
    assert len(set(fitted)) == 3
    assert [name[-5:] for name in fitted] == ["0.png", "1.png", "2.png"]
    assert {len(name) for name in fitted} == {LONGEST_ID}
    assert fit_name("y" * LONGEST_ID) == "y" * LONGEST_ID


@given(st.text(st.characters(codec=None), max_size=2000))
def test_whatever_a_name_was_it_fits_is_seen_and_can_be_stored(name):
    fitted = fit_name(name)
    assert 1 <= len(fitted) <= LONGEST_ID
    assert fitted.strip()
    assert not any(map(is_unseen, fitted))
    assert fit_name(fitted) == fitted
    fitted.encode()
