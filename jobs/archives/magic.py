"""Which archive a file is, by its bytes: names and content types lie."""

from typing import BinaryIO, Literal

from jobs.archives.members import ArchiveError
from jobs.archives.tar.headers import BLOCK, is_header
from jobs.archives.zip.directory import find_directory

ArchiveKind = Literal[
    "zip", "tar", "gzip", "bzip2", "xz", "zstd", "7z", "lz4",
    "rar", "lzip", "lzma", "compress", "cabinet", "other",
]  # fmt: skip
"""zip and tar are walked; every other but "other" goes through `expand`, which reads or refuses."""

# A local header, the end record of a zip with no members, and the mark of a zip that was to be
# split and then was not (APPNOTE 8.5.4), which 7-Zip and WinZip write before the first header.
_MAGIC: tuple[tuple[bytes, ArchiveKind], ...] = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"PK00PK\x03\x04", "zip"),
    (b"PK\x07\x08PK\x03\x04", "zip"),
    (b"\x1f\x8b", "gzip"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"Rar!\x1a\x07", "rar"),
    (b"LZIP", "lzip"),
    (b"MSCF\x00\x00\x00\x00", "cabinet"),
    (b"\x1f\x9d", "compress"),
)
_BZIP2 = b"BZh"
_BZIP2_BLOCKS = (b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90")  # first, and none
_LZMA_ALONE = b"\x5d\x00\x00"  # then the dictionary's size; then -1, a size not known
# A frame that zstd's parallel tools put first: a number from 0 to 15, and 4 bytes of length.
_SKIPPABLE = b"\x2a\x4d\x18"
# Programs that a self-extracting zip begins with: Windows, Linux, macOS, a shell's script.
_PROGRAMS = (b"MZ", b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"#!")
_LOCAL_HEADER = b"PK\x03\x04"


def sniff(head: bytes) -> ArchiveKind:
    """The kind of file that starts with `head`; give it 512 bytes or more.

    A self-extracting zip starts with a program and is "other": `sniff_file` knows it.
    """
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head.startswith(_BZIP2) and head[4:10] in _BZIP2_BLOCKS:
        return "bzip2"
    if head[:1] and head[0] >> 4 == 5 and head[1:4] == _SKIPPABLE:
        return "zstd"
    if head.startswith(_LZMA_ALONE) and head[5:13] == b"\xff" * 8:
        return "lzma"
    if head[257:262] == b"ustar" or is_header(head[:BLOCK]):
        return "tar"
    return "other"


def sniff_file(file: BinaryIO) -> ArchiveKind:
    """The kind of a whole file: also a zip behind a program, by its end record.

    A picture or film with a zip behind it stays "other". Leaves the file at its beginning.
    """
    file.seek(0)
    head = file.read(BLOCK)
    kind = sniff(head)
    if kind == "other" and head.startswith(_PROGRAMS) and _ends_as_zip(file):
        kind = "zip"
    file.seek(0)
    return kind


def _ends_as_zip(file: BinaryIO) -> bool:
    try:
        directory = find_directory(file)
    except ArchiveError:
        return False
    return directory.entries > 0
