"""From a member's byte range to the member's bytes: what a worker runs for every item."""

from collections.abc import Callable, Iterable, Iterator

from jobs.archives.members import ArchiveError, Encoding
from jobs.archives.source import Source, unreadable
from jobs.archives.tar.sparse import sparse_pieces
from jobs.archives.zip.member import stored_whole, zip_pieces


def extract(data: bytes | memoryview, encoding: Encoding, max_bytes: int, size: int) -> bytes:
    """The bytes of one member.

    `data` is what was read at the member's `offset`, `length` bytes; `size` is the member's
    `size`; `max_bytes` is the most that a member may have. Output is capped at `size` + 1 bytes
    while it grows (pieces are joined at the end: twice that for a moment).

    Raises ArchiveError: `archive_too_large` before anything is inflated when `size` is over
    `max_bytes`; `corrupt_archive` when length or checksum differ from what was declared;
    `unsupported_archive` for encryption or a method that nothing here reads.
    """
    if size > max_bytes:
        raise ArchiveError(
            "archive_too_large",
            f"The member has {size:,} bytes, over the {max_bytes:,} that one item may have. "
            "Make the image smaller.",
        )
    if encoding == "raw":
        if len(data) != size:
            unreadable(f"{len(data):,} bytes were read of a member of {size:,}")
        return bytes(data)
    whole = stored_whole(data, size) if encoding == "zip" else None
    return b"".join(extract_stream([data], size, encoding)) if whole is None else whole


def extract_stream(
    parts: Iterable[bytes | memoryview], size: int, encoding: Encoding = "zip"
) -> Iterator[bytes]:
    """The bytes of one member, piece by piece, in bounded memory.

    `parts` are its byte range, cut anywhere; `size` is the member's `size`. What was given is whole
    only when the iterator has ended. Raises ArchiveError as `extract` does.
    """
    yield from _PIECES[encoding](Source(parts), size)


def _raw_pieces(source: Source, size: int) -> Iterator[bytes]:
    given = 0
    while part := source.next():
        given += len(part)
        yield bytes(part)
    if given != size:
        unreadable(f"{given:,} bytes were read of a member of {size:,}")


_PIECES: dict[Encoding, Callable[[Source, int], Iterator[bytes]]] = {
    "raw": _raw_pieces,
    "zip": zip_pieces,
    "sparse": sparse_pieces,
}
