"""Blobs: a local folder by default, or any object store that obstore knows by URL.

    inputs/{tenant}/{file id}                    what a tenant uploaded
    inputs/parts/{upload id}/{start}-{token}     a part of an upload that is not finished
    jobs/{job id}/manifest-{token}.parquet       the job's items, in order
    jobs/{job id}/pack-{token}                   inputs that came inside a request, end to end
    jobs/{job id}/segments/{first}-{fence}-{token}.parquet
    jobs/{job id}/overlays/{first}-{fence}-{token}              their results drawn, end to end
    jobs/{job id}/thumbnails/{first}-{fence}-{token}            their pictures, small
    jobs/{job id}/changes-{token}.parquet        the items that two versions answer differently
    jobs/{job id}/truth-{token}.parquet          what is true of the items of an evaluation
    jobs/{job id}/training-{fence}-{token}.safetensors      where a training goes on
    jobs/{job id}/checkpoints/{index}/{windows}-{fence}-{sha256}.safetensors
    models/{weights id}.safetensors              the weights of one version of a model
    watches/{id}.parquet                         what a watch has seen (jobs.watches.seen)
    probes/readyz                                written again and again (api.system.readiness)
    installations/{id}                           whose store this is (jobs.aftercare.tidying)

Every name is made here, never from a caller's words. A blob is written whole or not at all, and
never changed afterwards: whoever repeats work writes under a new name.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import SEEK_CUR, SEEK_END, RawIOBase
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit
from urllib.request import url2pathname

import obstore
from obstore.exceptions import BaseError
from obstore.store import from_url

from jobs.base.ids import new_id, new_token

CHUNK = 8 * 1024 * 1024

# Of a blob that is read as a file: what is fetched beside what was asked for, at least.
_LEAST_WINDOW = 64 * 1024
# And one of no more than this is fetched at once: as a rule all of it is wanted.
_SMALL_BLOB = 1024 * 1024

# As Rust tells of ENOSPC and EDQUOT on Linux.
_NO_ROOM = ("(os error 28)", "(os error 122)")


class StorageError(OSError):
    """The store does not answer, is full, or refuses; the same call may succeed later."""


class BlobMissing(StorageError):
    """There is no blob of this name (any more)."""


class StorageFull(StorageError):
    """There is no room for what was to be written."""


class Storage:
    """Read, write and delete blobs; safe to share between threads."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._store = _open_store(url)

    def put(self, name: str, chunks: Iterable[bytes]) -> None:
        """Write a blob from a stream of chunks, in bounded memory; nothing is left if it fails."""
        with self.create(name) as sink:
            for chunk in chunks:
                sink.write(chunk)

    @contextmanager
    def create(self, name: str) -> Iterator[BinaryIO]:
        """Write a blob piece by piece; it exists once the block has ended without an exception."""
        with _translated(name):
            # Two parts on their way at a time: obstore's twelve would hold 96 MiB for each upload.
            writer = obstore.open_writer(self._store, name, buffer_size=CHUNK, max_concurrency=2)
        yield _BlobSink(writer, name)  # type: ignore[misc]  # see open()
        # Only on success: a writer that is dropped unclosed leaves no blob behind.
        with _translated(name):
            writer.close()

    def get(self, name: str) -> bytes:
        """Read a whole blob."""
        with _translated(name):
            return bytes(obstore.get(self._store, name).bytes())

    def stream(self, name: str) -> Iterator[bytes]:
        """Read a whole blob in chunks, in bounded memory."""
        with _translated(name):
            yield from (bytes(part) for part in obstore.get(self._store, name).stream(CHUNK))

    def ranges(self, name: str, starts: Sequence[int], lengths: Sequence[int]) -> list[memoryview]:
        """Read several runs of bytes of one blob; those that lie near each other in one request."""
        # An empty run is no request that a store would answer.
        wanted = [number for number, length in enumerate(lengths) if length]
        parts = [memoryview(b"")] * len(lengths)
        if wanted:
            with _translated(name):
                found = obstore.get_ranges(
                    self._store,
                    name,
                    starts=[starts[number] for number in wanted],
                    lengths=[lengths[number] for number in wanted],
                )
            for number, part in zip(wanted, found, strict=True):
                parts[number] = memoryview(part)
        return parts

    def open(self, name: str) -> BinaryIO:
        """Open a blob as a seekable, read-only binary file."""
        # RawIOBase has all of BinaryIO's methods but is not its subclass.
        return _BlobFile(self, name)  # type: ignore[return-value]

    def size(self, name: str) -> int:
        """Give a blob's size in bytes."""
        with _translated(name):
            return int(obstore.head(self._store, name)["size"])

    def delete(self, names: Sequence[str]) -> None:
        """Delete blobs; one that is gone already is no error."""
        for name in names:
            try:
                with _translated(name):
                    obstore.delete(self._store, name)
            except BlobMissing:
                continue

    def list(self, prefix: str) -> Iterator[str]:
        """List the names of the blobs under a prefix."""
        with _translated(prefix):
            for page in obstore.list(self._store, prefix):
                yield from (entry["path"] for entry in page)

    def delete_staged(self, prefix: str, older_than_s: float) -> int:
        """Delete what writers that were killed have left half-written; gives the number of files.

        In a folder these are files that no listing shows; an object store keeps parts of uploads,
        which it deletes by a rule of its own (AbortIncompleteMultipartUpload).
        """
        if not self.url.startswith("file://"):
            return 0
        latest, count = time.time() - older_than_s, 0
        folder = Path(url2pathname(urlsplit(_file_url(self.url)).path)) / prefix
        for path in folder.rglob("*#*"):
            with suppress(FileNotFoundError):
                if path.is_file() and path.stat().st_mtime < latest:
                    path.unlink()
                    count += 1
        return count


