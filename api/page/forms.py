"""The pages' own forms: names and short texts, read only when they come from a page of the session.

A view that changes something reads its form here, and so cannot forget to ask where it comes from.
"""

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest

from api.bodies.admission import FIELDS, Takes
from api.bodies.intake import TextIntake, current_intake
from api.web.sessions import check_form_token

View = TypeVar("View", bound=Callable[..., Any])

_MOST_FIELDS = 1000


def takes_form(view: View) -> View:
    """Have a view be sent forms, and no other bodies."""
    Takes(frozenset({FIELDS})).note_on(view)
    return view


def read_form() -> MultiDict[str, str]:
    """Read the form of a page of this session; raises NotAllowed when another one has sent it."""
    form = read_open_form()
    check_form_token(form.get("form_token", ""))
    return form


def read_open_form() -> MultiDict[str, str]:
    """Read the form of somebody who has not signed in."""
    intake = current_intake()
    assert isinstance(intake, TextIntake), "another body is refused before it is read"
    try:
        text = intake.file().read().decode()
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as err:
        raise BadRequest("The form cannot be read. Reload the page, and send it anew.") from err
    if any("\0" in value for _, value in pairs):
        raise BadRequest("A NUL character cannot be part of a form.")
    return MultiDict(pairs)
