"""What every archive format shares: members, what is skipped, limits and the error."""

from dataclasses import dataclass
from typing import Literal, NoReturn

Encoding = Literal["raw", "zip", "sparse"]
"""How a member's byte range holds it.

raw: as it is; zip: local header, then data; sparse: the tar headers of the member, which say where
its holes are, then its pieces. `extract` and `extract_stream` read all three.
"""

SkipReason = Literal["symlink", "device", "system_file", "not_media", "sidecar", "replaced"]
"""Why a file of an archive becomes no item. Folders are not told.

symlink: a symbolic link, or a hard link to nothing that the archive holds before it.
device: a device, a pipe, a volume's label: what holds no bytes of its own.
system_file: what macOS, Windows or a network drive left behind, as `.DS_Store` or `Thumbs.db`.
not_media: plainly no picture or film by its suffix, as `.txt`, among others that may be one.
sidecar: the `.json`, `.cls` or `.txt` of a WebDataset sample: kept as its picture's `metadata`.
replaced: a tar holds a later file of the same name, which replaces this one as tar unpacks it.
"""

ErrorCode = Literal["corrupt_archive", "archive_too_large", "unsupported_archive"]

MIB = 1024 * 1024

RATIO_FLOOR = 32 * MIB
"""Unpacked bytes below which no ratio is judged: a few blank images are no bomb."""


class ArchiveError(Exception):
    """The archive, or one member of it, cannot be used. `code` says why in one word."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        """`message` says what is wrong, where, and what to do."""
        super().__init__(message)
        self.code: ErrorCode = code


class ReaderLost(ArchiveError):
    """The process that read the archive has died: the archive ended it, or somebody else did."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one archive may hold. Sizes are uncompressed bytes."""

    max_members: int = 10_000_000
    """Entries of every kind: folders and links cost the walk as much as files do."""
    max_member_bytes: int = 100 * MIB
    """For `extract`: the walkers yield a larger member, so that it costs one item."""
    max_total_bytes: int = 1024 * 1024 * MIB
    max_ratio: float = 200.0
    """Unpacked over packed bytes of the whole archive, judged above `RATIO_FLOOR`."""
    max_name_chars: int = 512
    max_name_bytes: int = 2048
    """A longer name is shortened, and told apart by a hash of all of it."""
    max_header_bytes: int = 64 * 1024
    """One extended header of a tar, which is read into memory."""
    max_headers_in_row: int = 64
    """Extended headers before one entry of a tar."""
    max_listing_bytes: int = 256 * MIB
    """What a tar's names and metadata may take in memory, compressed, while it is judged."""
    max_metadata_bytes: int = 4096
    """What the sidecars of one member may take together, as JSON text in UTF-8."""


@dataclass(frozen=True, slots=True)
class Member:
    """One regular file of an archive, as a byte range of it."""

    name: str
    """A label with forward slashes and no control characters. May hold `..`: never a path."""
    offset: int
    """First byte in the archive. zip: of the local header; tar: of the data."""
    length: int
    """Bytes to read from `offset`. zip: holds at least the header, the data and its descriptor."""
    size: int
    """Uncompressed bytes, as the archive declares them; `extract` holds the member to it."""
    encoding: Encoding
    fault: tuple[ErrorCode, str] | None = None
    """Why it cannot be read, as code and sentence: an item that is an error from the start."""
    metadata: str | None = None
    """JSON text of an object, `Limits.max_metadata_bytes` at most: what a WebDataset's sidecars
    say of it, by their suffix, as `{"cls": 7, "json": {"caption": "a dog"}}`."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """One file of an archive that becomes no item."""

    name: str
    reason: SkipReason


def check_count(entries: int, limits: Limits) -> None:
    """Raise ArchiveError when the archive has more entries than it may."""
    if entries > limits.max_members:
        raise ArchiveError(
            "archive_too_large",
            f"The archive has more than {limits.max_members:,} entries, files and folders "
            "together. Split it into several archives.",
        )


def check_total(unpacked: int, limits: Limits) -> None:
    """Raise ArchiveError when the archive unpacks to more bytes than it may."""
    if unpacked > limits.max_total_bytes:
        raise ArchiveError(
            "archive_too_large",
            f"The archive unpacks to more than {limits.max_total_bytes:,} bytes. "
            "Split it into several archives.",
        )


def check_ratio(unpacked: int, packed: int, limits: Limits) -> None:
    """Raise ArchiveError when the archive is packed as tightly as only a bomb is."""
    if unpacked > RATIO_FLOOR and unpacked > limits.max_ratio * packed:
        raise ArchiveError(
            "archive_too_large",
            f"The archive unpacks {packed:,} bytes to {unpacked:,}: over the {limits.max_ratio:g} "
            "to 1 that is allowed, as in a decompression bomb. Pack the images with "
            "less compression or none.",
        )


def joined(kind: str) -> NoReturn:
    """Refuse archives that were put behind each other, of which a reader sees but one."""
    raise ArchiveError(
        "unsupported_archive",
        f"The file is several {kind} archives, one behind the other. Upload each by itself, or "
        "pack all of their files into one.",
    )


def corrupt(fault: str) -> NoReturn:
    """Refuse the archive as broken; `fault` says what and where, without a full stop."""
    raise ArchiveError("corrupt_archive", f"{fault}. Pack the archive again and upload it anew.")
