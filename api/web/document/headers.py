"""Headers that callers send, and what may stand in them."""

from collections.abc import Mapping
from typing import Any

_SECONDS = "[0-9]{1,7}"
_UNITS = f"(?=[0-9])([0-9]{{1,5}}h)?([0-9]{{1,5}}m)?({_SECONDS}s)?"

# By name: what it is for, and the schema of its text.
HEADERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    # A `const` has generators of clients leave the call out.
    "Tus-Resumable": ("The version of the tus protocol: 1.0.0.", {"pattern": r"^1\.0\.0$"}),
    "Upload-Length": ("The number of bytes of the whole file.", {"pattern": "^[0-9]{1,18}$"}),
    "Upload-Offset": (
        "Where the body begins in the file: as many bytes as the server has.",
        {"pattern": "^[0-9]{1,18}$"},
    ),
    "Upload-Metadata": (
        "`filename` and `purpose`, each followed by a space and base64; a comma between them.",
        {},
    ),
    "Upload-Checksum": (
        "`sha256` or `sha1`, a space, and the body's sum in base64: 460 if the body is another.",
        {"pattern": "^(sha256 [A-Za-z0-9+/]{43}=|sha1 [A-Za-z0-9+/]{27}=)$"},
    ),
    "Idempotency-Key": (
        "Repeats of a request under one key make one job.",
        {"pattern": "^[ -~\u00a1-\u00ac\u00ae-\u00ff]{1,255}$"},
    ),
    "Prefer": (
        "`wait=N`: hold the answer until the job is over, at most N (up to 50) seconds.",
        {},
    ),
    "Cancel-After": (
        "`90`, `30s`, `5m` or `1h30m`, from 1 second to 30 days: what has not run by then expires.",
        {"pattern": f"^(?=.*[1-9])({_SECONDS}|{_UNITS})$"},
    ),
    "Last-Event-ID": (
        "The `id` of the last event that was read: the stream goes on after it.",
        {"pattern": "^[0-9]{0,18}$"},
    ),
    "If-None-Match": (
        "The ETag of an earlier answer: 304 when nothing has changed since.",
        {},
    ),
}
# Without these a call is refused.
_REQUIRED = frozenset({"Tus-Resumable", "Upload-Length", "Upload-Offset"})


def header(name: str) -> dict[str, Any]:
    """Describe a header as a parameter; raises KeyError for one that is not known here."""
    text, schema = HEADERS[name]
    return {
        "in": "header",
        "name": name,
        "description": text,
        "required": name in _REQUIRED,
        "schema": {"type": "string", **schema},
    }
