from pathlib import Path

import pytest

from tests.mutations.mutation import DoesNotApply, Mutation
from tests.mutations.report import read, report
from tests.mutations.results import Result, Verdict
from tests.mutations.running import ROOT, failing_without, run
from tests.mutations.table import MUTATIONS
from tests.mutations.warm import preload

TEST = "test_room.py::test_there_is_room_for_three"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree of one module and its test."""
    preload(())
    folder = tmp_path_factory.mktemp("tree")
    (folder / "room.py").write_text("MOST = 3\n")
    test = "from room import MOST\n\ndef test_there_is_room_for_three():\n    assert MOST == 3\n"
    (folder / "test_room.py").write_text(test)
    return folder


def of_room(becomes: str, was: str = "MOST = 3") -> Mutation:
    return Mutation("room.py", was, becomes, red=(TEST,), why="No room.")


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda each: f"{each.file}:{each.was[:30]}")
def test_every_mutation_fits_the_code_of_today_and_names_tests_that_are_there(
    mutation: Mutation,
) -> None:
    compile(mutation.applied_to(ROOT), mutation.file, "exec")
    for test in mutation.red:
        file, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text()


def test_no_mutation_stands_there_twice() -> None:
    rows = report(dict.fromkeys(MUTATIONS)).splitlines()
    changes = {tuple(row.split(" | ")[:2]) for row in rows if row.endswith("| *not run* |  |")}
    assert len(changes) == len(MUTATIONS)


def test_a_mutation_whose_text_is_gone_says_so() -> None:
    with pytest.raises(DoesNotApply, match="has 0 times the text 'no such text'"):
        Mutation("jobs/leases/leased.py", "no such text", "", red=(), why="").applied_to(ROOT)


@pytest.mark.parametrize(
    ("mutation", "verdict", "detail"),
    [
        (of_room("MOST = 2"), Verdict.RED, TEST),
        (of_room("MOST = 3.0"), Verdict.SURVIVED, "no test noticed"),
        (of_room("MOST = nothing"), Verdict.UNCLEAR, "pytest ended with 4"),
        (of_room("", was="LEAST"), Verdict.NOT_FOUND, "has 0 times"),
    ],
    ids=lambda each: each.becomes if isinstance(each, Mutation) else "",
)
def test_a_mutation_is_planted_tried_and_taken_out_again(
    tree: Path, mutation: Mutation, verdict: Verdict, detail: str
) -> None:
    result = run(tree, mutation)
    assert result.verdict is verdict
    assert detail in result.detail
    assert (tree / "room.py").read_text() == "MOST = 3\n"


def test_tests_that_are_red_anyway_are_found_first(tree: Path) -> None:
    assert failing_without(tree, [of_room("MOST = 2")]) == ""
    there_is_none = Mutation("room.py", "3", "2", red=(f"{TEST}_and_four",), why="")
    assert "and_four" in failing_without(tree, [there_is_none])


def test_the_page_says_how_each_ended_and_a_run_goes_on_from_it() -> None:
    day = "2026-11-30"
    tried = {
        of_room("MOST = 2"): Result(Verdict.RED, "tests/unit/" + TEST, day),
        of_room("MOST = 4"): Result(Verdict.RED, f"tests/unit/{TEST} (no end after 300 s)", day),
        of_room("MOST = 3 | 0"): Result(Verdict.SURVIVED, "", day),
        of_room("MOST = 9"): None,
    }
    page = report(tried)
    assert "Of 4: 2 red, 1 survived, 1 not run." in page
    assert "| `room.py` | `MOST = 3` → `MOST = 2` | No room. | `tests/unit/test_room.py`" in page
    assert read(page, tried) == tried
    assert read(page, [of_room("MOST = 1")]) == {of_room("MOST = 1"): None}
