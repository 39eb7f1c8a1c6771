"""Wakes held answers when what they wait for moves on, so that they need not look all the time.

What is heard is a hint (jobs.base.hints) and may be lost: who waits looks again every now and then,
and often while nothing can be heard.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import redis
import structlog
from flask import current_app

from jobs.base.hints import MOVES

log = structlog.get_logger(__name__)

LISTENER = "pixelmill.listener"

# A server that has been silent for so long is asked whether it is still there.
_CHECK_S = 5.0
_CONNECT_S = 1.0
# Between two tries to reach a Redis that is away.
_AGAIN_S = 1.0


class Listener:
    """One subscription for all who wait in a process; it begins with the first of them."""

    def __init__(self, redis_url: str) -> None:
        self._redis = redis.Redis.from_url(
            redis_url, socket_connect_timeout=_CONNECT_S, socket_timeout=_CHECK_S
        )
        self._lock = threading.Lock()
        self._waiting: dict[str, list[Callable[[], None]]] = {}
        self._curious: list[Callable[[str], None]] = []
        self._thread: threading.Thread | None = None
        self._subscribed = threading.Event()
        self._closed = threading.Event()

    @property
    def hears(self) -> bool:
        """Whether moves reach this process at the moment, as far as it knows."""
        return self._subscribed.is_set()

    @property
    def has_begun(self) -> bool:
        """Whether anybody has waited yet, and so whether anything is to be heard."""
        return self._thread is not None

    @contextmanager
    def listening(self, what: str) -> Iterator[threading.Event]:
        """Give an event that is set whenever something moves on, until the block ends."""
        moved = threading.Event()
        with self.calling(what, moved.set):
            yield moved

    @contextmanager
    def calling(self, what: str, wake: Callable[[], None]) -> Iterator[None]:
        """Have a function called whenever something moves on, from the listener's own thread."""
        with self._lock:
            self._waiting.setdefault(what, []).append(wake)
            self._begin()
        try:
            yield
        finally:
            with self._lock:
                waiting = self._waiting[what]
                waiting.remove(wake)
                if not waiting:
                    del self._waiting[what]

    @contextmanager
    def calling_for_all(self, wake: Callable[[str], None]) -> Iterator[None]:
        """Have a function called with whatever moves on, from the listener's own thread."""
        with self._lock:
            self._curious.append(wake)
            self._begin()
        try:
            yield
        finally:
            with self._lock:
                self._curious.remove(wake)

    def close(self) -> None:
        """End the subscription within seconds; who waits goes on looking."""
        self._closed.set()

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="listener", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                with self._redis.pubsub() as channel:  # type: ignore[no-untyped-call]  # redis's
                    channel.subscribe(MOVES)
                    self._hear(channel)
            except (redis.RedisError, OSError) as err:
                if self.hears:
                    log.warning("moves_not_heard", error=str(err))
                self._subscribed.clear()
                self._closed.wait(_AGAIN_S)
            except Exception:
                # The thread outlives any fault: without it nobody would hear anything any more.
                log.exception("listening_failed")
                self._subscribed.clear()
                self._closed.wait(_AGAIN_S)

    def _hear(self, channel: redis.client.PubSub) -> None:
        """Pass on what is heard; raises RedisError once the server says nothing at all."""
        asked = False
        while not self._closed.is_set():
            message = channel.get_message(timeout=_CHECK_S)
            if message is None:
                if asked:
                    raise redis.ConnectionError("Redis does not answer any more.")
                channel.ping()
            elif message["type"] == "subscribe":
                self._subscribed.set()
            elif message["type"] == "message":
                self._wake(message["data"].decode("utf-8", "replace"))
            asked = message is None

    def _wake(self, what: str) -> None:
        with self._lock:
            for wake in self._waiting.get(what, ()):
                wake()
            for wake_for in self._curious:
                wake_for(what)


def listener() -> Listener:
    """Give the listener of this application."""
    found: Listener = current_app.extensions[LISTENER]
    return found
