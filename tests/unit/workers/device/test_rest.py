"""Memory is given back when a process has had nothing to do for a while, and not before."""

from workers.engine.holding.rest import Rest


def given_back(*looks: bool) -> int:
    times: list[None] = []
    rest = Rest(lambda: times.append(None))
    for has_work in looks:
        rest.note(has_work=has_work)
    return len(times)


def test_one_look_that_finds_nothing_is_no_rest():
    assert given_back(False) == 0
    assert given_back(False, True, False, True, False) == 0


def test_memory_is_given_back_once_for_each_time_of_rest():
    assert given_back(False, False) == 1
    assert given_back(False, False, False, False) == 1
    assert given_back(False, False, True, False, False) == 2
