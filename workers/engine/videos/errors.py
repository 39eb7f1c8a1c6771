"""What went wrong with a video, as its item's error."""

from jobs.archives import ArchiveError
from jobs.base.storage import BlobMissing
from jobs.buckets.errors import BucketError
from jobs.results.segments import ItemError
from models.records.errors import ModelError
from workers.egress import EgressError
from workers.engine.reading.postponed import of_url
from workers.engine.reading.spool import DiskFull
from workers.walls.films import FilmError


class NotInferred(Exception):
    """The network gave no answer; `error` says why."""

    def __init__(self, error: ItemError) -> None:
        super().__init__(error.message)
        self.error = error


def error_of(err: Exception) -> ItemError | None:
    """Turn what went wrong into an item's error; None for what nobody foresaw."""
    if isinstance(err, NotInferred | FilmError):
        return err.error
    if isinstance(err, EgressError):
        return of_url(err)
    if isinstance(err, ModelError | BucketError):
        return ItemError(err.code, str(err), err.retryable)
    if isinstance(err, ArchiveError):
        return ItemError(err.code, str(err))
    if isinstance(err, BlobMissing):
        return ItemError("input_missing", "The input file was deleted before this item ran.")
    if isinstance(err, DiskFull):
        return ItemError("out_of_disk", str(err), retryable=True)
    if isinstance(err, MemoryError):
        message = "There was not enough memory to decode this item."
        return ItemError("out_of_memory", message, retryable=True)
    return None
