"""One tenant's bombs, and what the others notice of them: a real stack, two tenants."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from jobs.base.database import Database
from jobs.tenants.keys import create_key
from pixelmill import Client
from tests.bombs.bombing import Bomber, Held, PeakOfDecoders, held, seconds_of_small_jobs
from tests.e2e.stacks import RunningStack, running_stack, wait_for

# All is done once, in the fixture of the first test.
pytestmark = pytest.mark.timeout(600)

MIB = 2**20
SMALL_JOBS = 200
MEMORY = 2048 * MIB
# What a process may keep for what comes next; and how long it may take to give back the rest.
SLACK, SETTLED_S = 16 * MIB, 30
# On two cores a job waits for a turn of the processor behind what computes there already.
A_TURN_S = 0.1


@dataclass
class Seen:
    """All that was seen of a bombing."""

    bomber: Bomber
    quiet: list[float]
    beside: list[float]
    before: Held
    after: Held
    peak: int
    pids: tuple[dict[str, int], dict[str, int]]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, digits_folder: Path) -> Iterator[Seen]:
    room = tmp_path_factory.mktemp("bombs")
    environ = {"PIXELMILL_EGRESS_ALLOW": "127.0.0.0/8", "PIXELMILL_RATE_LIMIT": ""}
    with running_stack(room / "stack", **environ) as stack:
        picture = next(digits_folder.iterdir())
        other = key_of(stack, "other")
        with Client(stack.info["url"], other) as client, stack.client() as own:
            bomber = Bomber(stack.info["url"], stack.info["api_key"], room / "sent")
            for model in ("digits", "motion"):
                own.wait(own.submit(digits_folder, model=model), timeout=120)
            before, pids, peak = held(stack), stack.pids, PeakOfDecoders(stack)
            quiet = seconds_of_small_jobs(client, picture, SMALL_JOBS)
            with peak.looking(), bomber.at_work():
                beside = seconds_of_small_jobs(client, picture, SMALL_JOBS)
        after = settled(stack, before)
        yield Seen(bomber, quiet, beside, before, after, peak.bytes, (pids, stack.pids))


def settled(stack: RunningStack, before: Held) -> Held:
    """Wait until the processes hold no more than before; gives what they hold then."""
    with suppress(AssertionError):
        wait_for(lambda: not grown(before, held(stack)), SETTLED_S, "memory")
    return held(stack)


def grown(before: Held, after: Held) -> list[str]:
    """Say which processes hold more than a tenth, and SLACK, more than before."""
    pairs = [(role, size, after.workers.get(role, 0)) for role, size in before.workers.items()]
    pairs.append(("a decoder", before.decoder, after.decoder))
    return [
        f"{role}: {early / MIB:,.0f} MiB before, {late / MIB:,.0f} after"
        for role, early, late in pairs
        if late > 1.1 * early + SLACK
    ]


def key_of(stack: RunningStack, tenant: str) -> str:
    database = Database(f"sqlite:///{stack.data / 'pixelmill.db'}")
    try:
        return create_key(database, tenant).key
    finally:
        database.close()


def p95(seconds: list[float]) -> float:
    return sorted(seconds)[int(0.95 * len(seconds))]


def test_every_bomb_ends_with_an_answer_or_a_clear_error(seen: Seen) -> None:
    assert seen.bomber.bombing.rounds >= 1
    assert not seen.bomber.bombing.faults


def test_others_hardly_wait_longer(seen: Seen) -> None:
    print(f"p95 {p95(seen.quiet):.3f} s quiet, {p95(seen.beside):.3f} s beside bombs")
    print(f"most {max(seen.quiet):.3f} s quiet, {max(seen.beside):.3f} s beside bombs")
    assert p95(seen.beside) <= 2 * p95(seen.quiet) + A_TURN_S


def test_no_process_was_started_again(seen: Seen) -> None:
    before, after = seen.pids
    assert after == before


def test_decoders_keep_within_their_memory(seen: Seen) -> None:
    print(f"a decoder has held {seen.peak / MIB:,.0f} MiB at most")
    assert 0 < seen.peak <= seen.before.decoder + MEMORY


def test_memory_is_given_back(seen: Seen) -> None:
    print(seen.before, seen.after)
    assert not grown(seen.before, seen.after)
