"""Archives are walked, never unpacked.

    upload ─ sniff_file ─┬─ zip, tar ──────────────────────── walk ─┬─ Member(offset, length, …)
                         └─ gzip, bzip2, xz, ─ expand ─ tar ─ walk ─┤    → manifest
                            zstd, lz4, 7z                           └─ Skipped(name, reason)
                                  later, a worker: range read → extract → bytes

A `Member` is a byte range of the *stored* archive, so a million images cost a million small
rows and no second copy. The walkers judge the archive as a whole (count, total, ratio, overlap);
`extract` judges one member, so that one bad member costs one item: what is known to be unreadable
carries its `fault` from the start. Every file is told: as a member, or as skipped and why. Only
what is compressed as a whole is written out again, as a plain tar: nothing can be range-read in it.
"""

from jobs.archives.extraction import extract, extract_stream
from jobs.archives.gzip import expand_gzip
from jobs.archives.magic import ArchiveKind, sniff, sniff_file
from jobs.archives.members import (
    ArchiveError,
    Encoding,
    ErrorCode,
    Limits,
    Member,
    ReaderLost,
    Skipped,
    SkipReason,
)
from jobs.archives.tar import walk_tar
from jobs.archives.walking import expand, walk
from jobs.archives.zip import walk_zip

__all__ = [
    "ArchiveError",
    "ArchiveKind",
    "Encoding",
    "ErrorCode",
    "Limits",
    "Member",
    "ReaderLost",
    "SkipReason",
    "Skipped",
    "expand",
    "expand_gzip",
    "extract",
    "extract_stream",
    "sniff",
    "sniff_file",
    "walk",
    "walk_tar",
    "walk_zip",
]
