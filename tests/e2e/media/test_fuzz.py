"""A short pick of `make fuzz`: mutated files cost their own items, and leave nothing behind."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.stacks import RunningStack, running_stack
from tests.odd.fuzzing import Tally, fuzz_archives, fuzz_films, fuzz_pictures, settled, warm_up
from tests.odd.leftovers import Traces, traces

SEED = 15


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("fuzz")
    (made / "tmp").mkdir()
    return made


@pytest.fixture(scope="module")
def fuzzed(room: Path) -> Iterator[tuple[RunningStack, Traces]]:
    with running_stack(room / "stack", TMPDIR=str(room / "tmp")) as stack:
        warm_up(stack, room)
        yield stack, traces(stack, room / "tmp")


@pytest.mark.parametrize(
    ("run", "count"), [(fuzz_pictures, 300), (fuzz_films, 10), (fuzz_archives, 10)]
)
def test_mutated_files_give_one_row_each_and_leave_nothing(fuzzed, room, run, count) -> None:
    stack, before = fuzzed
    tally = Tally()
    run(stack, room, count, SEED, tally)
    assert not tally.faults
    assert sum(tally.outcomes.values()) >= count
    assert settled(stack, room / "tmp", before) == []
