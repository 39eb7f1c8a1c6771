"""Objects of buckets, read some at a time; their sizes are known, so a chunk is their budget.

Whatever goes wrong is an item's error with a code: it changed or went since it was listed, or its
store refuses, or does not answer.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, wait
from functools import partial
from typing import TypeVar

from jobs.buckets.errors import BucketError
from jobs.buckets.listing import object_of
from jobs.buckets.remote import ranges
from jobs.buckets.sources import Buckets, read_owner
from jobs.inputs.manifests import Item
from jobs.results.segments import ItemError
from workers.engine.holding.requester import Requester

# How often who waits says that it is no stall, and looks whether to go on.
_BEAT_S = 0.5

T = TypeVar("T")

# What has no bytes because its shard was told to stop; no row says so.
STOPPED = ItemError("stopped", "This item was not read: its shard was told to stop.")


def read_objects(
    buckets: Buckets | None,
    threads: Executor,
    items: Sequence[Item],
    requester: Requester,
) -> Iterator[bytes | ItemError]:
    """Give the bytes of each object, or why there are none; in order.

    The requester is told while a slow store is waited for, and nothing more is asked once it stops.
    """
    pending = [threads.submit(_read, buckets, item, requester.stopped) for item in items]
    pending.reverse()
    while pending:
        # Popped: a future that stayed would hold on to its bytes.
        yield awaited(pending.pop(), requester.beat)
        requester.beat()


def read_run(buckets: Buckets | None, item: Item, start: int, length: int) -> bytes:
    """Read a run of the bytes of the object that an item is, or lies in; raises BucketError."""
    if buckets is None:
        raise BucketError("bucket_not_allowed", "This worker reads no buckets.")
    location, known = object_of(item)
    bucket = buckets.bucket(read_owner(item.blob), location)
    return bucket.read(location, known, start, length)


def awaited(read: "Future[T]", beat: Callable[[], None]) -> T:
    """Wait for what a thread reads; gives it, or raises what the thread did."""
    while not wait([read], _BEAT_S).done:
        beat()
    return read.result()


def _read(buckets: Buckets | None, item: Item, stopped: threading.Event) -> bytes | ItemError:
    if stopped.is_set():
        return STOPPED
    try:
        run = partial(read_run, buckets, item)
        if not item.size:
            return b""
        parts = [run(start, length) for start, length in ranges(item.size)]
        return parts[0] if len(parts) == 1 else b"".join(parts)
    except BucketError as err:
        return ItemError(err.code, str(err), err.retryable)
