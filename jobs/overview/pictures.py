"""An item's own picture, for a browser to show: read as a worker reads it, but never decoded.

raw, zip, sparse   from the blob of the input
object             from its bucket, under the ETag that it was listed with
url                not at all: whoever looks at a page calls no stranger
"""

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import select

from jobs.archives import ArchiveError, extract_stream
from jobs.base.bootstrap import Ground
from jobs.base.errors import Conflict, NotFound
from jobs.base.states import ItemStatus, ShardState
from jobs.base.storage import CHUNK, BlobMissing
from jobs.buckets.errors import BucketError
from jobs.buckets.locations import read_location
from jobs.buckets.remote import Found
from jobs.buckets.sources import Buckets, read_owner
from jobs.inputs.manifests import Item, Manifest
from jobs.results.segments import Row, read_segment
from jobs.tables import Job, Shard

# More is not for a page.
LARGEST = 32 * 1024 * 1024
# What a browser shows, by its first bytes; nothing that can hold a script is among them.
_KINDS = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
)


class OnlySmall(NotFound):
    """A picture is not for a browser as it is: of another kind, or too large for a page."""


class Picture(NamedTuple):
    """A file that a browser shows, and its media type."""

    content: bytes
    kind: str


def read_item(ground: Ground, job: Job, index: int) -> Item:
    """Give an item of a job by its index; raises NotFound, and Conflict before there are any."""
    if job.manifest is None:
        raise Conflict(f"The items of job {job.id} are still being listed.")
    if index >= job.total:
        raise NotFound(f"Job {job.id} has no item {index}: it has {job.total}, counted from 0.")
    try:
        return Manifest(ground.storage, job.manifest).items(index, 1)[0]
    except BlobMissing as err:
        raise NotFound(f"The list of job {job.id}'s items was erased.") from err


def read_result(ground: Ground, job: Job, index: int) -> Row | None:
    """Give an item's result; None where it has none yet, or never ran."""
    with ground.database.read() as session:
        found = session.execute(
            select(Shard.segment, Shard.state).where(
                Shard.job_id == job.id,
                Shard.state.in_((ShardState.DONE, ShardState.CANCELLED)),
                Shard.first <= index,
                Shard.first + Shard.count > index,
            )
        ).one_or_none()
    if found is None or found.segment is None:
        return None
    try:
        rows = read_segment(ground.storage, found.segment)
        return next((row for row in rows if row.index == index), None)
    except BlobMissing:
        return None


def picture_of(ground: Ground, buckets: Buckets, job: Job, index: int) -> Picture:
    """Give an item's picture; raises NotFound, saying why there is none to be shown.

    Raises OnlySmall where a small one may be (jobs.results.opened).
    """
    if (reason := unseen(job)) is not None:
        raise NotFound(reason)
    item = read_item(ground, job, index)
    if (reason := unopened(item)) is not None:
        raise NotFound(reason)
    if (reason := unshowable(item)) is not None:
        raise OnlySmall(reason)
    try:
        content = b"".join(_parts(ground, buckets, item))
    except BlobMissing as err:
        raise NotFound("The input was deleted, and its pictures with it.") from err
    except (ArchiveError, BucketError) as err:
        raise NotFound(f"The picture cannot be read: {err}") from err
    kind = media_type_of(content)
    if kind is None:
        raise OnlySmall("Browsers do not show files of this kind.")
    return Picture(content, kind)


def unseen(job: Job) -> str | None:
    """Say why none of a job's pictures can be shown; None where they can."""
    if job.inputs_erased_at is not None:
        return "The inputs were erased, and their pictures with them."
    return None


def unopened(item: Item) -> str | None:
    """Say why nobody fetches an item's bytes to show it; None where somebody may."""
    if item.encoding == "url":
        return "The picture lies at an address, which is not called again to show it."
    if item.encoding == "refused":
        return item.error_message
    return None


def unshowable(item: Item) -> str | None:
    """Say why an item's bytes are not sent to a browser as they are; None where they may be."""
    if (reason := unopened(item)) is not None:
        return reason
    if max(item.size, item.length) > LARGEST:
        return f"The file has {item.size:,} bytes: pages show pictures of up to {LARGEST:,}."
    return None


def media_type_of(content: bytes) -> str | None:
    """Tell by its first bytes which picture a file is that browsers show; None for any other."""
    for start, kind in _KINDS:
        if content.startswith(start):
            return kind
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    if content[4:12] in (b"ftypavif", b"ftypavis"):
        return "image/avif"
    return None


def is_drawable(row: Row) -> bool:
    """Say whether a result has a size to draw on."""
    return row.status is ItemStatus.SUCCEEDED and bool(row.width and row.height)


def _parts(ground: Ground, buckets: Buckets, item: Item) -> Iterator[bytes | memoryview]:
    if item.encoding == "object":
        location = read_location(item.url)
        bucket = buckets.bucket(read_owner(item.blob), location)
        known = Found(location.key, item.size, item.etag)
        return iter([bucket.read(location, known, 0, item.size)] if item.size else [])
    stored = _stored(ground, item)
    if item.encoding == "raw":
        return stored
    assert item.encoding in ("zip", "sparse")
    return extract_stream(stored, item.size, item.encoding)


def _stored(ground: Ground, item: Item) -> Iterator[memoryview]:
    end = item.offset + item.length
    for start in range(item.offset, end, CHUNK):
        yield from ground.storage.ranges(item.blob, [start], [min(CHUNK, end - start)])
