"""How routes are described: decorators here, one document at /openapi.json.

Bodies and queries are read in `api.web.parsing`, not by APIFlask, so the document is told of their
schemas here; both use the same classes, and so cannot disagree.
"""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeVar

from apiflask import APIBlueprint, APIFlask
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.bodies.admission import FORM, Takes, part_names
from api.bodies.intake import Intake
from api.web.auth import SCHEME
from api.web.document.calls import webhooks_of
from api.web.document.defaults import tell_defaults
from api.web.document.examples import add_examples
from api.web.document.headers import header
from api.web.document.naming import operation_id
from api.web.document.paths import tell_paths
from api.web.problems import MEDIA_TYPE

View = TypeVar("View", bound=Callable[..., Any])
Schema = type[BaseModel]
# By media type: a schema, the text of a string format such as "binary", or None for a stream.
Content = Mapping[str, Schema | str | None]

_REF = "#/components/schemas/{model}"
# 400 and 414 are for what is no address: it has a NUL, or is too long.
_OPEN_PROBLEMS = (400, 414, 500, 503)
_ALL_PROBLEMS = (401, 429, *_OPEN_PROBLEMS)
# Of protocols that have a status of their own.
_PHRASES = {460: "Checksum Mismatch"}


class LineFault(BaseModel):
    """One fault of an input, with its line where it has one."""

    code: str
    message: str
    param: str | None
    line: int | None


class ProblemError(BaseModel):
    """The same problem as OpenAI's clients read it."""

    message: str
    type: str
    param: str | None
    code: str


class ProblemLines(BaseModel):
    """Every fault of an input."""

    object: str
    data: list[LineFault]


class Problem(BaseModel):
    """What went wrong, where, and what to do (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    error: ProblemError
    request_id: str | None
    errors: ProblemLines | None = None


# Every schema that a route has named, by its name in the document.
_named: dict[str, Schema] = {}


def show(schema: Schema) -> None:
    """Have a schema appear in the document; those that a route names appear by themselves."""
    if _named.setdefault(schema.__name__, schema) is not schema:
        raise TypeError(f"two schemas are called {schema.__name__}")


def describe(
    blueprint: APIBlueprint,
    answers: Mapping[int, Schema | Content | None],
    *,
    problems: tuple[int, ...] = (),
    body: Content | None = None,
    query: Schema | None = None,
    headers: tuple[str, ...] = (),
    is_open: bool = False,
    blob_name: Callable[[], str] | None = None,
    begin: Callable[[], Intake] | None = None,
) -> Callable[[View], View]:
    """Describe a view's request and answers; its docstring says the rest.

    The bodies that are described are those that are let in (api.bodies.admission);
    `blob_name` names what a long part of one is stored as, `begin` makes an intake of its own.
    """
    everywhere = _ALL_PROBLEMS if not is_open else _OPEN_PROBLEMS
    responses: dict[int | str, Any] = {}
    for status, answer in answers.items():
        responses[status] = _answer(status, answer)
    for status in sorted({*problems, *everywhere}):
        responses[status] = _response(status, {MEDIA_TYPE: Problem})
    extensions: dict[str, Any] = {"parameters": _parameters(query, headers)}
    if body is not None:
        extensions["requestBody"] = {"required": True, "content": _content(body)}
    security = None if is_open else SCHEME
    documented = blueprint.doc(responses=responses, extensions=extensions, security=security)

    def decorate(view: View) -> View:
        decorated: View = documented(view)
        if body is not None:
            form = body.get(FORM)
            names = part_names(form) if isinstance(form, type) else {}
            Takes(frozenset(body), names, blob_name, begin).note_on(decorated)
        return decorated

    return decorate


def complete(
    app: APIFlask, prefix: str, webhook_events: Sequence[str], webhook_body: Schema
) -> None:
    """Have the document say all that no single route does.

    Every schema that a route names, where its paths begin, names, examples, and what is called.
    """
    show(webhook_body)

    @app.spec_processor
    def add(spec: dict[str, Any] | str) -> dict[str, Any] | str:
        assert isinstance(spec, dict), "SPEC_FORMAT is json"
        _, definitions = models_json_schema(
            [(_named[name], "validation") for name in sorted(_named)], ref_template=_REF
        )
        components = spec.setdefault("components", {})
        components["schemas"] = definitions["$defs"]
        _name_operations(app, spec)
        tell_paths(spec)
        tell_defaults(spec)
        add_examples(spec)
        spec["webhooks"] = webhooks_of(webhook_events, _reference(webhook_body))
        if prefix:
            spec["servers"] = [{"url": prefix}]
        # Blueprints that are registered under two names would name their tags twice.
        spec["tags"] = list({tag["name"]: tag for tag in spec["tags"]}.values())
        return spec


def _name_operations(app: APIFlask, spec: dict[str, Any]) -> None:
    """Call each operation by its view."""
    automatic = {
        f"{method.lower()}_{rule.endpoint.replace('.', '_')}": operation_id(rule.endpoint)
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
    }
    for operations in spec["paths"].values():
        for operation in operations.values():
            operation["operationId"] = automatic[operation["operationId"]]


def _answer(status: int, answer: Schema | Content | None) -> dict[str, Any]:
    if isinstance(answer, type):
        answer = {"application/json": answer}
    return _response(status, answer or {})


def _response(status: int, content: Content) -> dict[str, Any]:
    return {
        "description": _PHRASES.get(status) or HTTPStatus(status).phrase,
        "content": _content(content),
    }


def _content(content: Content) -> dict[str, Any]:
    return {
        kind: {} if schema is None else {"schema": _reference(schema)}
        for kind, schema in content.items()
    }


def _reference(schema: Schema | str) -> dict[str, Any]:
    if isinstance(schema, str):
        at_least = {"minLength": 1} if schema == "binary" else {}
        return {"type": "string", "format": schema, **at_least}
    show(schema)
    return {"$ref": _REF.format(model=schema.__name__)}


def _parameters(query: Schema | None, headers: tuple[str, ...]) -> list[dict[str, Any]]:
    found = [header(name) for name in headers]
    if query is not None:
        schema = query.model_json_schema(ref_template=_REF)
        for name, detail in schema["properties"].items():
            found.append({"in": "query", "name": name, "schema": detail})
    return found