class _BlobSink(RawIOBase):
    """A blob being written, as a file; `Storage.create` alone decides whether it comes to exist."""

    def __init__(self, writer: Any, name: str) -> None:
        self._writer, self._name = writer, name

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        with _translated(self._name):
            self._writer.write(bytes(data))
        return len(data)


class _BlobFile(RawIOBase):
    """A blob as a file, for libraries that want to seek: zipfile, tarfile, pyarrow.

    Reads are answered from a window of the blob. Whoever reads on where the window ends, or a
    little behind it, has the next one read twice as large: the headers of a thousand small files in
    an archive are a few requests, and those of large files fetch little of what they skip.
    """

    def __init__(self, store: Storage, name: str) -> None:
        self._store, self._name = store, name
        self._size = store.size(name)
        self._place = 0
        self._start, self._held = 0, memoryview(b"")
        self._ahead = _LEAST_WINDOW

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place, also behind the end; nothing is read."""
        base = {SEEK_CUR: self._place, SEEK_END: self._size}.get(whence, 0)
        if base + offset < 0:
            raise ValueError("nothing lies before the beginning of a file")
        self._place = base + offset
        return self._place

    def read(self, size: int | None = -1, /) -> bytes:
        """Read so many bytes, fewer only at the end; all that is left by default."""
        left = max(0, self._size - self._place)
        count = left if size is None or size < 0 else min(size, left)
        if not count:
            return b""
        if not self._start <= self._place < self._place + count <= self._start + len(self._held):
            self._fetch(count)
        first = self._place - self._start
        self._place += count
        return bytes(self._held[first : first + count])

    def readinto(self, buffer: Any, /) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _fetch(self, count: int) -> None:
        """Move the window so that it holds `count` bytes from the place on."""
        if self._size <= _SMALL_BLOB:
            start, length = 0, self._size
        else:
            passed = self._place - (self._start + len(self._held))
            goes_on = bool(self._held) and -count < passed <= self._ahead
            self._ahead = min(2 * self._ahead, CHUNK) if goes_on else _LEAST_WINDOW
            start = self._place
            length = min(max(count, self._ahead), self._size - start)
        (self._held,) = self._store.ranges(self._name, [start], [length])
        self._start = start


def input_name(tenant_id: str, file_id: str) -> str:
    """Name the blob of an uploaded file."""
    return f"inputs/{tenant_id}/{file_id}"


def upload_prefix(upload_id: str) -> str:
    """Name the folder of the parts of an upload that resumes."""
    return f"inputs/parts/{upload_id}/"


def upload_part_name(upload_id: str, start: int) -> str:
    """Name a part that begins at byte `start`; each try to store it writes its own."""
    return f"{upload_prefix(upload_id)}{start:015d}-{new_token()}"


def manifest_name(job_id: str) -> str:
    """Name a manifest; each try to prepare a job writes its own."""
    return f"jobs/{job_id}/manifest-{new_token()}.parquet"


def pack_name(job_id: str) -> str:
    """Name the blob that holds inputs which came inside the request."""
    return f"jobs/{job_id}/pack-{new_token()}"


def segment_name(job_id: str, first: int, fence: int) -> str:
    """Name a segment; each lease of a shard writes its own."""
    return f"jobs/{job_id}/segments/{first:09d}-{fence}-{new_token()}.parquet"


def overlays_name(segment: str) -> str:
    """Name the blob of a segment's overlays: in another folder, for data frames read whole ones."""
    return segment.removesuffix(".parquet").replace("/segments/", "/overlays/", 1)


