import pytest

from tests.mutations.mutation import DoesNotApply, Mutation
from tests.mutations.running import ROOT
from tests.mutations.table import MUTATIONS


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda each: f"{each.file}:{each.was[:30]}")
def test_every_mutation_fits_the_code_of_today_and_names_tests_that_are_there(
    mutation: Mutation,
) -> None:
    compile(mutation.applied_to(ROOT), mutation.file, "exec")
    for test in mutation.red:
        file, _, name = test.partition("::")
        assert f"def {name}" in (ROOT / file).read_text()


def test_no_mutation_stands_there_twice() -> None:
    assert len({(each.file, each.was, each.becomes) for each in MUTATIONS}) == len(MUTATIONS)


def test_a_mutation_whose_text_is_gone_says_so() -> None:
    gone = Mutation("jobs/leases/leased.py", "no such text", "", red=(), why="")
    with pytest.raises(DoesNotApply, match="has 0 times the text 'no such text'"):
        gone.applied_to(ROOT)
