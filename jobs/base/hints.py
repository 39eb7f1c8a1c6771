"""Hints: the messages that say "there is work in pool P", and "job J has moved on".

A hint carries no work and may be lost, doubled or late: who gets one looks into the database, and
who gets none looks there every few seconds anyway. So a hint that cannot be sent is logged and
forgotten, and Redis may lose everything it holds.

Work is hinted at by Celery messages, each for one worker; moves are published to all who wait for
that job, or for that version of a model (api.web.listener).
"""

import time

import redis
import structlog
from celery import Celery
from kombu.exceptions import OperationalError

log = structlog.get_logger(__name__)

# The names of all queues and tasks.
CPU, GPU, IO = "cpu", "gpu", "io"
POOLS = (CPU, GPU, IO)
RUN_SHARDS = "pixelmill.run_shards"
RUN_IO = "pixelmill.run_io"
SWEEP = "pixelmill.sweep"

# The channel on which it is published what has moved on.
MOVES = "pixelmill.moves"

# More waiting hints than this would only find the work done already.
WINDOW = 64

_TIMEOUTS_S = {"socket_timeout": 10.0, "socket_connect_timeout": 2.0}
# Who sends a hint is in the middle of something better; after a failure none is tried for a while.
_SEND_TIMEOUTS_S = {"socket_timeout": 1.0, "socket_connect_timeout": 1.0}
_PAUSE_S = 5.0


def broker_url(redis_url: str) -> str:
    """Give Celery's form of a Redis URL: the two name a unix socket differently."""
    if not redis_url.startswith("unix://"):
        return redis_url
    path, _, query = redis_url.removeprefix("unix://").partition("?")
    return f"redis+socket://{path}?virtual_host={query.removeprefix('db=') or 0}"


def new_celery(redis_url: str) -> Celery:
    """Make a Celery application that uses messages as hints only; see docs/decisions."""
    app = Celery("pixelmill", broker=broker_url(redis_url), set_as_current=False)
    app.conf.update(
        task_ignore_result=True,
        task_acks_late=False,
        task_serializer="json",
        accept_content=["json"],
        task_routes={RUN_IO: {"queue": IO}, SWEEP: {"queue": IO}},
        task_create_missing_queues=True,
        worker_disable_prefetch=True,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={**_TIMEOUTS_S, "retry_on_timeout": True},
    )
    return app


class Hints:
    """Sends hints; never fails and never blocks for long. Safe to share between threads."""

    def __init__(self, redis_url: str) -> None:
        self._celery = new_celery(redis_url)
        self._celery.conf.broker_transport_options = _SEND_TIMEOUTS_S
        self._redis = redis.Redis.from_url(redis_url, **_SEND_TIMEOUTS_S)
        self._not_before = 0.0

    def send(self, pool: str, count: int = 1) -> int:
        """Send up to `count` hints, as far as the window has room; gives how many were sent."""
        task = RUN_IO if pool == IO else RUN_SHARDS
        if self._pauses():
            return 0
        try:
            room = WINDOW - int(self._redis.llen(pool))
            for _ in range(min(count, room)):
                self._celery.send_task(task, args=[pool], queue=pool, retry=False)
            return max(0, min(count, room))
        except (redis.RedisError, OperationalError, OSError) as err:
            self._fail(err, pool=pool)
            return 0

    def tell_moved(self, what: str) -> None:
        """Tell those who wait for a job, by its id, or a version such as `digits@3` to look now."""
        if self._pauses():
            return
        try:
            self._redis.publish(MOVES, what)
        except (redis.RedisError, OSError) as err:
            self._fail(err, moved=what)

    def is_reachable(self) -> bool:
        """Say whether Redis answers."""
        try:
            return bool(self._redis.ping())
        except redis.RedisError:
            return False

    def close(self) -> None:
        """Close the connections."""
        self._celery.close()
        self._redis.close()

    def _pauses(self) -> bool:
        return time.monotonic() < self._not_before

    def _fail(self, err: Exception, **about: str) -> None:
        self._not_before = time.monotonic() + _PAUSE_S
        log.warning("hint_not_sent", error=str(err), **about)
