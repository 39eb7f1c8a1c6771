"""A job of URLs that is cancelled asks strangers' servers for nothing more, and is over at once."""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from jobs.base.bootstrap import Ground
from jobs.base.states import JobStatus
from jobs.inputs.requests import Request
from jobs.queue.completion import cancel
from jobs.tables import ModelVersion
from jobs.tenants.keys import NewKey
from tests.contract.egress.world import World
from tests.integration.jobs.builders import claim_one, submit_items
from tests.integration.jobs.checks import check_job
from tests.integration.workers.fakes import FakeNetwork, manifest_of
from tests.integration.workers.films.fake_videos import PARAMS, FakeVideoNetwork
from workers.engine.holding.keeper import Keeper
from workers.engine.reading.fetching import FETCHES
from workers.engine.shard import ShardRun
from workers.engine.stages import Stages

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ITEMS = 64
# How long a server keeps each of its callers waiting, in seconds.
STALL_S = 3.0


@pytest.mark.parametrize(("network", "params"), [(FakeNetwork, {}), (FakeVideoNetwork, PARAMS)])
def test_a_cancelled_job_of_urls_asks_for_nothing_more_and_waits_for_nobody(
    ground: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    new_stages: Callable[..., Stages],
    network: Callable[[], Any],
    params: dict[str, Any],
) -> None:
    asked = threading.Event()

    def stall(server, sock):
        asked.set()
        server.stop.wait(STALL_S)
        return False

    with ExitStack() as stack:
        world = World(stack)
        server = world.server(stall)
        urls = [f"http://127.0.0.1:{server.port}/{number}" for number in range(ITEMS)]
        requests = tuple(Request(f"n{number}", url=url) for number, url in enumerate(urls))
        job = submit_items(ground, tenant, digits_model, requests=requests, params=params)
        lease = claim_one(ground)
        run = ShardRun(new_stages(outside=world.egress(total_timeout_s=30.0)), lease)
        keeper = Keeper(ground.database, "node-1", ground.settings)
        keeper.hold(run)
        stack.callback(keeper.close)

        def cancel_when_asked() -> None:
            assert asked.wait(20)
            cancel(ground.database, tenant.tenant_id, job.id)

        canceller = threading.Thread(target=cancel_when_asked)
        canceller.start()
        began = time.monotonic()
        assert run.run(network(), manifest_of(ground, lease))
        took_s = time.monotonic() - began
        canceller.join()
        ended = check_job(ground, job.id)
        assert ended.status is JobStatus.CANCELLED
        assert ended.cancelled == ITEMS
        # Those of its first chunk.
        assert len(server.requests) <= FETCHES
        assert took_s < STALL_S, "the slow server is not waited for"
