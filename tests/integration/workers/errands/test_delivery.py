"""Webhooks, sent to a real server on this machine through the guarded room."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlalchemy import select, update
from standardwebhooks import Webhook

from jobs.base.bootstrap import Ground
from jobs.base.hints import IO
from jobs.leases.leases import is_due
from jobs.queue.completion import cancel
from jobs.queue.webhooks import DELIVERIES, lease_delivery, record_answer
from jobs.tables import Delivery, ModelVersion
from jobs.tenants.keys import NewKey
from jobs.tenants.signing import new_secret
from tests.integration.jobs.builders import claim_one, run_one, submit_items
from tests.integration.workers.conftest import with_
from workers.app import policy_of
from workers.egress import Egress
from workers.errands.delivery import Lines, deliver_next
from workers.errands.errands import Errands

DELAYS = (5.0, 300.0)


class Receiver:
    """A server that answers as it is told and keeps what it was sent."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.requests: list[tuple[str, dict[str, str], str]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.requests.append((self.path, headers, body))
                status, extra = receiver.answers.pop(0) if receiver.answers else (200, {})
                self.send_response(status)
                for name, value in {"content-length": "0", **extra}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(20)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    opened = Receiver()
    yield opened
    opened.close()


@pytest.fixture
def here(ground: Ground) -> Ground:
    """The ground with loopback allowed, as an operator may allow a network."""
    return with_(ground, egress_allow="127.0.0.0/8", webhook_delays_s=DELAYS)


@pytest.fixture
def send(here: Ground) -> Iterator[Callable[[], bool]]:
    egress = Egress(policy_of(here.settings, IO))
    yield lambda: deliver_next(here, egress, Lines(2))
    egress.close()


@pytest.fixture
def finish(ground: Ground, tenant: NewKey, digits_model: ModelVersion) -> Callable[..., str]:
    """Run a job to its end that calls a URL; gives its id."""

    def run(url: str, **more: str) -> str:
        webhook = {"url": url, "events": ["job.completed", "job.cancelled"], **more}
        job = submit_items(ground, tenant, digits_model, count=3, webhook=webhook)
        run_one(ground, claim_one(ground))
        return job.id

    return run


def delivery(ground: Ground) -> Delivery:
    with ground.database.read() as session:
        return session.scalars(select(Delivery)).one()


def make_due(ground: Ground) -> None:
    with ground.database.write() as session:
        session.execute(update(Delivery).values(due_at=1.0))


def wait_of(ground: Ground) -> float:
    return delivery(ground).due_at - ground.database.now()


def test_an_event_is_delivered_signed_and_thin(
    ground: Ground, tenant: NewKey, receiver: Receiver, finish, send
) -> None:
    job_id = finish(receiver.url)
    assert send()
    assert not send()
    ((path, headers, body),) = receiver.requests
    assert path == "/hook"
    event = Webhook(tenant.webhook_secret).verify(body, headers)
    counts = {"total": 3, "completed": 3, "failed": 0, "processing": 0, "cancelled": 0}
    assert event["type"] == "job.completed"
    assert event["data"] == {
        "id": job_id,
        "status": "completed",
        "outcome": "succeeded",
        "request_counts": {**counts, "expired": 0},
        "sequence": 1,
    }
    sent = delivery(ground)
    assert (sent.state, sent.fence, sent.last_status) == ("delivered", 1, 200)
    assert headers["webhook-id"] == sent.event_id
    assert sent.ended_at is not None


def test_a_job_may_have_a_secret_of_its_own(
    ground: Ground, tenant: NewKey, receiver: Receiver, finish, send
) -> None:
    secret = new_secret()
    finish(receiver.url, secret=secret)
    send()
    ((_, headers, body),) = receiver.requests
    assert Webhook(secret).verify(body, headers)
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(tenant.webhook_secret).verify(body, headers)


def test_a_receiver_that_fails_gets_the_same_event_again_and_later(
    ground: Ground, tenant: NewKey, receiver: Receiver, finish, send
) -> None:
    receiver.answers = [(500, {}), (200, {})]
    finish(receiver.url)
    send()
    first = delivery(ground)
    assert (first.state, first.last_status, first.ended_at) == ("pending", 500, None)
    assert DELAYS[0] - 2 < wait_of(ground) <= DELAYS[0] * 1.1
    assert not send(), "not before its time"
    make_due(ground)
    assert send()
    assert (delivery(ground).state, delivery(ground).fence) == ("delivered", 2)
    (_, one, body), (_, two, again) = receiver.requests
    assert one["webhook-id"] == two["webhook-id"]
    assert body == again
    assert Webhook(tenant.webhook_secret).verify(again, two)


def test_the_tries_end_after_the_last_delay(
    ground: Ground, receiver: Receiver, finish, send
) -> None:
    receiver.answers = [(503, {})] * 9
    finish(receiver.url)
    for attempt, delay in enumerate(DELAYS, start=1):
        make_due(ground)
        assert send()
        assert delivery(ground).fence == attempt
        assert delay - 2 < wait_of(ground) <= delay * 1.1
    make_due(ground)
    assert send()
    last = delivery(ground)
    assert (last.state, last.fence, last.last_status) == ("failed", len(DELAYS) + 1, 503)
    make_due(ground)
    assert not send()
    assert len(receiver.requests) == len(DELAYS) + 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_and_counts_as_a_failure(
    ground: Ground, receiver: Receiver, finish, send, status: int
) -> None:
    receiver.answers = [(status, {"location": receiver.url.replace("hook", "elsewhere")})]
    finish(receiver.url)
    send()
    assert [path for path, _, _ in receiver.requests] == ["/hook"]
    assert (delivery(ground).state, delivery(ground).last_status) == ("pending", status)


