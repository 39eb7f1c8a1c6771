"""Names that come twice are told apart, and none is made equal to another."""

from hypothesis import given
from hypothesis import strategies as st

from jobs.inputs.budgets import LONGEST_ID
from jobs.inputs.repeats import Names, Numbering


def told_apart(names, at_once=3):
    seen = Names()
    for name in names:
        seen.add(name)
    numbering = Numbering(seen)
    given_names = []
    for start in range(0, len(names), at_once):
        given_names += numbering.name_all(names[start : start + at_once])
    return given_names


def test_the_first_keeps_its_name_and_others_are_numbered():
    names = ["a.png", "b.png", "a.png", "c.png", "a.png"]
    assert told_apart(names) == ["a.png", "b.png", "a.png (2)", "c.png", "a.png (3)"]


def test_a_number_never_takes_the_name_of_another_file():
    # Not even that of one which comes later.
    names = ["a", "a", "a (2)", "a", "a (2)"]
    assert told_apart(names) == ["a", "a (3)", "a (2)", "a (4)", "a (2) (2)"]


def test_names_that_do_not_repeat_need_no_numbering():
    seen = Names()
    for number in range(3000):
        seen.add(str(number))
    assert not Numbering(seen).is_needed


def test_long_names_stay_within_their_budget():
    names = ["x" * LONGEST_ID] * 3 + ["x" * (LONGEST_ID - 1) + "y"] * 3
    given_names = told_apart(names)
    assert len(set(given_names)) == 6
    assert max(map(len, given_names)) <= LONGEST_ID


@given(st.lists(st.sampled_from(["a", "a (2)", "a (3)", "a (2) (2)", "b", "b (2)"]), max_size=40))
def test_whatever_comes_no_two_have_one_name_and_the_first_of_each_keeps_its_own(names):
    given_names = told_apart(names)
    assert len(set(given_names)) == len(names)
    for name in set(names):
        assert given_names[names.index(name)] == name
