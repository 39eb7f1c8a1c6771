"""The reference of settings, of the class that reads them (jobs.base.settings)."""

import argparse
from typing import Any, Literal, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from deploy.documentation.tables import table
from jobs.base.settings import GIB, KIB, MIB, OTHER_VARIABLES, Settings
from pixelmill.cli.commands import app as pixelmill

_INTRODUCTION = """\
# Configuration

Every setting is an environment variable. All are read once, when a process starts; one that makes
no sense ends it with the variable's name and what would be good, and so does a name that is nearly
a setting's. Sizes are in bytes, times in seconds. Which service of `docker-compose.yml` reads which
is written there, and in [containers](../containers.md).
"""

# Sections by the field that each begins with: a new field belongs to the section it stands in.
_SECTIONS = {
    "database_url": "Where things are",
    "pool_for_jobs": "Workers and models",
    "max_body_bytes": "What a caller may send",
    "api_processes": "The API",
    "lease_s": "Running jobs",
    "egress_allow": "Outgoing requests",
    "connection_key": "Buckets",
    "metrics_token": "Figures for Prometheus",
    "output_days": "How long things are kept",
}

_OTHERS = {
    "URL": "the server that command line and client speak to",
    "API_KEY": "the key that they send",
    "DATA": "the folder of `pixelmill up`, `.pixelmill` by default",
    "BIND": "where the API listens, `127.0.0.1:8080` by default",
    "NODE": "between our own processes: a worker's name",
    "POOL": "between our own processes: a worker's pool",
    "CORES": "between our own processes: the cores that are a worker's own",
    "FLIGHT": "between our own processes: the file in which a worker notes what it touches",
    "LAST": "between our own processes: how the process before ended",
}


def configuration_page() -> str:
    """Give every setting by section, then the other variables, then options of commands."""
    sections: dict[str, list[list[str]]] = {}
    title = ""
    for name, field in Settings.model_fields.items():
        title = _SECTIONS.get(name, title)
        sections.setdefault(title, []).append(_row(name, field))
    head = ["variable", "what it is", "default", "may be"]
    texts = [f"## {title}\n\n{table(head, rows)}\n" for title, rows in sections.items()]
    return "\n".join([_INTRODUCTION, *texts, _other_variables(), _options()])


def _row(name: str, field: FieldInfo) -> list[str]:
    if not field.description:
        raise LookupError(f"{name} has no description: give its Field one in jobs/base/settings.py")
    default = _written(name, field.default)
    return [f"`PIXELMILL_{name.upper()}`", field.description, default, _bounds(field)]


def _written(name: str, value: object) -> str:
    if value in ("", ()):
        return "empty"
    if isinstance(value, tuple):
        return f"`{','.join(map(str, value))}`"
    if isinstance(value, int) and ("bytes" in name or "memory" in name):
        return _size(value)
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _size(value: int) -> str:
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if value >= unit and value % unit == 0:
            return f"`{value}` ({value // unit} {name})"
    return f"`{value}`"


def _bounds(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{each}`" for each in get_args(field.annotation))
    words = {"ge": "from {}", "gt": "over {}", "le": "to {}", "lt": "below {}"}
    found = []
    for each in field.metadata:
        for attribute, word in words.items():
            if (bound := getattr(each, attribute, None)) is not None:
                found.append(word.format(f"{bound:,}"))
    return " ".join(found)


def _other_variables() -> str:
    if unsaid := OTHER_VARIABLES ^ _OTHERS.keys():
        raise LookupError(f"say what these are, and no others: {sorted(unsaid)}")
    rows = [[f"`PIXELMILL_{name}`", text] for name, text in _OTHERS.items()]
    return f"## Other variables\n\n{table(['variable', 'what it is'], rows)}\n"


def _options() -> str:
    from api.front.__main__ import command_line as front
    from workers.launcher import command_line as launcher

    up: Any = typer.main.get_command(pixelmill).get_command(None, "up")  # type: ignore[attr-defined]
    rows = [
        [f"`pixelmill up {each.opts[0]}`", each.help or _PORT]
        for each in up.params
        if each.opts[0] != "--help"
    ]
    rows += _arguments("python -m workers.launcher", launcher())
    rows += _arguments("python -m api.front", front())
    return f"## Options of what starts processes\n\n{table(['option', 'what it is'], rows)}\n"


_PORT = "where the API listens, on this machine only"


def _arguments(program: str, parser: argparse.ArgumentParser) -> list[list[str]]:
    return [
        [f"`{program} {each.option_strings[0]}`", each.help or ""]
        for each in parser._actions
        if each.dest != "help"
    ]
