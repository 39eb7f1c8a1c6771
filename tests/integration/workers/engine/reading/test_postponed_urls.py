"""URLs whose servers answer 429 or 5xx now and then: asked again, and told when in vain."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from jobs.base.bootstrap import Ground
from jobs.base.states import JobStatus
from jobs.inputs.requests import Request
from jobs.queue.completion import cancel
from jobs.tables import Job, ModelVersion
from jobs.tenants.keys import NewKey
from tests.contract.egress.world import Server, World, answer
from tests.integration.api.callers import with_settings
from tests.integration.jobs.builders import claim_one, submit_items
from tests.integration.jobs.checks import check_job
from tests.integration.workers.fakes import FakeNetwork, answers_of, manifest_of, rows_of_job
from tests.integration.workers.films.fake_videos import PARAMS, FakeVideoNetwork
from tests.videos import film
from workers.egress import EgressError
from workers.engine.holding.keeper import Keeper
from workers.engine.shard import ShardRun
from workers.engine.stages import Stages

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ITEMS = 24
# A number that ends so is refused so often before it comes; None for ever.
REFUSALS: dict[str, tuple[str, int | None, tuple[str, ...]]] = {
    "3": ("429 Too Many Requests", 1, ("Retry-After: 1",)),
    "5": ("503 Service Unavailable", 2, ()),
    "7": ("500 Internal Server Error", None, ()),
    "9": ("404 Not Found", None, ()),
}


class Stranger:
    """A server that gives `/12` as 12, when it is in the mood; counts how often each was asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.refused = threading.Event()

    def __call__(self, server: Server, sock: object) -> None:
        path = server.last(sock).split()[1].decode().strip("/").removesuffix("?sig=x")
        with self._lock:
            self.asked[path] += 1
            asked = self.asked[path]
        status, times, extra = REFUSALS.get(path[-1], ("", 0, ()))
        if times is None or asked <= times:
            sock.sendall(answer(b"", status=status, extra=extra))  # type: ignore[attr-defined]
            self.refused.set()
        else:
            sock.sendall(answer(path.encode()))  # type: ignore[attr-defined]


@pytest.fixture
def stranger() -> Stranger:
    return Stranger()


@pytest.fixture
def house(ground: Ground) -> Ground:
    return with_settings(ground, url_retry_delays_s=(0.05, 0.1))


@pytest.fixture
def run_urls(
    house: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    new_stages: Callable[..., Stages],
    stranger: Stranger,
) -> Iterator[Callable[..., tuple[Job, ShardRun]]]:
    """Give what submits a job of URLs, and its shard's run."""
    with ExitStack() as stack:
        world = World(stack)
        server = world.server(stranger)

        def begin() -> tuple[Job, ShardRun]:
            urls = [f"http://127.0.0.1:{server.port}/{number}?sig=x" for number in range(ITEMS)]
            requests = tuple(Request(f"n{number}", url=url) for number, url in enumerate(urls))
            job = submit_items(house, tenant, digits_model, requests=requests)
            return job, ShardRun(new_stages(house, outside=world.egress()), claim_one(house))

        yield begin


def test_what_a_server_refuses_for_a_moment_is_asked_again(
    house: Ground, run_urls: Callable[..., tuple[Job, ShardRun]], stranger: Stranger
) -> None:
    job, run = run_urls()
    assert run.run(FakeNetwork(), manifest_of(house, run.lease))
    expected = [
        "url_fetch_failed" if str(number)[-1] in "79" else str(number) for number in range(ITEMS)
    ]
    assert answers_of(house, job) == expected
    assert (check_job(house, job.id).completed, check_job(house, job.id).failed) == (20, 4)
    tries = {"3": 2, "5": 3, "7": 3, "9": 1}
    assert stranger.asked == {str(number): tries.get(str(number)[-1], 1) for number in range(ITEMS)}


def test_who_was_asked_in_vain_is_told_with_the_number_of_tries(
    house: Ground, run_urls: Callable[..., tuple[Job, ShardRun]]
) -> None:
    job, run = run_urls()
    assert run.run(FakeNetwork(), manifest_of(house, run.lease))
    rows = rows_of_job(house, job)
    assert rows[7].error.message.endswith("It was asked 3 times.")
    assert rows[7].error.retryable
    assert "asked" not in rows[9].error.message
    assert not rows[9].error.retryable
    shown = [row.input_url.rpartition("/")[2] for row in rows]
    assert shown == [str(number) for number in range(ITEMS)], "each names its URL, unsigned"
    assert [row.input_sha256 is None for row in rows] == [row.error is not None for row in rows]


def test_a_server_that_asks_for_more_patience_is_left_alone(
    house: Ground,
    run_urls: Callable[..., tuple[Job, ShardRun]],
    stranger: Stranger,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(REFUSALS, "3", ("429 Too Many Requests", None, ("Retry-After: 3600",)))
    job, run = run_urls()
    assert run.run(FakeNetwork(), manifest_of(house, run.lease))
    row = rows_of_job(house, job)[3]
    assert row.error.message.endswith("It asks not to be called for 3600 s.")
    assert stranger.asked["3"] == 1


def test_a_job_that_is_cancelled_waits_for_no_further_try(
    house: Ground,
    tenant: NewKey,
    run_urls: Callable[..., tuple[Job, ShardRun]],
    stranger: Stranger,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(REFUSALS, "3", ("429 Too Many Requests", None, ("Retry-After: 25",)))
    job, run = run_urls()
    keeper = Keeper(house.database, "node-1", house.settings)
    keeper.hold(run)

    def cancel_when_refused() -> None:
        assert stranger.refused.wait(20)
        cancel(house.database, tenant.tenant_id, job.id)

    canceller = threading.Thread(target=cancel_when_refused)
    canceller.start()
    assert run.run(FakeNetwork(), manifest_of(house, run.lease))
    canceller.join()
    keeper.close()
    assert check_job(house, job.id).status is JobStatus.CANCELLED
    assert stranger.asked["3"] <= 1


def test_a_film_that_its_server_refuses_for_a_moment_is_asked_for_again_in_its_place(
    house: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    new_stages: Callable[..., Stages],
) -> None:
    asked: Counter[str] = Counter()

    class Outside:
        def stream(self, url: str, *_: object) -> Iterator[bytes]:
            name = url.rpartition("/")[2]
            asked[name] += 1
            if (name, asked[name]) in (("b", 1), ("c", 1), ("c", 2), ("c", 3)):
                raise EgressError("503", code="url_fetch_failed", retryable=True, status=503)
            yield film(20)

    requests = tuple(Request(name, url=f"https://example.com/{name}") for name in "abcd")
    job = submit_items(house, tenant, digits_model, requests=requests, params=PARAMS)
    run = ShardRun(new_stages(house, outside=Outside()), claim_one(house))
    assert run.run(FakeVideoNetwork(), manifest_of(house, run.lease))
    rows = rows_of_job(house, job)
    assert [(row.custom_id, row.error is None) for row in rows] == [
        ("a", True), ("b", True), ("c", False), ("d", True),
    ]  # fmt: skip
    assert rows[2].error.message.endswith("It was asked 3 times.")
    assert asked == {"a": 1, "b": 2, "c": 3, "d": 1}
