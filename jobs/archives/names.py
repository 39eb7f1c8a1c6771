"""A member's name: from the bytes that an archive keeps to a text that is safe to store and show.

bytes ─► UTF-8, else Shift-JIS, else EUC-KR, else a legacy code page   (`decoded`)
      ─► forward slashes, nothing invisible, never empty                (`visible`)
      ─► at most some hundred characters, still unlike every other     (`fitted`)
"""

import hashlib
import unicodedata
from collections.abc import Callable
from typing import Literal

from jobs.archives.members import Limits

LegacyPage = Literal["cp437", "latin-1"]

# Joiners that words and emoji are written with: the only invisible characters that stay.
_JOINERS = "\u200c\u200d"
_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_MAX_SUFFIX = 16


def label(raw: bytes, legacy: LegacyPage, number: int, limits: Limits) -> str:
    """Give a member's name as it is shown and stored; `number` is its place, counted from 1."""
    name = visible(decoded(raw, legacy))
    return fitted(name, raw, limits) if name.strip(" /") else f"unnamed-{number}"


def decoded(raw: bytes, legacy: LegacyPage) -> str:
    """Give the text of a name whose encoding nobody states, or states wrongly.

    UTF-8 whatever the archive's flags say, as nearly every tool of today writes it. Then what
    Windows writes in Japan and Korea, where all of the name reads as that. Else `legacy`, which
    gives each of the 256 bytes a letter of its own.
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        pass
    for page, is_plausible in _EAST_ASIAN:
        try:
            name = raw.decode(page)
        except UnicodeDecodeError:
            continue
        if is_plausible(name):
            return name
    return raw.decode(legacy)


def _is_japanese(name: str) -> bool:
    """Whether Shift-JIS made words of it: "Stra\xe1e" of cp437 gives one kanji between letters."""
    letters = [letter for letter in name if not letter.isascii()]
    if not all(_is_kana_or_kanji(letter) for letter in letters):
        return False
    narrow = sum("\uff61" <= letter <= "\uff9f" for letter in letters)
    return 2 * narrow <= len(letters) and _stands_in_words(name)


def _is_kana_or_kanji(letter: str) -> bool:
    return "\u3000" <= letter <= "\u30ff" or "\u4e00" <= letter <= "\u9fff" or letter > "\uff00"


def _is_korean(name: str) -> bool:
    hangul = all(letter.isascii() or "\uac00" <= letter <= "\ud7a3" for letter in name)
    return hangul and _stands_in_words(name)


def _stands_in_words(name: str) -> bool:
    """Whether a run of two wide letters is there, and no single one that touches a letter."""
    runs, run, touched = [], 0, False
    for before, letter in zip(" " + name, name + " ", strict=True):
        if letter.isascii():
            if run == 1 and (touched or letter.isalpha()):
                return False
            runs.append(run)
            run = 0
        else:
            touched = before.isalpha() and before.isascii() if run == 0 else touched
            run += 1
    return max(runs) > 1


_EAST_ASIAN: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("cp932", _is_japanese),
    ("cp949", _is_korean),
)


def visible(name: str) -> str:
    """Give a name in which nothing hides: what steers a terminal or turns text around is written.

    Control characters get their Unicode pictures (NUL becomes ␀), others an escape: names that
    differ still differ.
    """
    name = name.replace("\\", "/")
    if name.isprintable():  # as a rule
        return name
    return "".join(map(_shown_letter, name))


def _shown_letter(letter: str) -> str:
    code = ord(letter)
    if code < 0x20 or code == 0x7F:
        return "\u2421" if code == 0x7F else chr(0x2400 + code)
    if unicodedata.category(letter) not in _INVISIBLE or letter in _JOINERS:
        return letter
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def fitted(name: str, raw: bytes, limits: Limits) -> str:
    """Give a name within its limits: a long one ends in a hash of all its bytes, then its suffix.

    Paths are cut at the end of their folders' names, never in the suffix that says what it is.
    """
    if len(name) <= limits.max_name_bytes // 4 and len(name) <= limits.max_name_chars:
        return name  # no letter has more than four bytes
    if len(name) <= limits.max_name_chars and len(name.encode()) <= limits.max_name_bytes:
        return name
    stem, dot, suffix = name.rpartition(".")
    if not dot or len(suffix) > _MAX_SUFFIX or "/" in suffix:
        stem, suffix = name, ""
    end = f"…{hashlib.blake2b(raw, digest_size=8).hexdigest()}{dot if suffix else ''}{suffix}"
    stem = stem[: limits.max_name_chars - len(end)]
    room = max(limits.max_name_bytes - len(end.encode()), 0)
    return stem.encode()[:room].decode("utf-8", "ignore") + end


def shown(name: str) -> str:
    """A name for an error message: quoted, and short however long it is."""
    return repr(name if len(name) <= 200 else f"{name[:200]}…")
