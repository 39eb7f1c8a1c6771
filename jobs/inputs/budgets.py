"""How much of a stranger's words is kept, in one place: names, URLs, notes, whatever the door.

    JSON, JSONL      what is too long or cannot be seen is refused, with its line: it is the
                     caller's own word, by which the result is looked for
    archive, file,   what is too long is shortened, and what cannot be seen is written out: nobody
    multipart        chose these names for us, and one of them is no reason to refuse a job

Characters are Unicode's, bytes those of UTF-8.
"""

import hashlib
import unicodedata

LONGEST_ID = 512
"""Characters of a `custom_id`."""
LONGEST_URL = 8192
"""Characters of an item's URL."""
LONGEST_DATA = 100 * 1024 * 1024
"""Bytes of an item that comes as base64, where the settings say nothing else."""
LONGEST_METADATA = 4096
"""Bytes of what an archive says of one item, as JSON."""
LONGEST_FAULT = 1024
"""Characters of the reason why an item cannot be read."""
LISTED_SKIPS = 100
"""Names listed of the files that became no item; all are counted."""
MOST_REASONS = 32
"""Words for why files were skipped; further ones are counted as `other`."""

NAMELESS = "(no name)"

# What a shortened name keeps of its end, which holds the suffix.
_TAIL = 64
# Joiners: parts of words in Persian and Hindi and of many emoji.
_JOINERS = "\u200c\u200d"
_UNSEEN = ("Cc", "Cf", "Zl", "Zp", "Cs")


def fit_name(name: str) -> str:
    """Give a name as a `custom_id`: seen in full, of 1 to LONGEST_ID characters.

    Two names that differ still differ: what is cut out leaves a digest of the whole in its place.
    """
    seen = visible(name)
    if not seen.strip():
        # Blanks differ in their number, and that is kept.
        seen = f"{NAMELESS}{seen}"
    return seen if len(seen) <= LONGEST_ID else shortened(seen)


def shortened(name: str, room: int = LONGEST_ID) -> str:
    """Give the beginning and the end of a name with a digest of it between, in `room` characters.

    The same name gives the same text, and another name another.
    """
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    mark = f"…{digest}…"
    return name[: room - len(mark) - _TAIL] + mark + name[-_TAIL:]


def visible(text: str) -> str:
    """Write out what cannot be seen: control characters, turns of direction, half surrogates."""
    if text.isprintable():  # nearly always
        return text
    return "".join(_written(char) if is_unseen(char) else char for char in text)


def is_unseen(char: str) -> bool:
    """Say whether a character shows nothing of itself or changes how others show.

    U+202E turns `gpj.exe` around. Blanks of other languages, such as U+3000, are seen.
    """
    return unicodedata.category(char) in _UNSEEN and char not in _JOINERS


def _written(char: str) -> str:
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"\\u{code:04x}"
