"""Sends webhooks: one attempt at a time, through the guarded room, its outcome written down."""

import time
from email.utils import parsedate_to_datetime

import structlog

from jobs.bootstrap import Ground
from jobs.webhooks import Outgoing, claim_due, record_answer, sign
from workers.egress import Egress, EgressError, Reply

log = structlog.get_logger(__name__)

_LONGEST_RETRY_AFTER_S = 86_400.0


def deliver_next(ground: Ground, egress: Egress) -> bool:
    """Send the delivery that has been due for longest; False when none is due."""
    outgoing = claim_due(ground.database)
    if outgoing is None:
        return False
    reply, error = _post(egress, outgoing)
    record_answer(
        ground.database,
        outgoing,
        status=reply.status if reply else None,
        error=error,
        delays_s=ground.settings.webhook_delays_s,
        retry_after_s=_retry_after_s(reply),
    )
    log.info(
        "webhook_sent",
        delivery=outgoing.id,
        job=outgoing.job_id,
        attempt=outgoing.attempt,
        status=reply.status if reply else None,
        error=error,
    )
    return True


def headers_of(outgoing: Outgoing, timestamp: int) -> dict[str, str]:
    """Give the headers of an attempt: the id is the event's, the time is this attempt's."""
    signature = sign(outgoing.secret, outgoing.event_id, timestamp, outgoing.body)
    return {
        "content-type": "application/json",
        "webhook-id": outgoing.event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature,
    }


def _post(egress: Egress, outgoing: Outgoing) -> tuple[Reply | None, str | None]:
    headers = headers_of(outgoing, int(time.time()))
    try:
        return egress.post(outgoing.url, outgoing.body.encode(), headers), None
    except EgressError as err:
        return None, str(err)


def _retry_after_s(reply: Reply | None) -> float:
    """Read seconds or a date (RFC 9110, 10.2.3); what is neither is no wish."""
    value = reply.headers.get("retry-after", "") if reply else ""
    if value.isdecimal():
        return min(float(value), _LONGEST_RETRY_AFTER_S)
    try:
        wait_s = parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, OverflowError):
        return 0.0
    return min(max(wait_s, 0.0), _LONGEST_RETRY_AFTER_S)
