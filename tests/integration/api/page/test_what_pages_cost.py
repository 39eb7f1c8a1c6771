"""What a page costs the database: a number of statements that the number of jobs does not move."""

import pytest

from jobs.base.bootstrap import Ground
from tests.integration.api.callers import Caller
from tests.integration.api.jobs.test_jobs import finish
from tests.integration.api.page.visitors import Queries, Visitor

# Of one running job: its place, its pace, and what that is made of.
_OF_A_ROW = 6
_OF_A_PAGE = 15


def asked(ground: Ground, visitor: Visitor, path: str) -> int:
    queries = Queries(ground)
    assert visitor.get(path).status_code == 200
    return queries.count


@pytest.mark.parametrize("path", ["/jobs", "/new", "/models", "/webhooks", "/keys"])
def test_jobs_that_are_over_cost_no_page_anything(
    visitor: Visitor, caller: Caller, ground: Ground, path: str
) -> None:
    caller.submit()
    finish(ground)
    few = asked(ground, visitor, path)
    for _ in range(20):
        caller.submit()
    finish(ground)
    assert asked(ground, visitor, path) == few <= _OF_A_PAGE


def test_who_works_costs_the_same_however_many_jobs_wait(
    visitor: Visitor, caller: Caller, ground: Ground
) -> None:
    # What is known of the database itself is looked up table by table, and kept for some seconds.
    few = asked(ground, visitor, "/workers")
    for _ in range(20):
        caller.submit()
    assert asked(ground, visitor, "/workers") <= few


def test_a_running_job_costs_its_row_a_few_statements(
    visitor: Visitor, caller: Caller, ground: Ground
) -> None:
    first = asked(ground, visitor, "/jobs")
    for _ in range(30):
        caller.submit()
    assert asked(ground, visitor, "/jobs") <= first + 25 * _OF_A_ROW


@pytest.mark.parametrize("part", ["", "/live", "/failures", "/results", "/items/0"])
def test_a_job_costs_the_same_among_many(
    visitor: Visitor, caller: Caller, ground: Ground, part: str
) -> None:
    job = caller.submit(3)["id"]
    finish(ground)
    alone = asked(ground, visitor, f"/jobs/{job}{part}")
    for _ in range(20):
        caller.submit()
    assert asked(ground, visitor, f"/jobs/{job}{part}") == alone <= _OF_A_PAGE
