"""One requested item as a caller writes it, in JSON or as a line of JSONL.

    {"custom_id": "a", "input": {"url": "https://…"}}
    {"custom_id": "a", "input": {"file_id": "file_…"}}
    {"custom_id": "a", "input": {"data": "<base64>"}}

and the OpenAI Batch API's form of the same:

    {"custom_id": "a", "method": "POST", "url": "/v1/predictions",
     "body": {"model": "digits", "input": {…}, "params": {…}}}

Pure code: nothing is looked up or fetched here. `custom_id` defaults to the item's index.
"""

from dataclasses import dataclass
from typing import Any, TypeGuard

from jobs.base.base64_data import Base64Error, decode_base64
from jobs.inputs.budgets import LONGEST_DATA, LONGEST_ID, LONGEST_URL, is_unseen

ENDPOINT = "/v1/predictions"

# Of an address that is refused, as much as tells which one it is.
_SHOWN = 80
_MEMBERS = {"custom_id", "input"}
_BATCH_MEMBERS = {"custom_id", "method", "url", "body"}
_BODY_MEMBERS = {"model", "input", "params"}


class RequestError(ValueError):
    """The item is not written as it must be; `param` names the member that is at fault."""

    def __init__(self, message: str, param: str) -> None:
        super().__init__(message)
        self.param = param


@dataclass(frozen=True, slots=True)
class Request:
    """One item: exactly one of `url`, `file_id` and `data` is set."""

    custom_id: str
    url: str | None = None
    file_id: str | None = None
    data: bytes | None = None
    # What the OpenAI form says for each line; one model and one set of parameters a job.
    model: str | None = None
    params: dict[str, Any] | None = None


def parse_request(value: object, index: int, max_bytes: int = LONGEST_DATA) -> Request:
    """Read one requested item; raises RequestError with a sentence about what is wrong.

    `max_bytes` is the most that `data` may stand for.
    """
    if not isinstance(value, dict):
        raise RequestError("An item must be a JSON object.", "")
    custom_id = custom_id_of(value, index)
    if "body" in value:
        _refuse_others(value, _BATCH_MEMBERS)
        return _parse_body(value, custom_id, max_bytes)
    _refuse_others(value, _MEMBERS)
    return Request(custom_id, **_parse_input(value.get("input"), "input", max_bytes))


def _parse_body(value: dict[str, Any], custom_id: str, max_bytes: int) -> Request:
    if value.get("method", "POST") != "POST" or value.get("url", ENDPOINT) != ENDPOINT:
        raise RequestError(f"`method` and `url` must be POST and {ENDPOINT}.", "url")
    body = value["body"]
    if not isinstance(body, dict):
        raise RequestError("`body` must be a JSON object.", "body")
    _refuse_others(body, _BODY_MEMBERS, "body.")
    params = body.get("params")
    if params is not None and not isinstance(params, dict):
        raise RequestError("`body.params` must be a JSON object.", "body.params")
    model = body.get("model")
    if not isinstance(model, str):
        raise RequestError("`body.model` must name a model.", "body.model")
    given = _parse_input(body.get("input"), "body.input", max_bytes)
    return Request(custom_id, model=model, params=params, **given)


def custom_id_of(value: dict[str, Any], index: int) -> str:
    """Give an item's name, its index by default; raises RequestError for one that cannot be."""
    custom_id = value.get("custom_id")
    if custom_id is None:
        return str(index)
    if not _is_text(custom_id) or not 1 <= len(custom_id) <= LONGEST_ID:
        raise RequestError(
            f"`custom_id` must be a string of 1 to {LONGEST_ID} characters.", "custom_id"
        )
    _check_visible(custom_id)
    return custom_id


def _check_visible(custom_id: str) -> None:
    """Refuse a name that nobody could read off a screen, or that reads as another."""
    if not custom_id.strip():
        raise RequestError("`custom_id` must have a character that can be seen.", "custom_id")
    if custom_id.isprintable():  # nearly always
        return
    for place, char in enumerate(custom_id, start=1):
        if is_unseen(char):
            raise RequestError(
                f"`custom_id` has a character that cannot be seen, U+{ord(char):04X} at {place}; "
                "leave it out.",
                "custom_id",
            )


def _parse_input(value: object, where: str, max_bytes: int) -> dict[str, Any]:
    if not isinstance(value, dict) or len(value) != 1:
        raise RequestError(
            f"`{where}` must be an object with exactly one of url, file_id and data.", where
        )
    ((kind, content),) = value.items()
    if not _is_text(content) or kind not in ("url", "file_id", "data"):
        raise RequestError(f"`{where}` must have a string as its url, file_id or data.", where)
    if kind == "url":
        check_url_form(content, f"{where}.url")
    if kind == "data":
        return {kind: _decoded(content, f"{where}.data", max_bytes)}
    return {kind: content}


def check_url_form(url: str, where: str) -> None:
    """Raise RequestError unless this is an HTTP URL in form; whether it is allowed shows later."""
    if not url[:8].lower().startswith(("http://", "https://")) or len(url) > LONGEST_URL:
        named = f"`{where}`" if where else "The address"
        raise RequestError(
            f"{named} must start with http:// or https:// and have at most {LONGEST_URL} "
            f"characters; it is {url[:_SHOWN]!r}{'…' if len(url) > _SHOWN else ''}.",
            where,
        )


def _decoded(text: str, where: str, max_bytes: int) -> bytes:
    # A data URL is what browsers make of a picture; its header says nothing that we rely on.
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return decode_base64(text, max_bytes)
    except Base64Error as err:
        raise RequestError(f"`{where}` is not valid base64: {err}.", where) from err


def _refuse_others(value: dict[str, Any], known: set[str], prefix: str = "") -> None:
    for name in value:
        if name not in known:
            allowed = ", ".join(sorted(known))
            # A stranger's word: short, and only what a database and a terminal can show.
            shown = prefix + (name if name.isprintable() else ascii(name))[:80]
            raise RequestError(f"`{shown}` is not known here; use {allowed}.", shown)


def _is_text(value: object) -> TypeGuard[str]:
    """Tell text from what JSON can write but no database takes: NUL, half a surrogate pair."""
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
