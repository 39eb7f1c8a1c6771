"""The list of calls, of the same document that the API serves at /openapi.json."""

import tempfile
from pathlib import Path
from typing import Any

from api.app import create_app
from deploy.documentation.tables import table
from jobs.base.bootstrap import open_ground
from jobs.base.settings import load_settings

# The same calls under the name that clients of OpenAI's Batch API know.
_TWINS = "/v1/batches"

_INTRODUCTION = """\
# Every call

The running API has this list at `/docs`, where each call can be tried with your key, and in full
(parameters, bodies, answers) at `/openapi.json`. What is listed under `/v1/jobs` is there under
`/v1/batches` too, for [clients of OpenAI's Batch API](../openai.md). Errors are
`application/problem+json`: [their codes](errors.md).
"""


def calls_page() -> str:
    """Give a section for each group of calls."""
    groups: dict[str, list[list[str]]] = {}
    for path, operations in _document()["paths"].items():
        if path.startswith(_TWINS):
            continue
        for method, operation in operations.items():
            groups.setdefault(operation["tags"][0], []).append(_row(method, path, operation))
    head = ["call", "what it does", "answers", "wants a key"]
    sections = [f"## {tag}\n\n{table(head, rows)}\n" for tag, rows in groups.items()]
    return "\n".join([_INTRODUCTION, *sections])


def _document() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(
            database_url=f"sqlite:///{folder}/none.db",
            redis_url=f"unix://{folder}/none",
            storage_url=Path(folder, "blobs").as_uri(),
            url_prefix="",
        )
        ground = open_ground(settings)
        try:
            spec = create_app(ground).spec
        finally:
            ground.close()
    assert isinstance(spec, dict), "SPEC_FORMAT is json"
    return spec


def _row(method: str, path: str, operation: dict[str, Any]) -> list[str]:
    answers = [status for status in operation["responses"] if status < "500"]
    return [
        f"`{method.upper()} {path}`",
        operation["summary"],
        ", ".join(answers),
        "yes" if operation.get("security") else "no",
    ]
