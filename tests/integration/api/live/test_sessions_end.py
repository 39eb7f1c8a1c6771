"""A stream that a browser's session has opened is over with the session, whatever ended it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from api.web.sessions import COOKIE
from jobs.base.bootstrap import Ground
from jobs.tenants.keys import NewKey, revoke_key
from jobs.tenants.sessions import LASTS_S, Visit, begin_session, end_session, read_session
from tests.integration.api.callers import job_body
from tests.integration.api.fronts import Front

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

# A look at sessions comes every three seconds; the rest is for a machine with much to do.
SOON_S = 20


def session_of(ground: Ground, key: NewKey, ends_in_s: float = LASTS_S) -> str:
    with ground.database.read() as session:
        return begin_session(session, key.key, time.time() + ends_in_s - LASTS_S, ())


def visit_of(ground: Ground, token: str) -> Visit:
    with ground.database.read() as session:
        return read_session(session, token, time.time(), ()).visit


@contextmanager
def watching(front: Front, token: str) -> Iterator[Iterator[str]]:
    """Open the session's stream, and give its lines; who waits for longer than `SOON_S` fails."""
    with (
        httpx.Client(base_url=front.url, cookies={COOKIE: token}, trust_env=False) as browser,
        browser.stream("GET", "/v1/events", timeout=SOON_S) as answer,
    ):
        assert answer.status_code == 200
        lines = answer.iter_lines()
        assert next(lines).startswith("retry:")
        yield lines


def test_a_session_that_is_signed_out_ends_its_stream_and_no_other(
    front: Front, ground: Ground, tenant: NewKey
) -> None:
    leaves, stays = session_of(ground, tenant), session_of(ground, tenant)
    with watching(front, stays) as other:
        with watching(front, leaves) as lines:
            end_session(ground.database, visit_of(ground, leaves), time.time())
            rest = list(lines)
        assert "event" not in "".join(rest)
        with front.client() as client:
            job = client.post("/v1/jobs", json=job_body()).json()["id"]
        assert any(job in line for line in other)


def test_a_session_whose_time_is_over_ends_its_stream(
    front: Front, ground: Ground, tenant: NewKey
) -> None:
    with watching(front, session_of(ground, tenant, 2)) as lines:
        assert "event" not in "".join(lines)


def test_a_revoked_key_ends_the_streams_of_its_sessions(
    front: Front, ground: Ground, tenant: NewKey
) -> None:
    with watching(front, session_of(ground, tenant)) as lines:
        revoke_key(ground.database, tenant.key_id)
        assert "event" not in "".join(lines)
