"""A job completes, each item exactly once, whatever is killed on the way."""

import random
from collections import Counter
from pathlib import Path

import pytest

from jobs.base.database import Database
from jobs.tables import Job as JobRow
from models.pictures.data import heldout_digits
from pixelmill import Client, Job
from tests.e2e.conftest import many_digits_zip
from tests.e2e.stacks import RunningStack, results_of, running_stack, wait_for

ITEMS = 20_000


@pytest.fixture(scope="module")
def many_digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return many_digits_zip(tmp_path_factory.mktemp("many") / "digits.zip", ITEMS)


@pytest.fixture(scope="module")
def expected(stack: RunningStack, digits_folder: Path) -> list[str]:
    """What a quiet run gives each of the 360 digits."""
    with stack.client() as client:
        job = client.wait(client.submit(digits_folder, model="digits"), timeout=60)
        return [row["predictions"][0]["class"] for row in results_of(client, job.id)]


def in_the_middle(database_url: str, job: Job, share: float) -> None:
    """Wait until a share of the items is counted; asks the database, for the API may be dead."""
    database = Database(database_url)

    def completed() -> int:
        with database.read() as session:
            found: int = session.get_one(JobRow, job.id).completed
            return found if found >= share * ITEMS else 0

    assert wait_for(completed, 120, f"{share:.0%} of the job") < ITEMS, "over before any kill"
    database.close()


def check(client: Client, job: Job, expected: list[str]) -> None:
    """The oracle: nothing lost, unexpected, doubled or wrong, and the counts add up."""
    done = client.wait(job, timeout=180)
    assert (done.status, done.outcome) == ("completed", "succeeded")
    rows = results_of(client, job.id)
    seen = Counter(row["index"] for row in rows)
    assert set(range(ITEMS)) - set(seen) == set(), "lost"
    assert set(seen) - set(range(ITEMS)) == set(), "unexpected"
    assert [index for index, times in seen.items() if times > 1] == [], "doubled"
    answers = [row["predictions"][0]["class"] for row in rows]
    assert answers == [expected[index % len(expected)] for index in range(ITEMS)], "wrong"
    assert done.request_counts.completed == done.request_counts.total == ITEMS


# The others of these tests run their stacks on SQLite.
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_killing_worker_api_and_redis_in_the_middle_of_a_job_loses_and_doubles_nothing(
    tmp_path: Path, many_digits: Path, expected: list[str], database_url: str
) -> None:
    assert len(expected) == len(heldout_digits()[1])
    environ = {"PIXELMILL_DATABASE_URL": database_url}
    with running_stack(tmp_path / "data", **environ) as stack, stack.client() as client:
        job = client.submit(many_digits, model="digits")
        for share, role in ((0.1, "worker-0"), (0.3, "api"), (0.5, "redis")):
            in_the_middle(database_url, job, share)
            stack.kill(role)
        check(client, job, expected)
        started_again = [line for line in stack.log().splitlines() if "starting again" in line]
        assert {line.split("| ")[1].split()[0] for line in started_again} == {"api", "redis"}


@pytest.mark.deep
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_kills_of_any_role_lose_and_double_nothing(
    tmp_path: Path, many_digits: Path, expected: list[str], seed: int
) -> None:
    print(f"\nseed {seed}")
    choose = random.Random(seed)
    data = tmp_path / "data"
    with running_stack(data, "--workers", "2") as stack, stack.client() as client:
        job = client.submit(many_digits, model="digits")
        for share in (0.05, 0.25, 0.45, 0.65):
            in_the_middle(f"sqlite:///{data / 'pixelmill.db'}", job, share)
            stack.kill(choose.choice(sorted(stack.pids)))
        check(client, job, expected)
