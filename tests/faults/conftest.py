"""Faults at random moments: seeds, houses that tests share, and the table at the end.

`make faults` runs every fault with several seeds, by default new ones each time; a failing one is
run again with PIXELMILL_FAULT_SEED=<the printed number>. `make test` runs a short pick with one.
"""

import json
import os
import random
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.faults.rig.houses import House, open_house
from tests.receivers import Receiver, receiver_server
from tests.servers import create_database, postgresql_server

SEEDS = int(os.environ.get("PIXELMILL_FAULT_SEEDS", "0"))
# In the environment, so that parallel processes of one run agree on it.
BASE = int(
    os.environ.setdefault("PIXELMILL_FAULT_SEED", str(random.SystemRandom().randrange(10**6)))
)

REPORT = Path("build/faults.json")

Report = Callable[..., None]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "pick: a fault that `make test` runs too")


def pytest_report_header() -> str:
    return f"fault seeds: {BASE} to {BASE + max(SEEDS, 1) - 1}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", [BASE + number for number in range(max(SEEDS, 1))])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave only the pick when this is not `make faults`."""
    mine = [item for item in items if "tests/faults" in item.path.as_posix()]
    left = [item for item in mine if not SEEDS and item.get_closest_marker("pick") is None]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in left]


@pytest.fixture
def choose(seed: int) -> random.Random:
    """Where a test's random moments and victims come from."""
    return random.Random(seed)


@pytest.fixture(scope="session")
def receiver() -> Iterator[Receiver]:
    with receiver_server() as running:
        yield running


@pytest.fixture(scope="session")
def houses(receiver: Receiver) -> Iterator[Callable[[str], House]]:
    """Open a house on SQLite or PostgreSQL when it is first asked for; it lasts for the session."""
    with ExitStack() as opened:
        found: dict[str, House] = {}

        def house_on(kind: str) -> House:
            if kind not in found:
                url = None
                if kind == "postgresql":
                    admin = opened.enter_context(postgresql_server())
                    url = create_database(admin, "pixelmill")
                found[kind] = opened.enter_context(open_house(receiver, url))
            return found[kind]

        yield house_on


@pytest.fixture
def house(houses: Callable[[str], House], seed: int) -> House:
    """A house that this test leaves usable: on SQLite and PostgreSQL by turns of the seeds."""
    return houses(("sqlite", "postgresql")[seed % 2])


@pytest.fixture
def report(record_property: Callable[[str, object], None]) -> Report:
    """Note what a run was: the fault, its items, and the seconds until work went on."""

    def note(fault: str, items: int, recovery_s: float | None = None) -> None:
        record_property("fault", {"fault": fault, "items": items, "recovery_s": recovery_s})

    return note


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table of docs/reliability.md."""
    runs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for passed in terminalreporter.stats.get("passed", []):
        for name, noted in passed.user_properties:
            if name == "fault":
                runs[noted["fault"]].append(noted)
    if not runs or not SEEDS:
        return
    rows = [_row(fault, noted) for fault, noted in runs.items()]
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps({"seed": BASE, "rows": rows}, indent=2))
    terminalreporter.write_sep("=", "faults, from the runs that passed")
    terminalreporter.write_line(
        "| fault | runs | items | lost | doubled | wrong | work goes on after |"
    )
    terminalreporter.write_line("|---|---|---|---|---|---|---|")
    for row in rows:
        terminalreporter.write_line(
            f"| {row['fault']} | {row['runs']} | {row['items']:,} | 0 | 0 | 0 | {row['recovery']} |"
        )


def _row(fault: str, noted: list[dict[str, Any]]) -> dict[str, Any]:
    seconds = [each["recovery_s"] for each in noted if each["recovery_s"] is not None]
    middle = f"{statistics.median(seconds):.1f} s (at most {max(seconds):.1f})" if seconds else "-"
    items = sum(each["items"] for each in noted)
    return {"fault": fault, "runs": len(noted), "items": items, "recovery": middle}
