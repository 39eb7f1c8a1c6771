"""The options that several commands share, and how `name=value` arguments are read."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

JobId = Annotated[str, typer.Argument(metavar="JOB", help="The job's id.", show_default=False)]
ModelName = Annotated[
    str | None,
    typer.Option("--model", "-m", help="A model, such as digits or digits@3.", show_default=False),
]
ParamList = Annotated[
    list[str] | None,
    typer.Option("--param", metavar="NAME=VALUE", help="A parameter of the model; repeatable."),
]
MetadataList = Annotated[
    list[str] | None,
    typer.Option("--metadata", metavar="NAME=VALUE", help="A note of yours; repeatable."),
]
Priority = Annotated[str | None, typer.Option("--priority", help="high, normal or low.")]
Overlays = Annotated[
    bool, typer.Option("--overlays", help="Draw each result over its image as well.")
]
Gallery = Annotated[
    bool, typer.Option("--gallery", help="Keep a small picture of each item, for the job's page.")
]
Connection = Annotated[
    str | None, typer.Option("--connection", help="What opens the bucket; else the server.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for scripts.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until the job is over.")]
Timeout = Annotated[
    float | None, typer.Option("--timeout", help="With --wait: give up after so many seconds.")
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Write to this file, complete or not at all."),
]
Form = Annotated[
    str | None,
    typer.Option(
        "--format",
        "-f",
        metavar="FORMAT",
        help="Of the results; else by the suffix of FILE, else a table.",
        show_default=False,
    ),
]


def read_params(pairs: list[str] | None) -> dict[str, Any] | None:
    """Read `top_k=3` as `{"top_k": 3}`: a value that is JSON is taken as such, else as text."""
    return {name: _value(text) for name, text in _split(pairs, "--param")} or None


def read_metadata(pairs: list[str] | None, name: str | None = None) -> dict[str, str] | None:
    """Read `run=7` as `{"run": "7"}`, with a job's name under `name`."""
    given = dict(_split(pairs, "--metadata"))
    if name is not None and "name" in given:
        raise typer.BadParameter(
            "--name and --metadata name=… say the same; leave one of them out."
        )
    return given | ({} if name is None else {"name": name}) or None


def _split(pairs: list[str] | None, option: str) -> list[tuple[str, str]]:
    split = [pair.partition("=") for pair in pairs or []]
    for pair, (name, equals, _) in zip(pairs or [], split, strict=True):
        if not name or not equals:
            raise typer.BadParameter(f"{option} {pair!r} should look like NAME=VALUE.")
    return [(name, value) for name, _, value in split]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
