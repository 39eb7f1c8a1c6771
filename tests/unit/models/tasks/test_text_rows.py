"""What is kept of texts that a network has read."""

import torch

from models.tasks.text_rows import TextRows


def test_a_set_is_one_object_for_all_who_ask():
    rows, made = TextRows(), torch.ones(2, 3)
    assert rows.find(("a", "b")) is None
    rows.keep(("a", "b"), made)
    assert rows.find(("a", "b")) is made
    assert rows.find(("b", "a")) is None


def test_the_least_recently_used_leave_first():
    rows = TextRows(most_rows=5)
    for name in ("a", "b"):
        rows.keep((name, "x"), torch.ones(2, 3))
    assert rows.find(("a", "x")) is not None
    rows.keep(("c", "x"), torch.ones(2, 3))
    assert [rows.find((name, "x")) is None for name in ("a", "b", "c")] == [False, True, False]


def test_a_set_larger_than_all_room_is_kept_alone():
    rows = TextRows(most_rows=5)
    rows.keep(("a",), torch.ones(1, 3))
    rows.keep(("b",), torch.ones(9, 3))
    assert rows.find(("a",)) is None
    assert rows.find(("b",)) is not None
