"""From items to their bytes: range reads where they lie together, guarded fetches for URLs.

Objects of buckets are read some at a time, under the ETag that they were listed with.

An item that nobody can read, such as an encrypted member of a zip, is answered with its reason.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from functools import partial
from itertools import repeat
from typing import Protocol, TypeVar

from jobs.archives import ArchiveError, extract_stream
from jobs.base.storage import CHUNK, BlobMissing, Storage
from jobs.buckets.errors import BucketError
from jobs.buckets.remote import ranges
from jobs.buckets.sources import Buckets
from jobs.inputs.manifests import Item
from jobs.results.segments import ItemError
from workers.egress import GivenUp
from workers.engine.holding.requester import Requester
from workers.engine.reading.ahead import Ranges
from workers.engine.reading.chunk import Content
from workers.engine.reading.fetching import Aside, Fetches
from workers.engine.reading.objects import STOPPED, read_objects, read_run
from workers.engine.reading.places import Place, Places, place_of
from workers.engine.reading.spool import too_large

T = TypeVar("T")

# Room for a zip member's local header, name and descriptor around its data.
_PACKING = 256 * 1024


NOT_READ = ItemError("internal_error", "not read")


class RetryStorage(Protocol):
    """Does a call of the store as often as it takes (`Hold.retry_storage`)."""

    def __call__(self, work: Callable[[], T], /) -> T:
        """Give what the call gives."""


class RefusedItem(ArchiveError):
    """The item could not be read when its archive was walked; code and sentence are of then."""


class Reader:
    """Reads the bytes of items; safe to share between threads."""

    def __init__(
        self,
        storage: Storage,
        fetches: Fetches,
        bucket_readers: Executor,
        buckets: Buckets | None = None,
    ) -> None:
        self._storage, self._fetches = storage, fetches
        self._buckets, self._threads = buckets, bucket_readers
        # Reads ranges of blobs, and of archives in buckets.
        self.ranges: Ranges = Places(storage, buckets, bucket_readers).ranges

    def read(
        self,
        items: Sequence[Item],
        max_bytes: int,
        requester: Requester | None = None,
        ranges: Ranges | None = None,
        aside: Aside | None = None,
    ) -> list[Content]:
        """Give each item's stored bytes, or why there are none; order and length are kept.

        `ranges` reads ranges of blobs and archives; by default it is those of these items alone.
        `aside` is for URLs of slow servers (`Fetches.fetch`), whose items are LATE.
        Once the requester is stopped no URL is asked for any more, and the items have no bytes.

        Raises StorageError when the store does not answer: that is no item's fault.
        """
        requester = requester or Requester()
        contents: list[Content] = list(repeat(NOT_READ, len(items)))
        by_place: dict[Place, list[int]] = defaultdict(list)
        for position, item in enumerate(items):
            if item.encoding == "refused":
                contents[position] = ItemError(item.error_code, item.error_message)
            # What is packed may be larger than what it claims to become.
            elif max(item.size, item.length - _PACKING) > max_bytes:
                contents[position] = _too_large(max(item.size, item.length), max_bytes)
            elif item.encoding not in ("url", "object"):
                by_place[place_of(item)].append(position)
        read = partial(_read_place, ranges or self.ranges, requester)
        for place, positions in by_place.items():
            for position, content in read(place, items, positions):
                contents[position] = content
        self._read_objects(items, contents, requester)
        places = [position for position, item in enumerate(items) if item.encoding == "url"]
        urls = [items[position].url for position in places]
        fetched = self._fetches.fetch(urls, max_bytes, requester, aside)
        for position, content in zip(places, fetched, strict=True):
            contents[position] = content
        return contents

    def forget(self, aside: Aside) -> None:
        """Give up the URLs that a shard has left aside."""
        self._fetches.forget(aside)

    def parts(
        self,
        item: Item,
        max_bytes: int,
        timeout_s: float,
        retry_storage: RetryStorage,
        requester: Requester | None = None,
    ) -> Iterator[bytes | memoryview]:
        """Give one item's bytes piece by piece, in bounded memory; for videos.

        `timeout_s` is for a URL's whole answer; `retry_storage` calls the store.

        Raises VideoTooLarge, ArchiveError, EgressError, BucketError or BlobMissing: the item is at
        fault; and GivenUp when the requester was stopped while a URL was fetched.
        """
        requester = requester or Requester()
        if item.encoding == "refused":
            raise RefusedItem(item.error_code, item.error_message)  # type: ignore[arg-type]  # a code
        if max(item.size, item.length - _PACKING) > max_bytes:
            raise too_large(max(item.size, item.length), max_bytes)
        if item.encoding == "url":
            return self._fetches.stream(item.url, max_bytes, timeout_s, requester)
        stored = (
            self._parts_in_bucket(item, requester)
            if item.lies_in_bucket
            else self._stored_parts(item, retry_storage)
        )
        if item.encoding == "raw" or item.encoding == "object":
            return stored
        return extract_stream(stored, item.size, item.encoding)

    def _stored_parts(
        self, item: Item, retry_storage: RetryStorage
    ) -> Iterator[bytes | memoryview]:
        end = item.offset + item.length
        for start in range(item.offset, end, CHUNK):
            length = min(CHUNK, end - start)
            (part,) = retry_storage(partial(self._storage.ranges, item.blob, [start], [length]))
            yield part

    def _parts_in_bucket(self, item: Item, requester: Requester) -> Iterator[bytes]:
        for start, length in ranges(item.length):
            if requester.stopped.is_set():
                raise GivenUp
            yield read_run(self._buckets, item, item.offset + start, length)

    def _read_objects(
        self,
        items: Sequence[Item],
        contents: list[Content],
        requester: Requester,
    ) -> None:
        # Those that were found too large have their error already.
        places = [
            position
            for position, item in enumerate(items)
            if item.encoding == "object" and contents[position] is NOT_READ
        ]
        wanted = [items[position] for position in places]
        found = read_objects(self._buckets, self._threads, wanted, requester)
        for position, content in zip(places, found, strict=True):
            contents[position] = content


def _read_place(
    ranges: Ranges,
    requester: Requester,
    place: Place,
    items: Sequence[Item],
    positions: list[int],
) -> Iterator[tuple[int, Content]]:
    chosen = [items[position] for position in positions]
    try:
        parts: Sequence[Content] = ranges(
            place,
            [item.offset for item in chosen],
            [item.length for item in chosen],
            requester,
        )
    except BlobMissing:
        gone = ItemError("input_missing", "The input file was deleted before this item ran.")
        parts = [gone] * len(positions)
    except BucketError as err:
        parts = [ItemError(err.code, str(err), err.retryable)] * len(positions)
    except GivenUp:
        parts = [STOPPED] * len(positions)
    return zip(positions, parts, strict=True)


def _too_large(size: int, limit: int) -> ItemError:
    message = f"The item has {size:,} bytes; this model takes at most {limit:,}."
    return ItemError("image_too_large", message)