def test_a_receiver_that_is_gone_for_good_is_left_alone(
    ground: Ground, receiver: Receiver, finish, send
) -> None:
    receiver.answers = [(410, {})]
    finish(receiver.url)
    send()
    assert (delivery(ground).state, delivery(ground).last_status) == ("failed", 410)


def test_a_port_where_nobody_listens_is_tried_again(ground: Ground, finish, send) -> None:
    gone = Receiver()
    gone.close()
    finish(gone.url)
    assert send()
    failed = delivery(ground)
    assert (failed.state, failed.last_status) == ("pending", None)
    assert "could not be reached" in (failed.last_error or "")


def test_an_address_that_is_not_allowed_is_not_called(
    ground: Ground, receiver: Receiver, finish
) -> None:
    finish(receiver.url)
    with_egress = Egress(policy_of(ground.settings, IO))
    deliver_next(ground, with_egress, Lines(1))
    with_egress.close()
    assert receiver.requests == []
    assert "not on the public internet" in (delivery(ground).last_error or "")


@pytest.mark.parametrize(
    ("wish", "least", "most"),
    [
        ("120", 118, 120),
        ("1", 3, 6),
        ("999999999", 86_398, 86_400),
        ("soon", 3, 6),
        ("-5", 3, 6),
        ("date", 595, 600),
        ("Tue, 99 Foo 2099 00:00:00 GMT", 3, 6),
    ],
)
def test_a_receivers_wish_to_wait_longer_is_obeyed(
    ground: Ground, receiver: Receiver, finish, send, wish: str, least: float, most: float
) -> None:
    wish = formatdate(time.time() + 600, usegmt=True) if wish == "date" else wish
    receiver.answers = [(429, {"retry-after": wish})]
    finish(receiver.url)
    send()
    assert least <= wait_of(ground) <= most


def test_a_cancelled_job_tells_so(
    ground: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    receiver: Receiver,
    send,
) -> None:
    webhook = {"url": receiver.url, "events": ["job.cancelled"]}
    job = submit_items(ground, tenant, digits_model, count=3, webhook=webhook)
    cancel(ground.database, tenant.tenant_id, job.id)
    cancel(ground.database, tenant.tenant_id, job.id)
    assert send()
    assert not send()
    assert json.loads(receiver.requests[0][2])["type"] == "job.cancelled"


def test_a_sender_that_dies_leaves_its_delivery_due_again_and_its_late_word_counts_nothing(
    ground: Ground, receiver: Receiver, finish
) -> None:
    finish(receiver.url)
    late = lease_delivery(ground)
    assert late is not None
    assert lease_delivery(ground) is None
    assert 50 < wait_of(ground) <= 60
    make_due(ground)
    quick = lease_delivery(ground)
    assert quick is not None
    assert (quick.row.id, quick.lease.fence) == (late.row.id, 2)
    record_answer(ground, late, status=500, error=None)
    assert delivery(ground).last_status is None
    record_answer(ground, quick, status=204, error=None)
    record_answer(ground, quick, status=500, error=None)
    assert (delivery(ground).state, delivery(ground).last_status) == ("delivered", 204)


def test_senders_at_once_send_each_event_once(
    ground: Ground, here: Ground, receiver: Receiver, finish
) -> None:
    for _ in range(8):
        finish(receiver.url)
    egress = Egress(policy_of(here.settings, IO))
    errands = Errands(here, egress)
    threads = [threading.Thread(target=errands.drain) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    errands.drain()
    egress.close()
    ids = [headers["webhook-id"] for _, headers, _ in receiver.requests]
    assert len(ids) == len(set(ids)) == 8
    assert not is_due(ground.database, DELIVERIES)


def test_a_receiver_that_is_slow_keeps_no_more_senders_than_its_share(
    ground: Ground, finish
) -> None:
    slow = [f"http://slow.example{rest}" for rest in ("", "/a", "?b", "/a?c_%")]
    others = ["http://slow.example.org/", "http://slow.example:81/"]
    for url in (*slow, *others):
        finish(url)
    lines = Lines(2)
    taken = [lines.take(ground) for _ in range(5)]
    assert [each and each.row.url for each in taken] == [*slow[:2], *others, None]
    assert is_due(ground.database, DELIVERIES)
    lines.leave(slow[1])
    again = lines.take(ground)
    assert again is not None
    assert again.row.url == slow[2]


def test_the_time_of_an_attempt_is_the_databases(ground: Ground, finish) -> None:
    finish("http://good.example/")
    before = ground.database.now()
    outgoing = lease_delivery(ground)
    assert outgoing is not None
    assert before <= outgoing.sent_at <= ground.database.now()


def test_errands_that_were_told_to_stop_begin_nothing(
    ground: Ground, here: Ground, receiver: Receiver, finish
) -> None:
    finish(receiver.url)
    egress = Egress(policy_of(here.settings, IO))
    errands = Errands(here, egress)
    errands.stop()
    assert errands.has_work()
    assert errands.drain() == 0
    egress.close()
    assert receiver.requests == []
