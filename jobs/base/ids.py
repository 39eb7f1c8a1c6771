"""Ids that sort by the time of their making, so that "newest first" is one index scan.

An id is a prefix that tells what it names, and 26 characters of Crockford's base 32: 48 bits of
milliseconds, then 80 random bits (the layout of a ULID, https://github.com/ulid/spec).
"""

import secrets
import time
from typing import Literal

Prefix = Literal[
    "job",
    "file",
    "evt",
    "whd",
    "whe",
    "ten",
    "key",
    "wgt",
    "chk",
    "can",
    "trn",
    "con",
    "alw",
    "wat",
    "seen",
    "upl",
    "shr",
]

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id(prefix: Prefix) -> str:
    """Give a fresh id, such as `job_01k9xq2v7m3c8r5t6w9y0abcde`."""
    number = (time.time_ns() // 1_000_000 << 80) | secrets.randbits(80)
    return f"{prefix}_" + "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -5, -5))


def first_id_at(prefix: Prefix, seconds: float) -> str:
    """Give the least id that can have been made at a time, in seconds since 1970."""
    number = int(seconds * 1000) << 80
    return f"{prefix}_" + "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -5, -5))


def made_at(text: str) -> float | None:
    """Give when an id was made, in seconds since 1970 by its maker's clock; None if it is none."""
    _, _, digits = text.rpartition("_")
    if len(digits) != 26 or not set(digits) <= set(_ALPHABET):
        return None
    number = 0
    for digit in digits:
        number = number << 5 | _ALPHABET.index(digit)
    return (number >> 80) / 1000


def new_token() -> str:
    """Give 16 random hexadecimal characters, to make the name of a blob unique."""
    return secrets.token_hex(8)
