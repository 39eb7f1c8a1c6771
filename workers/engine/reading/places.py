"""Where ranges of items lie: in a blob of the storage, or in an archive in somebody's bucket.

Bytes of an archive in a bucket are read under the ETag and size that it had when it was walked.
"""

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import NamedTuple

from jobs.base.storage import Storage
from jobs.buckets.errors import BucketError
from jobs.buckets.locations import read_location
from jobs.buckets.remote import Found, ranges
from jobs.buckets.sources import Buckets, read_owner
from jobs.inputs.manifests import Item
from workers.egress import GivenUp
from workers.engine.holding.requester import Requester
from workers.engine.reading.objects import awaited


class Place(NamedTuple):
    """A blob, or an object of a bucket; then `blob` is for whom it is read (`Item.blob`)."""

    blob: str
    url: str = ""
    etag: str = ""
    size: int = 0


def place_of(item: Item) -> Place:
    """Give what an item's bytes are a range of."""
    return Place(item.blob, item.url, item.etag, item.object_size)


class Places:
    """Reads ranges of blobs and of objects; safe to share between threads."""

    def __init__(self, storage: Storage, buckets: Buckets | None, threads: Executor) -> None:
        self._storage, self._buckets, self._threads = storage, buckets, threads

    def ranges(
        self, place: Place, starts: Sequence[int], lengths: Sequence[int], requester: Requester
    ) -> list[memoryview]:
        """Read ranges, as `Storage.ranges` does; those of an object some at a time.

        Raises StorageError and BlobMissing; of an object BucketError, and GivenUp once the
        requester is stopped.
        """
        if not place.url:
            return self._storage.ranges(place.blob, starts, lengths)
        pending = [
            self._threads.submit(self._read, place, *each, requester)
            for each in zip(starts, lengths, strict=True)
        ]
        try:
            return [memoryview(awaited(each, requester.beat)) for each in pending]
        finally:
            for each in pending:
                each.cancel()

    def _read(self, place: Place, start: int, length: int, requester: Requester) -> bytes:
        if self._buckets is None:
            raise BucketError("bucket_not_allowed", "This worker reads no buckets.")
        location, parts = read_location(place.url), []
        known = Found(location.key, place.size, place.etag)
        for first, count in ranges(length):
            if requester.stopped.is_set():
                raise GivenUp
            bucket = self._buckets.bucket(read_owner(place.blob), location)
            parts.append(bucket.read(location, known, start + first, count))
        return parts[0] if len(parts) == 1 else b"".join(parts)
