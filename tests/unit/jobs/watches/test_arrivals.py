"""What is new in a folder: its listing beside what was seen of it."""

import random
from collections.abc import Iterable

from jobs.watches.arrivals import FORGOTTEN_AFTER_DAYS, Known, Listed, Rules, steps

WHOLE, GROWING = Rules(at_once=True, today=100), Rules(at_once=False, today=100)


def listed(name: str, etag: str = "1", size: int = 5) -> Listed:
    return Listed(f"s3://b/{name}", size, etag, name)


def after(
    known: Iterable[Known], objects: Iterable[Listed], rules: Rules = WHOLE
) -> tuple[list[Known], list[str]]:
    """Give what is remembered after a listing, and the names of what was new."""
    found = list(steps(iter(known), iter(objects), rules))
    remembered = [step.after for step in found if step.after is not None]
    return remembered, [step.arrival.name for step in found if step.arrival is not None]


def test_what_was_never_seen_is_new_once() -> None:
    known, new = after([], [listed("a"), listed("b")])
    assert new == ["a", "b"]
    assert after(known, [listed("a"), listed("b")]) == (known, [])


def test_what_comes_between_others_is_new_and_they_are_not() -> None:
    known, _ = after([], [listed("a"), listed("c")])
    assert after(known, [listed("a"), listed("b"), listed("c"), listed("d")])[1] == ["b", "d"]


def test_what_changed_is_new_again() -> None:
    known, _ = after([], [listed("a"), listed("b")])
    known, new = after(known, [listed("a", etag="2"), listed("b", size=6)])
    assert new == ["a", "b"]
    assert after(known, [listed("a", etag="2"), listed("b", size=6)])[1] == []


def test_a_file_that_grows_is_new_once_it_holds_still() -> None:
    known, new = after([], [listed("a", size=1)], GROWING)
    assert new == []
    known, new = after(known, [listed("a", size=2)], GROWING)
    assert new == []
    known, new = after(known, [listed("a", size=2)], GROWING)
    assert new == ["a"]
    assert after(known, [listed("a", size=2)], GROWING)[1] == []


def test_a_file_that_changes_after_it_was_taken_has_to_hold_still_again() -> None:
    known, _ = after([], [listed("a")], GROWING)
    known, _ = after(known, [listed("a")], GROWING)
    known, new = after(known, [listed("a", etag="2")], GROWING)
    assert new == []
    assert after(known, [listed("a", etag="2")], GROWING)[1] == ["a"]


def test_what_is_gone_for_a_while_is_not_new_when_it_is_back() -> None:
    known, _ = after([], [listed("a")])
    gone, _ = after(known, [])
    assert gone[0].gone_on == 100
    assert after(gone, [listed("a")], Rules(True, 100 + FORGOTTEN_AFTER_DAYS)) == (known, [])


def test_what_is_gone_for_long_is_forgotten() -> None:
    gone, _ = after(after([], [listed("a")])[0], [])
    assert after(gone, [], Rules(True, 100 + FORGOTTEN_AFTER_DAYS))[0] == gone
    assert after(gone, [], Rules(True, 101 + FORGOTTEN_AFTER_DAYS)) == ([], [])


def test_a_file_that_is_gone_before_it_was_taken_is_forgotten_at_once() -> None:
    known, _ = after([], [listed("a")], GROWING)
    assert after(known, [], GROWING) == ([], [])


def test_what_counts_as_seen_is_not_new_until_it_changes() -> None:
    for rules in (WHOLE, GROWING):
        known, new = after([], [listed("a")], rules._replace(takes=False))
        assert new == []
        assert after(known, [listed("a")], rules) == (known, [])
    assert after(known, [listed("a", etag="2"), listed("b")])[1] == ["a", "b"]


def test_whatever_comes_and_goes_is_new_exactly_when_it_was_not_there_in_that_state() -> None:
    draw = random.Random(5)
    known: list[Known] = []
    states: set[tuple[str, str]] = set()
    current: dict[str, str] = {}
    for _ in range(200):
        etags = {f"{n:02d}": str(draw.randrange(3)) for n in range(30) if draw.random() < 0.5}
        known, new = after(known, [listed(name, etag) for name, etag in sorted(etags.items())])
        expected = [name for name, etag in sorted(etags.items()) if current.get(name) != etag]
        assert new == expected
        current.update(etags)
        states.update(etags.items())
    assert len(states) == 90