def thumbnails_name(segment: str) -> str:
    """Name the blob of the small pictures of a segment's items."""
    return segment.removesuffix(".parquet").replace("/segments/", "/thumbnails/", 1)


def opened_name(job_id: str, first: int, fence: int) -> str:
    """Name the blob of small pictures that somebody opened; each lease writes its own."""
    return f"jobs/{job_id}/thumbnails/opened-{first:09d}-{fence}-{new_token()}"


def earlier_overlays_name(segment: str) -> str:
    """Give the name that the blob of a segment's overlays had up to version 0.3."""
    return segment.removesuffix(".parquet") + ".overlays"


def changes_name(job_id: str) -> str:
    """Name the changes of a comparison; each try to compute it writes its own."""
    return f"jobs/{job_id}/changes-{new_token()}.parquet"


def truth_name(job_id: str) -> str:
    """Name what is true of an evaluation's items; each try to prepare it writes its own."""
    return f"jobs/{job_id}/truth-{new_token()}.parquet"


def training_name(job_id: str, fence: int) -> str:
    """Name what a training needs to go on; each turn writes its own."""
    return f"jobs/{job_id}/training-{fence}-{new_token()}.safetensors"


def checkpoint_prefix(job_id: str, index: int) -> str:
    """Name the folder of the places that one video of a job has been left at."""
    return f"jobs/{job_id}/checkpoints/{index:09d}/"


def checkpoint_name(job_id: str, index: int, windows: int, fence: int, digest: str) -> str:
    """Name a checkpoint after so many windows; in the order of names the furthest comes last."""
    name = f"{windows:09d}-{fence}-{digest}.safetensors"
    return checkpoint_prefix(job_id, index) + name


def weights_name() -> str:
    """Name the weights of a version; each registration writes its own."""
    return f"models/{new_id('wgt')}.safetensors"


def check_name() -> str:
    """Name what a version is to be held against; erased when it was tried out."""
    return f"models/{new_id('chk')}.json"


def seen_name() -> str:
    """Name what a watch has seen; each look at its folder that finds something writes its own."""
    return f"watches/{new_id('seen')}.parquet"


def _open_store(url: str) -> Any:
    if url.startswith("file://"):
        return from_url(_file_url(url), mkdir=True)
    return from_url(url)


def _file_url(url: str) -> str:
    """Make a folder's URL absolute: `file://blobs` is one below the working folder."""
    if url.startswith("file:///"):
        return url
    return Path(url.removeprefix("file://")).resolve().as_uri()


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """Turn what obstore raises into our errors."""
    try:
        yield
    except FileNotFoundError as err:
        raise BlobMissing(f"blob {name} does not exist") from err
    except (BaseError, OSError) as err:
        kind = StorageFull if any(sign in str(err) for sign in _NO_ROOM) else StorageError
        raise kind(f"storage failed on blob {name}: {_first_line(err)}") from err


def _first_line(err: BaseException) -> str:
    return (str(err).splitlines() or [type(err).__name__])[0]
