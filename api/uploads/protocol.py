"""The headers of the tus protocol 1.0.0: read, checked, and answered with.

Core, and the extensions creation, creation-with-upload, expiration, termination and checksum.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING

from flask import request
from werkzeug.exceptions import BadRequest

from api.current import ground, link
from jobs.base.errors import InvalidRequest, PreconditionFailed
from jobs.base.states import UploadState
from jobs.tables import Upload

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,expiration,termination,checksum"
OFFSET_TYPE = "application/offset+octet-stream"
FILE_ID = "Pixelmill-File-Id"
PATH = "/v1/uploads"

_SUMS: dict[str, Callable[[], "hashlib._Hash"]] = {"sha256": hashlib.sha256, "sha1": hashlib.sha1}
_OVERRIDE = "HTTP_X_HTTP_METHOD_OVERRIDE"
_LONGEST_METADATA = 8192
_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a body is to sum up to."""

    sum: "hashlib._Hash"
    expected: bytes


def honour_override(environ: "WSGIEnvironment") -> None:
    """Take the method that a caller means who can send none but GET and POST."""
    method = environ.get(_OVERRIDE, "").upper()
    is_ours = environ["PATH_INFO"].startswith(f"{PATH}/")
    if is_ours and environ["REQUEST_METHOD"] == "POST" and method in ("PATCH", "DELETE"):
        environ["REQUEST_METHOD"] = method


def check_version() -> None:
    """Refuse another version of the protocol; raises PreconditionFailed."""
    told = request.headers.get("Tus-Resumable")
    if told != VERSION:
        raise PreconditionFailed(
            f"The header `Tus-Resumable: {VERSION}` is missing."
            if told is None
            else f"Version {told[:40]!r} of tus is not spoken here; use {VERSION}.",
            param="Tus-Resumable",
        )


def read_number(header: str) -> int:
    """Read a header that counts bytes; raises BadRequest."""
    text = request.headers.get(header, "")
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        raise BadRequest(f"The header `{header}` must be a number of bytes, not {text[:40]!r}.")
    return int(text)


def read_metadata() -> tuple[str, dict[str, str]]:
    """Read what the caller says of the file: as it came, and by its keys; raises BadRequest."""
    header = request.headers.get("Upload-Metadata", "").strip()
    if len(header) > _LONGEST_METADATA:
        raise InvalidRequest(
            f"`Upload-Metadata` has {len(header):,} characters; at most {_LONGEST_METADATA:,} may "
            "be.",
            param="Upload-Metadata",
        )
    found: dict[str, str] = {}
    for pair in filter(None, map(str.strip, header.split(","))):
        key, _, value = pair.partition(" ")
        if key in found:
            raise BadRequest(f"`Upload-Metadata` has {key[:40]!r} twice.")
        found[key] = _text(key, value.strip())
    return header, found


def read_checksum() -> Checksum | None:
    """Read what the body is to sum up to; raises BadRequest for a sum that is not known here."""
    header = request.headers.get("Upload-Checksum")
    if header is None:
        return None
    name, _, text = header.strip().partition(" ")
    if name not in _SUMS:
        known = " or ".join(_SUMS)
        raise BadRequest(f"`Upload-Checksum` names {name[:40]!r}; use {known}.")
    expected, total = _bytes(text.strip()), _SUMS[name]()
    if expected is None or len(expected) != total.digest_size:
        raise BadRequest(f"`Upload-Checksum` has no {name} in base64 after its name.")
    return Checksum(total, expected)


def server_headers() -> dict[str, str]:
    """Say what is spoken here."""
    return {
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(ground().settings.max_body_bytes),
        "Tus-Checksum-Algorithm": ",".join(_SUMS),
    }


def upload_headers(upload: Upload) -> dict[str, str]:
    """Say where an upload stands."""
    headers = {
        "Upload-Offset": str(upload.received),
        "Upload-Length": str(upload.length),
        "Cache-Control": "no-store",
    }
    if upload.metadata_:
        headers["Upload-Metadata"] = upload.metadata_
    if upload.state is UploadState.RECEIVING:
        headers["Upload-Expires"] = formatdate(upload.expires_at, usegmt=True)
    if upload.file_id is not None:
        headers[FILE_ID] = upload.file_id
    return headers


def location(upload_id: str) -> str:
    """Give where an upload is, behind a proxy's prefix too."""
    return link(f"{PATH}/{upload_id}")


def _text(key: str, value: str) -> str:
    raw = _bytes(value)
    if not key.isascii() or raw is None:
        raise BadRequest(
            f"`Upload-Metadata` has {key[:40]!r} without a value in base64; it should be like "
            "`filename cGhvdG9zLnppcA==`."
        )
    try:
        return raw.decode()
    except UnicodeDecodeError as err:
        raise BadRequest(f"`Upload-Metadata`: {key[:40]!r} is not UTF-8: {err}.") from err


def _bytes(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
