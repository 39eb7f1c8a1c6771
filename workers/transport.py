"""The way of hints through Redis: taken once, and what is no hint is dropped.

A message that is not even JSON is an error in the middle of kombu's loop, which ends the consumer:
one that anybody put into a queue would keep every worker from its hints.
"""

from queue import Empty
from typing import Any

import structlog
from celery.app.amqp import AMQP
from kombu.connection import Connection
from kombu.transport.redis import Channel, Transport
from kombu.transport.virtual import QoS

log = structlog.get_logger(__name__)


class HintQoS(QoS):
    """Knows in memory alone which hints were taken: one that is lost is sent again by the sweeper.

    Kombu's own notes each message in Redis until it is acknowledged, two round trips for every
    hint, and gives back what was not.
    """

    restore_at_shutdown = False


class HintChannel(Channel):
    """Reads queues; the message at fault is out of its queue before it is looked at."""

    QoS = HintQoS  # type: ignore[assignment]  # kombu's own is one of Redis

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]  # kombu's
        # What no JSON, no envelope, or an envelope of something else makes of kombu and Celery.
        except (ValueError, KeyError, TypeError, AttributeError) as err:
            log.warning("foreign_message_dropped", error=f"{type(err).__name__}: {err}"[:200])
            raise Empty from err


class HintTransport(Transport):
    """Kombu's Redis with channels that outlive foreign messages."""

    Channel = HintChannel


class HintConnection(Connection):
    """A connection to Redis, whatever form its URL has."""

    def get_transport_cls(self) -> type[HintTransport]:
        """Give the transport."""
        return HintTransport


class HintAmqp(AMQP):  # type: ignore[misc]  # Celery ships no types
    """What a Celery application makes its connections with."""

    Connection = HintConnection
