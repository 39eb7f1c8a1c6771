"""Which archive a file is, by its first bytes: names and content types lie."""

from typing import BinaryIO, Literal

from jobs.archives.tar import BLOCK, is_header

ArchiveKind = Literal[
    "zip",
    "tar",
    "gzip",
    "bzip2",
    "xz",
    "zstd",
    "7z",
    "lz4",
    "lzip",
    "lzma",
    "compress",
    "rar",
    "other",
]
"""zip and tar are walked; every other but "other" goes through `expand`, which reads or refuses."""

# A local header, or the end record of a zip with no members.
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_GZIP = b"\x1f\x8b"


def sniff(head: bytes) -> ArchiveKind:
    """The kind of file that starts with `head`; give it 512 bytes or more.

    A self-extracting zip starts with a program and is "other"; `walk_zip` still reads it.
    """
    if head.startswith(_ZIP):
        return "zip"
    if head.startswith(_GZIP):
        return "gzip"
    if head[257:262] == b"ustar" or is_header(head[:BLOCK]):
        return "tar"
    return "other"


def sniff_file(file: BinaryIO) -> ArchiveKind:
    """The kind of a whole file: also a zip behind a program. Leaves the file at its beginning."""
    file.seek(0)
    kind = sniff(file.read(BLOCK))
    file.seek(0)
    return kind
