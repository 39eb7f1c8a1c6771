"""Small pictures of a job's items, for galleries: JPEG files of at most some kilobytes each.

Workers make them of the pixels that they have decoded anyway, and write those of a shard end to end
into one blob beside its segment, behind a table that says where each lies:

    (offset u32, length u32) for each item of the shard, in order; length 0 for none
    JPEG files; offsets count from the end of the table

They are copies of inputs: they are shown to whom the results are, as long as the inputs are there,
and erased when these are (jobs.aftercare.uploaded_files).
"""

import struct
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from sqlalchemy import select

from jobs.base.bootstrap import Ground
from jobs.base.errors import Conflict, NotFound
from jobs.base.states import ShardState
from jobs.base.storage import CHUNK, BlobMissing, Storage, thumbnails_name
from jobs.inputs.manifests import Manifest
from jobs.tables import Job, Shard

_PLACE = struct.Struct("<II")
# (offset, length) in bytes.
Place = tuple[int, int]


def write_thumbnails(
    storage: Storage, name: str, count: int, places: Mapping[int, Place], file: BinaryIO
) -> None:
    """Write the blob of that name, for `count` consecutive items.

    `places` says where in `file` the pictures lie, by the place of their items among these.
    """
    table = b"".join(_PLACE.pack(*places.get(number, (0, 0))) for number in range(count))
    file.seek(0)
    storage.put(name, _chunks(table, file))


def read_thumbnail(ground: Ground, job: Job, index: int) -> bytes:
    """Give an item's small picture, a JPEG file.

    Raises NotFound when it has none, and Conflict when it has not run yet.
    """
    check_kept(job)
    first, count, segment = _shard_of(ground, job, index)
    check_input(ground.storage, job, index)
    try:
        found = read_one(ground.storage, thumbnails_name(segment), count, index - first)
    except BlobMissing as err:
        raise NotFound(f"Item {index} of job {job.id} has no small picture.") from err
    if found is None:
        raise NotFound(f"Item {index} of job {job.id} was not decoded: it has no picture.")
    return found


def check_kept(job: Job) -> None:
    """Raise NotFound where the inputs were erased, and their copies with them."""
    if job.inputs_erased_at is not None:
        raise NotFound(f"The inputs of job {job.id} were erased, and their pictures with them.")


def read_one(storage: Storage, name: str, count: int, number: int) -> bytes | None:
    """Read a picture of a blob of `count` items; None where this one has none.

    Raises BlobMissing.
    """
    (part,) = storage.ranges(name, [number * _PLACE.size], [_PLACE.size])
    offset, length = _PLACE.unpack(part)
    if not length:
        return None
    (picture,) = storage.ranges(name, [count * _PLACE.size + offset], [length])
    return bytes(picture)


def check_input(storage: Storage, job: Job, index: int) -> None:
    """Raise NotFound where the bytes that an item was made of are gone from here.

    An item may name a file of its own, or lie in the request of the job that this one is a rerun
    of: no mark on this job says that those were deleted.
    """
    try:
        item = Manifest(storage, job.manifest or "").items(index, 1)[0]
        if item.blob and item.encoding not in ("url", "object"):
            storage.ranges(item.blob, [item.offset], [min(1, item.length)])
    except BlobMissing as err:
        raise NotFound("The input was deleted, and its pictures with it.") from err


def _chunks(table: bytes, file: BinaryIO) -> Iterator[bytes]:
    yield table
    while chunk := file.read(CHUNK):
        yield chunk


def _shard_of(ground: Ground, job: Job, index: int) -> tuple[int, int, str]:
    """Give the first item, the number of items and the segment of an item's shard."""
    with ground.database.read() as session:
        found = session.execute(
            select(Shard.first, Shard.count, Shard.segment).where(
                Shard.job_id == job.id,
                Shard.state.in_((ShardState.DONE, ShardState.CANCELLED)),
                Shard.first <= index,
                Shard.first + Shard.count > index,
            )
        ).one_or_none()
    if found is not None:
        first, count, segment = found
        if segment is None:
            raise NotFound(f"Item {index} of job {job.id} never ran: it has no small picture.")
        return first, count, segment
    if job.manifest is not None and index >= job.total:
        raise NotFound(f"Job {job.id} has no item {index}: it has {job.total}, counted from 0.")
    raise Conflict(f"Item {index} of job {job.id} has not run yet: look again when it has.")
