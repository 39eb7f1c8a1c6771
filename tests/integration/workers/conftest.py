"""An engine that is taken down again, and the stages of one shard with networks made by hand."""

import dataclasses
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch

from jobs.base.bootstrap import Ground
from jobs.base.settings import load_settings
from jobs.base.storage import Storage
from tests.integration.workers.fakes import PLAIN_BYTES
from workers.egress import Egress, EgressPolicy
from workers.engine.decoding.threads import DecodeThreads
from workers.engine.device.batcher import Batcher
from workers.engine.engine import Engine
from workers.engine.holding.flight import FlightRecord
from workers.engine.reading.budget import FetchBudget
from workers.engine.reading.fetching import FETCHES, MOST_ASIDE, Fetches
from workers.engine.reading.reader import Reader
from workers.engine.stages import Stages
from workers.process import Process
from workers.walls.films import FilmDecoders
from workers.walls.pictures import PictureDecoders
from workers.walls.processes import ForkServer


@pytest.fixture(scope="session", autouse=True)
def one_torch_thread() -> Iterator[None]:
    """Keep sums in one order, and cores free for the other tests."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def egress() -> Iterator[Egress]:
    opened = Egress(EgressPolicy())
    yield opened
    opened.close()


@pytest.fixture
def process(tmp_path: Path) -> Process:
    return Process("node-1", "cpu", cores=1, decode_threads=2, lanes=1, flight=tmp_path / "flight")


@pytest.fixture
def new_engine(ground: Ground, process: Process, egress: Egress) -> Iterator[Callable[..., Engine]]:
    """Make engines; the changes are to the process, and `may_claim` is asked before each claim."""
    with ExitStack() as stack:

        def make(
            on: Ground = ground, *, may_claim: Callable[[], bool] = lambda: True, **changes: Any
        ) -> Engine:
            engine = Engine(on, dataclasses.replace(process, **changes), egress, may_claim)
            stack.callback(engine.close)
            return engine

        yield make


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer]:
    opened = ForkServer()
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def films(fork_server: ForkServer) -> FilmDecoders:
    return FilmDecoders(fork_server, 2**31)


@pytest.fixture(scope="session")
def real_pictures(fork_server: ForkServer) -> Iterator[PictureDecoders]:
    opened = PictureDecoders(fork_server, 2**31)
    yield opened
    opened.close()


@pytest.fixture
def new_stages(
    ground: Ground, egress: Egress, films: FilmDecoders, tmp_path: Path
) -> Iterator[Callable[..., Stages]]:
    """Make the stages that a shard runs through, without an engine and its models."""
    with ExitStack() as stack:
        decoders = DecodeThreads(shards=2, each=4)
        stack.callback(decoders.shutdown)
        videos = stack.enter_context(ThreadPoolExecutor(4))
        fetchers = stack.enter_context(ThreadPoolExecutor(FETCHES + MOST_ASIDE))
        flight = FlightRecord(tmp_path / "stages")

        def make(
            on: Ground = ground,
            wait_s: float = 0.003,
            depth: int = 4,
            outside: Any = egress,
            pictures: Any = PLAIN_BYTES,
            films: FilmDecoders = films,
            budget: FetchBudget | None = None,
        ) -> Stages:
            batcher = Batcher(wait_s, flight)
            stack.callback(batcher.close)
            reader = Reader(
                on.storage, Fetches(outside, fetchers, budget or FetchBudget()), fetchers
            )
            # Pictures in these tests are tiny, and meet each other while they are decoded.
            return Stages(on, reader, decoders, pictures, films, videos, batcher, flight, depth)

        yield make


def with_(ground: Ground, storage: Storage | None = None, **settings: Any) -> Ground:
    """Give the same ground with other settings, and another storage if one is given."""
    changed = load_settings(**{**ground.settings.model_dump(), **settings})
    return dataclasses.replace(ground, settings=changed, storage=storage or ground.storage)
