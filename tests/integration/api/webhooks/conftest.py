"""A receiver, an application that may call it, and jobs that end."""

from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from apiflask import APIFlask

from api.app import create_app
from api.web.listener import LISTENER
from jobs.base.bootstrap import Ground
from jobs.base.hints import IO
from jobs.tables import ModelVersion
from jobs.tenants.keys import NewKey
from tests.integration.api.callers import Caller, with_settings
from tests.integration.jobs.builders import claim_one, run_one, submit_items
from tests.receivers import Receiver, receiver_server
from workers.app import policy_of
from workers.egress import Egress
from workers.errands.delivery import Lines, deliver_next


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiver_server() as running:
        yield running


@pytest.fixture
def here(ground: Ground) -> Ground:
    """The ground with loopback allowed, as an operator may allow a network."""
    networks = (ip_network("127.0.0.0/8"),)
    return with_settings(ground, egress_allow=networks, webhook_delays_s=(5.0, 300.0))


@pytest.fixture
def app(here: Ground) -> Iterator[APIFlask]:
    app = create_app(here)
    yield app
    app.extensions[LISTENER].close()


@pytest.fixture
def send(here: Ground) -> Iterator[Callable[[], bool]]:
    """Send the delivery that has been due for longest."""
    egress = Egress(policy_of(here.settings, IO))
    yield lambda: deliver_next(here, egress, Lines(2))
    egress.close()


@pytest.fixture
def finish(here: Ground, tenant: NewKey, digits_model: ModelVersion) -> Callable[..., str]:
    """Run a job of the tenant to its end; gives its id."""

    def run(**more: Any) -> str:
        job = submit_items(here, tenant, digits_model, count=3, **more)
        run_one(here, claim_one(here))
        return job.id

    return run


@pytest.fixture
def add(caller: Caller, receiver: Receiver) -> Callable[..., dict[str, Any]]:
    """Make an endpoint at a path of the receiver; gives the answer, with its secret."""

    def make(path: str = "/hook", **more: Any) -> dict[str, Any]:
        body = {"url": receiver.root + path, **more}
        answer = caller.post("/v1/webhook_endpoints", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json

    return make
