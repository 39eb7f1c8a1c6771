"""A task's parameters as the fields of a form, made from their JSON schema."""

from typing import Any, NamedTuple

from models.catalog import params_schema


class Parameter(NamedTuple):
    """One parameter: `kind` says how its field is shown and read back."""

    name: str
    kind: str
    about: str
    default: Any
    choices: list[str]
    least: float | None
    most: float | None
    is_required: bool


def parameters_of(task: str) -> list[Parameter]:
    """Give the parameters of a task; none of a task that is not known here."""
    schema = params_schema(task) if task else {}
    required = schema.get("required", ())
    return [
        _parameter(name, each, name in required)
        for name, each in schema.get("properties", {}).items()
    ]


def _parameter(name: str, schema: dict[str, Any], is_required: bool) -> Parameter:
    forms = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
    form = forms[0] if forms else schema
    return Parameter(
        name=name,
        kind="choice" if "enum" in form else str(form.get("type", "string")),
        about=str(schema.get("description", "")),
        default=schema.get("default"),
        choices=[str(each) for each in form.get("enum", ())],
        least=form.get("minimum"),
        most=form.get("maximum"),
        is_required=is_required,
    )
