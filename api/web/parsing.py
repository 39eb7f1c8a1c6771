"""Bodies and queries, read strictly: what cannot be meant is refused, never guessed.

Flask and APIFlask are lenient here (a wrong content type, a parameter that comes twice), so this is
done by hand. 400 says that the text itself cannot be read, 422 that its meaning is wrong.
"""

import json
import re
from typing import Any, NoReturn, TypeVar

from flask import request
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from werkzeug.exceptions import BadRequest

from api.bodies.intake import TextIntake, current_intake
from api.current import ground
from jobs.base import json_text
from jobs.base.errors import InvalidRequest, TooLarge
from jobs.inputs.budgets import is_unseen

Schema = TypeVar("Schema", bound=BaseModel)

# Faults that one answer names; the first is the one that `error.param` tells of.
_MOST_NAMED = 5

# A NUL, or a surrogate that may have no other half, as JSON writes it: no database stores either.
_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
# An item in OpenAI's form has ten, with room for its parameters.
_VALUES_AN_ITEM = 16


def read_json() -> Any:
    """Read the body as JSON; raises 400, saying where the text goes wrong."""
    intake = current_intake()
    assert isinstance(intake, TextIntake), "another body is refused before it is read"
    return parse_json(intake.file().read(), "The body")


def parse_json(text: bytes | str, what: str) -> Any:
    """Parse JSON as its standard has it: no NaN, no lone surrogates, no NUL, no key twice.

    Raises 413 for more values than as many items need as may come in one body.
    """
    raw = text if isinstance(text, bytes) else text.encode()
    del text
    is_suspect = _SUSPECT.search(raw) is not None
    try:
        value = json_text.read_json(raw, _VALUES_AN_ITEM * ground().settings.max_inline_items)
        if is_suspect:
            _refuse_unstorable(value)
    except json_text.JsonTooLargeError as err:
        raise TooLarge(f"{what} is too large: {err}. Upload a JSONL file instead.") from err
    except json_text.RepeatedKeyError as err:
        raise InvalidRequest(f"{what} is ambiguous: {err}.", param=err.key[:100]) from err
    except json.JSONDecodeError as err:
        where = f"line {err.lineno}, column {err.colno}"
        raise BadRequest(f"{what} is not valid JSON: {err.msg} at {where}.") from err
    except (ValueError, RecursionError) as err:
        reason = "it is nested too deeply" if isinstance(err, RecursionError) else str(err)
        raise BadRequest(f"{what} is not valid JSON: {reason}.") from err
    return value


def read_body(schema: type[Schema]) -> tuple[Schema, Any]:
    """Read a JSON body by its schema; gives also the plain body."""
    body = read_json()
    return validated(schema, body), body


def read_query(schema: type[Schema]) -> Schema:
    """Read the query string by its schema; a parameter that comes twice is refused."""
    for name, values in request.args.lists():
        if len(values) > 1:
            text = f"`{name}` may be given once, not {len(values)} times."
            raise InvalidRequest(text, param=name)
    return validated(schema, request.args.to_dict())


def validated(schema: type[Schema], value: object) -> Schema:
    """Hold a value against its schema; raises InvalidRequest naming each member at fault."""
    if not isinstance(value, dict):
        raise InvalidRequest('The body must be a JSON object, such as {"model": "digits"}.')
    try:
        return schema.model_validate(value)
    except ValidationError as err:
        _tell(schema, err)


def refuse_nul() -> None:
    """Refuse a NUL in the path or the query, which no database could look for."""
    if "\0" in request.path or any("\0" in value for value in request.args.values()):
        raise BadRequest("A NUL character (%00) cannot be part of the URL.")


def check_filename(name: str) -> None:
    """Refuse a file's name that could do harm in a log, a header or a table."""
    if any(map(is_unseen, name)):
        raise InvalidRequest(
            f"The file name {name!a} has characters that cannot be seen; give the file another "
            "name.",
            param="filename",
        )


def _tell(schema: type[BaseModel], err: ValidationError) -> NoReturn:
    faults = err.errors(include_url=False, include_context=False)
    texts = [_sentence(schema, fault) for fault in faults]
    more = len(texts) - _MOST_NAMED
    shown = texts[:_MOST_NAMED] + ([f"And {more} faults more."] if more > 0 else [])
    raise InvalidRequest(" ".join(shown), param=_path(faults[0]["loc"]) or None) from err


def _sentence(schema: type[BaseModel], fault: ErrorDetails) -> str:
    kind, path, message = fault["type"], _path(fault["loc"]), fault["msg"]
    if kind == "extra_forbidden" and "." not in path:
        return f"`{path}` is not known here; use {', '.join(_names(schema))}."
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"`{path}` is not known here."
    if kind == "missing":
        return f"`{path}` is missing."
    if kind in ("model_type", "model_attributes_type"):
        # The message names the class that reads it, which is nobody's business.
        return f"`{path}` must be a JSON object."
    text = message.removeprefix("Value error, ").rstrip(".")
    return f"`{path}`: {text}." if path else f"{text}."


def _names(schema: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in schema.model_fields.items()]


def _path(location: tuple[int | str, ...]) -> str:
    # One of several forms (api.models.schemas.Preprocess) is told apart by a tag in parentheses,
    # and a number among them by how it is checked (api.web.schemas.Whole).
    hidden = ("(", "function-before")
    return ".".join(str(part) for part in location if not str(part).startswith(hidden))


def _refuse_unstorable(value: object) -> None:
    if isinstance(value, dict):
        for name, member in value.items():
            _refuse_unstorable(name)
            _refuse_unstorable(member)
    elif isinstance(value, list):
        for member in value:
            _refuse_unstorable(member)
    elif isinstance(value, str):
        if "\0" in value:
            raise ValueError("a string has a NUL character, which cannot be stored")
        value.encode()
