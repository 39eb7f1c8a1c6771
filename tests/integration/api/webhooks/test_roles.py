"""Each service's role of PostgreSQL may do its part of a webhook, and no worker reads a secret."""

from collections.abc import Callable

import pytest
from sqlalchemy import select
from sqlalchemy.exc import ProgrammingError

from jobs.base.bootstrap import Ground
from jobs.queue.deliveries import redeliver
from jobs.queue.endpoints import (
    change_endpoint,
    create_endpoint,
    delete_endpoint,
    ping,
    rotate_secret,
)
from jobs.queue.webhooks import EVENTS, lease_delivery, record_answer
from jobs.tables import ModelVersion, WebhookEndpoint
from jobs.tenants.audit import Actor
from jobs.tenants.keys import NewKey
from migrations.grants import API, IO, WORKER
from tests.integration.jobs.builders import claim_one, run_one, submit_items

URL = "https://example.org/hook"


def test_each_role_does_its_part_and_sees_no_more(
    as_role: Callable[[str], Ground], tenant: NewKey, digits_model: ModelVersion
) -> None:
    api, io, worker = as_role(API), as_role(IO), as_role(WORKER)
    actor = Actor("key_1", tenant.tenant_id)
    endpoint = create_endpoint(api, actor, URL, EVENTS, "")
    rotate_secret(api, actor, endpoint.id, overlap_s=60)
    change_endpoint(api, actor, endpoint.id, description="shop")

    submit_items(api, tenant, digits_model, count=3)
    run_one(worker, claim_one(worker))
    for secret in (WebhookEndpoint.secret, WebhookEndpoint.old_secret):
        denied = pytest.raises(ProgrammingError, match="permission denied")
        with denied, worker.database.read() as session:
            session.scalars(select(secret)).all()

    first = lease_delivery(io)
    assert first is not None
    assert len(first.secrets) == 2
    record_answer(io, first, status=204, error=None)
    redeliver(api, tenant.tenant_id, first.row.id)
    again = lease_delivery(io)
    assert again is not None
    record_answer(io, again, status=410, error=None)
    assert not change_endpoint(api, actor, endpoint.id, description="").enabled
    change_endpoint(api, actor, endpoint.id, enabled=True)
    ping(api, actor, endpoint.id)
    delete_endpoint(api, actor, endpoint.id)
    assert lease_delivery(io) is None
