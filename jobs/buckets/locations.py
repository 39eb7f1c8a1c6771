"""Addresses of buckets and objects, taken apart: pure code.

    s3://bucket/path/of/key       gs://bucket/path/of/key
    az://account/container/key    file:///folder/of/the/server

The key is taken as it is written and never decoded: `%2e` is a percent sign, a 2 and an e to a
store. Whatever a store, a library or a reader could take for another key (`..`, empty segments,
percent signs that stand for separators) is refused, never repaired.
"""

import re
from dataclasses import dataclass
from typing import Literal, get_args

from jobs.inputs.budgets import is_unseen

Scheme = Literal["s3", "gs", "az", "file"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)

LONGEST_KEY = 1024
"""Bytes of a key, as in S3."""

LONGEST_ADDRESS = 2048
"""Characters of an address."""

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_CONTAINER = re.compile(r"[$a-z0-9][a-z0-9-]{1,62}")
# Percent-encoded: a dot, a slash, a backslash, a percent sign, or a control character.
_ENCODED = re.compile(r"%(2e|2f|5c|25|[01][0-9a-f]|7f)", re.IGNORECASE)


class LocationError(ValueError):
    """The address cannot be meant; the message says why, and can be shown to a tenant."""


@dataclass(frozen=True, slots=True)
class Location:
    """A bucket and a key in it, or a folder of keys; `bucket` of az is `account/container`."""

    scheme: Scheme
    bucket: str
    # The key's segments; those of a folder's path of the server, for file.
    parts: tuple[str, ...]

    def __str__(self) -> str:
        """Write it as its caller would, without a slash at the end."""
        return "/".join((f"{self.scheme}://{self.bucket}", *self.parts))

    @property
    def key(self) -> str:
        """The key, or the folder's name without a slash at its end; empty for a whole bucket."""
        return "/".join(self.parts)

    @property
    def folder(self) -> str:
        """The address as a prefix, with the slash at its end."""
        return f"{self}/"

    def covers(self, other: "Location") -> bool:
        """Whether `other` is this one or lies below it: by whole segments, `path` not `pathX`."""
        same = (self.scheme, self.bucket) == (other.scheme, other.bucket)
        return same and other.parts[: len(self.parts)] == self.parts

    def below(self, key: str) -> "Location":
        """Give an object of the same bucket by its key; raises LocationError."""
        return Location(self.scheme, self.bucket, _parts(key, f"{self.scheme}://{self.bucket}/"))

    def name_in(self, folder: "Location") -> str:
        """Give an object's key relative to a folder that covers it."""
        return "/".join(self.parts[len(folder.parts) :])


def read_location(text: str) -> Location:
    """Take an address apart; raises LocationError saying what is wrong and what to write."""
    scheme, mark, rest = text.partition("://")
    if not mark or scheme not in SCHEMES:
        raise LocationError(
            f"{_shown(text)} is no address of a bucket: it begins with s3://, gs://, az:// or "
            "file://."
        )
    known: Scheme = scheme
    if known == "file":
        return _file_location(rest, text)
    bucket, _, key = rest.partition("/")
    if known == "az":
        container, _, key = key.partition("/")
        _check(_ACCOUNT, bucket, "account", text)
        _check(_CONTAINER, container, "container", text)
        return Location(known, f"{bucket}/{container}", _parts(key, text))
    _check(_BUCKET, bucket, "bucket", text)
    return Location(known, bucket, _parts(key, text))


def _file_location(rest: str, text: str) -> Location:
    if not rest.startswith("/"):
        raise LocationError(f"{_shown(text)} names no folder: write file:///folder in full.")
    parts = _parts(rest[1:], text)
    if not parts:
        raise LocationError("file:/// is the whole server; name a folder.")
    return Location("file", "", parts)


def _parts(key: str, text: str) -> tuple[str, ...]:
    if not key:
        return ()
    parts = key.removesuffix("/").split("/")
    if len(key.encode("utf-8", "surrogatepass")) > LONGEST_KEY:
        raise LocationError(f"The key in {_shown(text)} has more than {LONGEST_KEY:,} bytes.")
    if any(part in ("", ".", "..") for part in parts):
        raise LocationError(
            f"The key {_shown(key)} has an empty segment, or one that is . or ..: no file can be "
            "read by it here."
        )
    if "\\" in key or any(map(is_unseen, key)):
        raise LocationError(
            f"The key {_shown(key)} has a backslash, or a character that cannot be seen: no file "
            "can be read by it here."
        )
    if _ENCODED.search(key):
        raise LocationError(
            f"The key {_shown(key)} has a percent-encoded separator in it; write keys as they are, "
            "without encoding."
        )
    return tuple(parts)


def _check(pattern: re.Pattern[str], name: str, what: str, text: str) -> None:
    if not pattern.fullmatch(name) or ".." in name:
        raise LocationError(f"{_shown(text)} names no {what}: {_shown(name)} cannot be one.")


def _shown(text: str) -> str:
    """Give text of a stranger in a form that is safe to show: short, quoted, ASCII."""
    return ascii(text[:120])
