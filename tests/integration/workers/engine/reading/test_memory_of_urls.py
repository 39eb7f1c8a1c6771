"""No shard waits for the memory that it holds itself, whatever it keeps of what it has fetched."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from jobs.base.bootstrap import Ground
from jobs.inputs.requests import Request
from jobs.tables import ModelVersion
from jobs.tenants.keys import NewKey
from models.records.record import Limits
from tests.integration.api.callers import with_settings
from tests.integration.jobs.builders import claim_one, submit_items
from tests.integration.jobs.checks import check_job
from tests.integration.workers.engine.test_overlays import Labeller
from tests.integration.workers.fakes import manifest_of, picture
from workers.egress import EgressError
from workers.engine.reading.budget import FetchBudget
from workers.engine.shard import ShardRun
from workers.engine.stages import Stages
from workers.walls.pictures import PictureDecoders
from workers.walls.processes import ProcessDied

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ITEMS = 32
# Each answers with one picture; a chunk has eight.
PICTURE = picture(0)


class Stranger:
    """Gives a picture, once it has refused each URL `refusals` times."""

    def __init__(self, refusals: int = 0) -> None:
        self.refusals, self.asked = refusals, Counter[str]()

    def get(self, url: str, *_: object) -> bytes:
        name = url.rpartition("/")[2]
        self.asked[name] += 1
        if self.asked[name] <= self.refusals:
            raise EgressError("503", code="url_fetch_failed", retryable=True, status=503)
        # A copy: each has its own memory, as of a server.
        return bytes(bytearray(PICTURE))


class Dying:
    """Decoder processes that die of whatever they are given."""

    def decode(self, *_: object) -> Iterator[Any]:
        raise ProcessDied


@pytest.fixture
def run_urls(
    ground: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    new_stages: Callable[..., Stages],
    real_pictures: PictureDecoders,
) -> Callable[..., bool]:
    """Give what runs a shard of URLs with memory for so many files, and says if all succeeded."""
    house = with_settings(ground, url_retry_delays_s=(0.01,))
    network = Labeller()
    network.record = replace(network.record, limits=Limits(max_bytes=len(PICTURE)))

    def run(files: int, outside: Stranger, wanted: dict[str, bool], **changes: Any) -> bool:
        urls = (f"https://example.com/{number}" for number in range(ITEMS))
        requests = tuple(Request(f"n{number}", url=url) for number, url in enumerate(urls))
        job = submit_items(house, tenant, digits_model, requests=requests, **wanted)
        budget = FetchBudget(files * len(PICTURE))
        walls = {"pictures": real_pictures, **changes}
        stages = new_stages(house, outside=outside, budget=budget, **walls)
        shard = ShardRun(stages, claim_one(house))
        in_vain = threading.Timer(20, shard.stop, ["lost"])
        in_vain.start()
        try:
            return shard.run(network, manifest_of(house, shard.lease)) and (
                check_job(house, job.id).completed == ITEMS
            )
        finally:
            in_vain.cancel()
            shard.close()
            assert shard.why is None, "it waited in vain"

    return run


@pytest.mark.parametrize("wanted", [{}, {"overlays": True}, {"gallery": True}])
def test_what_is_kept_of_a_shards_urls_keeps_it_from_no_further_ones(
    run_urls: Callable[..., bool], wanted: dict[str, bool]
) -> None:
    assert run_urls(10, Stranger(), wanted)


def test_nor_does_it_where_they_are_asked_for_again_one_by_one(
    run_urls: Callable[..., bool],
) -> None:
    stranger = Stranger(refusals=1)
    assert run_urls(2, stranger, {"overlays": True})
    assert set(stranger.asked.values()) == {2}


def test_what_is_held_where_decoding_failed_ends_the_shard_that_waits_for_it(
    run_urls: Callable[..., bool],
) -> None:
    with pytest.raises(ProcessDied):
        run_urls(10, Stranger(), {}, pictures=Dying())
