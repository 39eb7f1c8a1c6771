"""From an archive to its items: walked where it lies, or made a tar first and walked then.

    zip, tar ────────────────────► a byte range of the upload for each member
    tar.gz, .bz2, .xz, .zst, 7z ─► expanded once, as a stream, into a pack; then as tar

Who does the walking is a parameter: this process itself, or one with walls around it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

import orjson

from jobs import archives
from jobs.archives import ArchiveKind, Limits, Member, Skipped, sniff_file
from jobs.base.bootstrap import Ground
from jobs.base.errors import InvalidInput
from jobs.inputs.budgets import LONGEST_FAULT, LONGEST_ID, LONGEST_METADATA, fit_name, visible
from jobs.inputs.manifests import Item
from jobs.inputs.packs import Pack
from jobs.inputs.progress import Progress
from jobs.inputs.skipping import Skips

_WALKED = ("zip", "tar")


class Archives(Protocol):
    """Reads archives (`jobs.archives.walking`)."""

    def walk(
        self, kind: ArchiveKind, file: BinaryIO, limits: Limits, beat: Callable[[], None]
    ) -> Iterator[Member | Skipped]:
        """Give every file of a zip or tar; raises ArchiveError."""

    def expand(
        self, kind: ArchiveKind, file: BinaryIO, limits: Limits, beat: Callable[[], None]
    ) -> Iterator[bytes]:
        """Give the tar that a compressed archive holds; raises ArchiveError."""


class InProcess:
    """Archives, read by this process itself."""

    def walk(
        self, kind: ArchiveKind, file: BinaryIO, limits: Limits, beat: Callable[[], None]
    ) -> Iterator[Member | Skipped]:
        """Give every file of a zip or tar; raises ArchiveError."""
        return archives.walk(kind, file, limits, beat)

    def expand(
        self, kind: ArchiveKind, file: BinaryIO, limits: Limits, beat: Callable[[], None]
    ) -> Iterator[bytes]:
        """Give the tar that a compressed archive holds; raises ArchiveError."""
        return archives.expand(kind, file, limits, beat)


IN_PROCESS = InProcess()


@dataclass(frozen=True, slots=True)
class Walk:
    """What every walk of one job needs beside its archive."""

    ground: Ground
    pack: Pack
    skips: Skips
    beat: Callable[[], None]
    archives: Archives

    def items(self, kind: ArchiveKind, stream: BinaryIO, blob: str, size: int) -> Iterator[Item]:
        """Give the items of an archive of `size` bytes; raises ArchiveError and InvalidInput."""
        progress = Progress(size, self.beat)
        if kind in _WALKED:
            return self._walked(kind, stream, blob, progress)
        return self._expanded(kind, stream, progress)

    def _walked(
        self, kind: ArchiveKind, stream: BinaryIO, blob: str, progress: Progress
    ) -> Iterator[Item]:
        watched = progress.watch(stream)
        found = self.archives.walk(kind, watched, limits_of(self.ground), progress.beat)
        yield from _items(found, blob, self.skips)

    def _expanded(self, kind: ArchiveKind, stream: BinaryIO, progress: Progress) -> Iterator[Item]:
        """Expand into a pack of its own, then walk that: such a stream has no byte ranges."""
        watched = progress.watch(stream)
        chunks = self.archives.expand(kind, watched, limits_of(self.ground), progress.beat)
        with self.pack.sibling() as tar:
            _, length = tar.add(_beating(chunks, self.beat))
        if not length:
            raise InvalidInput(f"The {kind} file is empty.", code="unsupported_archive")
        with self.ground.storage.open(tar.name) as stream:
            if sniff_file(stream) != "tar":
                raise InvalidInput(
                    f"The {kind} file does not hold a tar archive. Send a tar, packed or not, such "
                    "as .tar.gz, or the image itself.",
                    code="unsupported_archive",
                )
            yield from self._walked("tar", stream, tar.name, Progress(length, self.beat))


def limits_of(ground: Ground) -> Limits:
    """Give what one archive may hold."""
    settings = ground.settings
    return Limits(
        max_members=settings.max_items,
        max_member_bytes=settings.max_item_bytes,
        max_total_bytes=settings.max_archive_bytes,
        max_name_chars=LONGEST_ID,
        max_metadata_bytes=LONGEST_METADATA,
    )


def _items(found: Iterable[Member | Skipped], blob: str, skips: Skips) -> Iterator[Item]:
    for each in found:
        if isinstance(each, Skipped):
            skips.note(each.name, each.reason)
        else:
            yield _item(each, blob)


def _item(member: Member, blob: str) -> Item:
    custom_id, metadata = fit_name(member.name), _fitting(member.metadata)
    if member.fault is not None:
        code, message = member.fault
        told = visible(message)[:LONGEST_FAULT]
        return Item(custom_id, "refused", error_code=code, error_message=told, metadata=metadata)
    place = (member.offset, member.length, member.size)
    return Item(custom_id, member.encoding, blob, *place, metadata=metadata)


def _fitting(metadata: str | None) -> str | None:
    """Give metadata as results can show it; None where it is no object or too long, never half."""
    if metadata is None:
        return None
    try:
        value = orjson.loads(metadata)
    except orjson.JSONDecodeError:
        return None
    text = orjson.dumps(value)
    return text.decode() if isinstance(value, dict) and len(text) <= LONGEST_METADATA else None


def _beating(chunks: Iterable[bytes], beat: Callable[[], None]) -> Iterator[bytes]:
    for chunk in chunks:
        beat()
        yield chunk
