"""Whether a body is wanted, looked at before any of it is read.

A view says which bodies it takes where it is described (api.web.openapi); what was not announced to
be one of those, or is announced too long, is refused by its headers alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from apiflask import APIFlask
from flask import current_app, g, request
from pydantic import BaseModel
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge
from werkzeug.http import parse_options_header

from api.bodies.intake import (
    FormIntake,
    Intake,
    RawIntake,
    TextIntake,
    close_intake,
    current_intake,
)
from api.current import ground, tenant_id
from jobs.base.errors import UnsupportedContentType
from jobs.base.ids import new_id
from jobs.base.settings import KIB
from jobs.base.storage import input_name

FORM, RAW, JSON = "multipart/form-data", "application/octet-stream", "application/json"
# A page's own form, without files: names and short texts.
FIELDS = "application/x-www-form-urlencoded"

# In the WSGI environ: the body is fed by whoever calls (api.front).
IS_FED = "pixelmill.is_fed"

# Room for the lines between the parts of a multipart body.
_BETWEEN_PARTS = 64 * KIB
# So many items over their limit are still read: that many are told as too many items.
_TOO_MANY = 8
_CHUNK = 1024 * 1024
_MOST_OF_FIELDS = 256 * KIB
_ATTRIBUTE = "pixelmill_takes"


@dataclass(frozen=True, slots=True)
class Takes:
    """The bodies that a view reads: media types, and the names of a form's parts.

    Of each name is said whether it may be repeated. `blob_name` names what a long part stored
    as; None for an input file of the tenant's. `begin` makes an intake of the view's own.
    """

    kinds: frozenset[str]
    parts: Mapping[str, bool] = field(default_factory=dict)
    blob_name: Callable[[], str] | None = None
    begin: Callable[[], Intake] | None = None

    def note_on(self, view: Callable[..., Any]) -> None:
        """Have a view take these bodies."""
        setattr(view, _ATTRIBUTE, self)


def part_names(form: type[BaseModel]) -> dict[str, bool]:
    """Give the names of a form's parts, and of each whether it is a list of them."""
    return {
        info.alias or name: getattr(info.annotation, "__origin__", None) is list
        for name, info in form.model_fields.items()
    }


def admit_bodies(app: APIFlask) -> None:
    """Look at each body's headers, after all other checks, and then take it in."""
    app.before_request(_admit)
    app.before_request(_take_in)
    app.teardown_request(lambda _: close_intake())


def is_form() -> bool:
    """Say whether the request's body is multipart."""
    return request.mimetype == FORM


def _admit() -> None:
    takes = _takes()
    if takes is None:
        return
    _refuse_encoding()
    intake = _intake_of(takes)
    g.intake, g.body_limit = intake, intake.limit
    if (request.content_length or 0) > intake.limit:
        raise RequestEntityTooLarge


def _takes() -> Takes | None:
    if request.endpoint is None or request.method not in ("POST", "PUT", "PATCH"):
        return None
    view = current_app.view_functions[request.endpoint]
    found: Takes | None = getattr(view, _ATTRIBUTE, None)
    return found


def _refuse_encoding() -> None:
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise UnsupportedContentType(
            f"The header `Content-Encoding: {encoding[:40]}` says that the body is compressed on "
            "its way, and no call undoes that. Send the bytes as they are, without this header; an "
            "archive such as a .tar.gz is a file, and needs none.",
            param="Content-Encoding",
        )


def _intake_of(takes: Takes) -> Intake:
    if takes.begin is not None:
        return takes.begin()
    settings, storage = ground().settings, ground().storage
    blob_name = takes.blob_name or _new_input
    most = settings.max_body_bytes
    if is_form() and FORM in takes.kinds:
        boundary = parse_options_header(request.content_type)[1].get("boundary", "")
        return FormIntake(
            most + _BETWEEN_PARTS,
            boundary,
            takes.parts,
            settings.max_inline_items + _TOO_MANY,
            storage,
            blob_name,
        )
    if FIELDS in takes.kinds and request.mimetype == FIELDS:
        return TextIntake(_MOST_OF_FIELDS)
    if RAW in takes.kinds:
        return RawIntake(most, storage, blob_name)
    if JSON in takes.kinds and _is_json():
        return TextIntake(settings.max_json_bytes)
    raise UnsupportedContentType(
        f"This call reads {' or '.join(sorted(takes.kinds))}, not "
        f"{request.mimetype or 'a body without type'}. "
        "Set the header `Content-Type: application/json`."
    )


def _is_json() -> bool:
    return request.mimetype == JSON or request.mimetype.endswith("+json")


def _new_input() -> str:
    return input_name(tenant_id(), new_id("file"))


def _take_in() -> None:
    """Read the body, where this application is called as plain WSGI."""
    intake = current_intake()
    if intake is None or request.environ.get(IS_FED):
        return
    received = 0
    while chunk := request.stream.read(_CHUNK):
        received += len(chunk)
        feed(intake, chunk, received)
    if received < (request.content_length or 0):
        raise BadRequest(
            f"The body ended after {received:,} of {request.content_length:,} bytes. Nothing was "
            "stored; send it again."
        )
    intake.finish()


def feed(intake: Intake, chunk: bytes, received: int) -> None:
    """Take in a piece of a body of which `received` bytes have come; raises 413 past its limit."""
    if received > intake.limit:
        raise RequestEntityTooLarge
    intake.feed(chunk)
