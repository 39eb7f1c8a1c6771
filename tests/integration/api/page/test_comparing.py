"""Two versions on one page: what changed side by side, and which of them the alias names."""

import pytest

from jobs.base.bootstrap import Ground
from jobs.intake.preparation import prepare_next
from jobs.tables import ModelVersion
from tests.integration.api.callers import Caller
from tests.integration.api.jobs.test_children import one, over
from tests.integration.api.page.visitors import Visitor
from tests.integration.jobs.builders import answer_all, second_version
from workers.errands.comparing import compare_next


@pytest.fixture
def rerun(caller: Caller, ground: Ground, digits_model: ModelVersion) -> str:
    """A rerun on a second version, of which one item of three is another class."""
    second_version(ground, digits_model, description="other")
    parent = over(ground, caller)
    child = caller.post(f"/v1/jobs/{parent['id']}/rerun", json={"model": "digits@2"}).json["id"]
    prepare_next(ground)
    answer_all(ground, lambda index: one("7" if index == 1 else str(index)))
    assert compare_next(ground)
    return child


def test_changed_items_stand_side_by_side_beside_a_table_of_classes(
    visitor: Visitor, rerun: str
) -> None:
    text = visitor.get(f"/jobs/{rerun}/comparison").text
    assert text.count(f"/jobs/{rerun}/items/1/picture") == 2
    assert "/items/0/picture" not in text
    assert "Before ↓ after →" in text
    table = visitor.get(f"/jobs/{rerun}/comparison?view=table").text
    assert "/items/1/picture" not in table
    assert "item-1" in table


def test_the_version_that_did_better_is_promoted_and_rolled_back_where_they_are_compared(
    visitor: Visitor, visiting_operator: Visitor, caller: Caller, rerun: str
) -> None:
    assert "Promote" not in visitor.get(f"/jobs/{rerun}/comparison").text, "it is an operator's"
    send = visiting_operator.send
    send("/models/digits/aliases", alias="production", version="1")
    moved = send("/models/digits/aliases", alias="production", version="2", compared=rerun)
    assert moved.location == f"/jobs/{rerun}/comparison?done=moved"
    assert caller.get("/v1/models/digits@production").json["version"] == 2
