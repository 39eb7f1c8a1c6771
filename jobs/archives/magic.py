"""Which archive a file is, by its first bytes: names and content types lie."""

from typing import Literal

from jobs.archives.tar import BLOCK, is_header

ArchiveKind = Literal["zip", "tar", "gzip", "other"]

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
