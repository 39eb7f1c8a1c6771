"""The threads that read items for all shards of a process."""

from concurrent.futures import ThreadPoolExecutor

from jobs.base.bootstrap import Ground
from jobs.buckets.sources import Buckets
from workers.egress import Egress
from workers.engine.reading.budget import budget_of
from workers.engine.reading.fetching import FETCHES, MOST_ASIDE, Fetches
from workers.engine.reading.reader import Reader

# Objects of buckets that are read at a time.
_BUCKET_THREADS = 16


class ReadThreads:
    """Threads for URLs and for objects of buckets, apart: slow servers keep no bucket waiting."""

    def __init__(self, shards: int) -> None:
        # As many as may wait at a time: no shard's slow servers keep another's URLs.
        self._fetchers = ThreadPoolExecutor(shards * (FETCHES + MOST_ASIDE), "fetch")
        self._bucket_readers = ThreadPoolExecutor(_BUCKET_THREADS, "bucket")

    def reader(self, ground: Ground, egress: Egress, buckets: Buckets) -> Reader:
        """Give a reader that stands on these threads."""
        fetches = Fetches(egress, self._fetchers, budget_of(ground.settings))
        return Reader(ground.storage, fetches, self._bucket_readers, buckets)

    def shutdown(self) -> None:
        """End the threads when they have done what they are at."""
        self._fetchers.shutdown()
        self._bucket_readers.shutdown()
