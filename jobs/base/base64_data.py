"""Base64 as the world writes it: in lines, in the alphabet for URLs, with or without its padding.

RFC 4648, sections 4 and 5, and RFC 2045 for the line breaks. Both alphabets may even be mixed: no
character has two meanings.
"""

import binascii
import re

_BLANKS = b" \t\r\n"
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_FOREIGN = re.compile(r"[^A-Za-z0-9+/_\-= \t\r\n]", re.ASCII)
_PADDING = "= \t\r\n"


class Base64Error(ValueError):
    """The text is no base64, or of too many bytes; the message says where, and is no sentence."""


def decode_base64(text: str, max_bytes: int) -> bytes:
    """Give the bytes that a text stands for; raises Base64Error, before decoding if too many."""
    # Even one character a line takes no more room than this.
    if len(text) > 4 * max_bytes + 1024:
        raise Base64Error(f"it stands for more than {max_bytes:,} bytes")
    try:
        packed = text.encode("ascii").translate(_TO_STANDARD, _BLANKS)
    except UnicodeEncodeError as err:
        raise Base64Error(_at(text, err.start)) from err
    body = packed.rstrip(b"=")
    if len(body) * 3 // 4 > max_bytes:
        raise Base64Error(f"it stands for {len(body) * 3 // 4:,} bytes, over {max_bytes:,}")
    if len(body) % 4 == 1:
        raise Base64Error(_foreign(text) or f"its {len(body):,} characters break off in a group")
    padding = -len(body) % 4
    if len(packed) - len(body) > padding:
        raise Base64Error(_foreign(text) or _at(text, _place_of_padding(text)))
    try:
        return binascii.a2b_base64(body + b"=" * padding, strict_mode=True)
    except binascii.Error as err:
        raise Base64Error(_foreign(text) or str(err).lower()) from err


def _foreign(text: str) -> str | None:
    """Say where the first character stands that has no place there; None where each has."""
    if found := _FOREIGN.search(text):
        return _at(text, found.start())
    early = text.find("=", 0, _end_of_body(text))
    return _at(text, early) if early >= 0 else None


def _place_of_padding(text: str) -> int:
    """Say where the padding at the end begins; no search that a text of padding makes slow."""
    found = text.find("=", _end_of_body(text))
    return found if found >= 0 else len(text) - 1


def _end_of_body(text: str) -> int:
    return len(text.rstrip(_PADDING))


def _at(text: str, place: int) -> str:
    return f"character {place + 1:,} is {text[place]!a}"
