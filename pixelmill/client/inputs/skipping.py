"""Which files of a folder are sent: every one, but for system files and what is plainly no media.

Nobody can tell by its suffix what a file holds: cameras write `.HEIC`, `.ts` or `.vob`, browsers
`.jfif`, and many tools no suffix at all. So the server looks at the bytes of everything, and only
what is surely meant for something else stays here, counted and told.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

# Called with a file's name and the reason why it was left out.
OnSkip = Callable[[str, str], None]

SYSTEM_FILE = "system_file"
HIDDEN = "hidden"
ARCHIVE = "archive"
NOT_MEDIA = "not_media"
NOT_A_FILE = "not_a_file"

# What macOS, Windows, Synology's and Nextcloud's servers leave behind; in lower case.
_SYSTEM_NAMES = frozenset(
    (".ds_store", ".localized", "icon\r", "thumbs.db", "ehthumbs.db", "desktop.ini")
) | {"@eadir", "__macosx", "$recycle.bin", "system volume information", "lost+found"}

BATCH_SUFFIXES = (
    *(".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz"),
    *(".tar.zst", ".tzst", ".tar.lz4", ".7z", ".jsonl", ".ndjson"),
)

# Kinds that no server of ours opens; such a file alone is sent as it is, to be refused by its name.
_OTHER_ARCHIVES = (".rar", ".lz4", ".lz", ".lzma", ".z", ".gz", ".bz2", ".xz", ".zst", ".iso")

_DOCUMENTS = """txt md rst rtf pdf doc docx odt xls xlsx ods ppt pptx odp epub tex url lnk webloc"""
_DATA = """json jsonl ndjson csv tsv xml xmp aae yaml yml toml ini cfg conf cls parquet npy npz pkl
    h5 db sqlite log srt vtt gpx kml md5 sha1 sha256 bak tmp part"""
_PROGRAMS = """py pyc ipynb js css html htm sh bat ps1 c h cpp rs go java exe dll so dylib pt pth
    onnx safetensors ttf otf woff woff2"""
_SOUND = """mp3 wav flac ogg oga opus aac wma mid"""
_NOT_MEDIA = frozenset(
    f".{suffix}" for group in (_DOCUMENTS, _DATA, _PROGRAMS, _SOUND) for suffix in group.split()
)


@dataclass(frozen=True, slots=True)
class Skipped:
    """Files that became no item: how many, for which reasons, and the first of their names."""

    count: int = 0
    by_reason: Mapping[str, int] = field(default_factory=dict)
    names: tuple[Mapping[str, str], ...] = ()

    @classmethod
    def from_raw(cls, raw: Mapping[str, Any] | None) -> Self:
        """Read the server's answer; an older server says nothing."""
        raw = raw or {}
        by_reason, names = raw.get("by_reason") or {}, raw.get("names") or ()
        return cls(raw.get("count") or 0, dict(by_reason), tuple(names))

    def __str__(self) -> str:
        """Say it in a line: `12 files skipped: 10 system_file, 2 symlink`."""
        noun = "file" if self.count == 1 else "files"
        reasons = ", ".join(f"{count} {reason}" for reason, count in self.by_reason.items())
        return f"{self.count} {noun} skipped" + (reasons and f": {reasons}")


class SkipCount:
    """Counts what is left out while a folder is walked; `begin` starts anew."""

    MOST_NAMES = 100

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Forget what was counted: the folder is walked once more."""
        self._by_reason = Counter[str]()
        self._names: list[Mapping[str, str]] = []

    def note(self, name: str, reason: str) -> None:
        """Count one file, or a folder with all that it holds."""
        self._by_reason[reason] += 1
        if len(self._names) < self.MOST_NAMES:
            self._names.append({"name": name, "reason": reason})

    def total(self) -> Skipped:
        """Give what was counted so far."""
        by_reason = dict(self._by_reason.most_common())
        return Skipped(self._by_reason.total(), by_reason, tuple(self._names))


def reason_to_skip(name: str, *, is_folder: bool = False) -> str | None:
    """Say why a file or folder of this name is left out; None when it is sent.

    Hidden ones are: they hold settings and secrets, such as `.env`, and pictures hardly ever.
    """
    lower = name.lower()
    if lower in _SYSTEM_NAMES or lower.startswith("._"):
        return SYSTEM_FILE
    if lower.startswith("."):
        return HIDDEN
    if is_folder:
        return None
    if _suffix(lower) in _NOT_MEDIA:
        return NOT_MEDIA
    return ARCHIVE if is_batch(lower) else None


def is_batch(name: str) -> bool:
    """Say whether a name is that of a job of its own: an archive of any kind, or a JSONL file."""
    return name.lower().endswith(BATCH_SUFFIXES + _OTHER_ARCHIVES)


def _suffix(name: str) -> str:
    _, dot, suffix = name.rpartition(".")
    return dot + suffix
