"""Objects of buckets, read some at a time; their sizes are known, so a chunk is their budget.

Whatever goes wrong is an item's error with a code: it changed or went since it was listed, or its
store refuses, or does not answer.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, wait
from functools import partial

from jobs.buckets.errors import BucketError
from jobs.buckets.locations import read_location
from jobs.buckets.remote import Found, ranges
from jobs.buckets.sources import Buckets, read_owner
from jobs.inputs.manifests import Item
from jobs.results.segments import ItemError
from workers.engine.holding.requester import Requester

# How often who waits says that it is no stall, and looks whether to go on.
_BEAT_S = 0.5

# What has no bytes because its shard was told to stop; no row says so.
_STOPPED = ItemError("stopped", "This item was not read: its shard was told to stop.")


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
        yield _awaited(pending.pop(), requester.beat)
        requester.beat()


def read_run(buckets: Buckets | None, item: Item, start: int, length: int) -> bytes:
    """Read a run of an object's bytes; raises BucketError."""
    if buckets is None:
        raise BucketError("bucket_not_allowed", "This worker reads no buckets.")
    location = read_location(item.url)
    bucket = buckets.bucket(read_owner(item.blob), location)
    return bucket.read(location, Found(location.key, item.size, item.etag), start, length)


def _awaited(read: "Future[bytes | ItemError]", beat: Callable[[], None]) -> bytes | ItemError:
    while not wait([read], _BEAT_S).done:
        beat()
    return read.result()


def _read(buckets: Buckets | None, item: Item, stopped: threading.Event) -> bytes | ItemError:
    if stopped.is_set():
        return _STOPPED
    try:
        run = partial(read_run, buckets, item)
        if not item.size:
            return b""
        parts = [run(start, length) for start, length in ranges(item.size)]
        return parts[0] if len(parts) == 1 else b"".join(parts)
    except BucketError as err:
        return ItemError(err.code, str(err), err.retryable)
