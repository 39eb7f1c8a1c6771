"""Sends webhooks: one try at a time, through the guarded room, its outcome written down."""

import re
import threading
import time
from collections import Counter

import structlog

from jobs.base.bootstrap import Ground
from jobs.base.traces.spans import NO_SPAN, NO_TRACES, Said, Span
from jobs.metrics import metrics
from jobs.queue.reading import traceparent_of
from jobs.queue.webhooks import Outgoing, lease_delivery, record_answer
from jobs.tenants.signing import sign
from workers.egress import Egress, EgressError, Reply
from workers.egress.retry_after import retry_after_s

log = structlog.get_logger(__name__)

_LONGEST_RETRY_AFTER_S = 86_400.0


class Lines:
    """How many deliveries this process is sending to each receiver; safe to share between threads.

    A receiver that is slow or dead keeps a sender for as long as the time-out: with no more than
    `most` of them on one receiver, the others are left for the rest.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()

    def take(self, ground: Ground) -> Outgoing | None:
        """Lease the delivery that has been due for longest among those to free receivers."""
        # Under the lock, so that two threads cannot both take a receiver's last line.
        with self._lock:
            busy = [origin for origin, taken in self._taken.items() if taken >= self._most]
            outgoing = lease_delivery(ground, busy)
            if outgoing is not None:
                self._taken[_origin(outgoing.row.url)] += 1
            return outgoing

    def leave(self, url: str) -> None:
        """Say that a delivery has ended."""
        origin = _origin(url)
        with self._lock:
            self._taken[origin] -= 1
            if not self._taken[origin]:
                del self._taken[origin]


def _origin(url: str) -> str:
    """Give the receiver that a URL names, as it is written: scheme, host and port."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{re.split('[/?#]', rest, maxsplit=1)[0]}"


def deliver_next(ground: Ground, egress: Egress, lines: Lines) -> bool:
    """Send the delivery that has been due for longest; False when none is due."""
    outgoing = lines.take(ground)
    if outgoing is None:
        return False
    try:
        _deliver(ground, egress, outgoing)
    finally:
        lines.leave(outgoing.row.url)
    return True


def _deliver(ground: Ground, egress: Egress, outgoing: Outgoing) -> None:
    began_at = time.perf_counter()
    with _span_of(ground, outgoing) as span:
        reply, error = _post(egress, outgoing)
        # Its address is a caller's: the log of deliveries has it, for who may see it.
        span.say({"pixelmill.result": _result_of(reply)})
    metrics.STAGE_SECONDS.labels("webhook").observe(time.perf_counter() - began_at)
    metrics.WEBHOOK_DELIVERIES.labels(_result_of(reply)).inc()
    record_answer(
        ground,
        outgoing,
        status=reply.status if reply else None,
        error=error,
        response=reply.body if reply else b"",
        retry_after_s=retry_after_s(
            reply.headers.get("retry-after", "") if reply else "",
            outgoing.sent_at,
            _LONGEST_RETRY_AFTER_S,
        ),
    )
    log.info(
        "webhook_sent",
        delivery=outgoing.row.id,
        job=outgoing.row.job_id,
        attempt=outgoing.lease.attempts,
        status=reply.status if reply else None,
        error=error,
    )


def _span_of(ground: Ground, outgoing: Outgoing) -> Span:
    """Begin the span of a try, in the trace of its job; nothing is asked where traces are off."""
    row = outgoing.row
    if ground.traces is NO_TRACES or row.job_id is None:
        return NO_SPAN
    said: Said = {"pixelmill.delivery": row.id, "pixelmill.attempt": outgoing.lease.attempts}
    parent = traceparent_of(ground.database, row.job_id)
    return ground.traces.begin("webhook", parent, said, kind="client")


def headers_of(outgoing: Outgoing) -> dict[str, str]:
    """Give the headers of a try: the id is the event's, the time is this try's.

    No `traceparent` is among them: whoever receives events is a stranger to our traces.

    It is the database's time: receivers refuse what seems old, and this machine's clock may be off.
    """
    timestamp = int(outgoing.sent_at)
    row = outgoing.row
    signatures = (sign(each, row.event_id, timestamp, row.body) for each in outgoing.secrets)
    return {
        "content-type": "application/json",
        "webhook-id": row.event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


def _post(egress: Egress, outgoing: Outgoing) -> tuple[Reply | None, str | None]:
    headers = headers_of(outgoing)
    try:
        return egress.post(outgoing.row.url, outgoing.row.body.encode(), headers), None
    except EgressError as err:
        return None, str(err)


def _result_of(reply: Reply | None) -> str:
    if reply is None:
        return "unreachable"
    return "delivered" if 200 <= reply.status < 300 else "refused"
