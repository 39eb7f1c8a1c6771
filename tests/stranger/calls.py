"""What a stranger asks and is answered, whichever client speaks for it.

A client is a function `ask(url, calls)`: it makes the calls one after the other, in one session
that keeps its connections as the client does by itself, and gives their answers. One that fails to
get an answer raises.
"""

import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Call:
    """One request; its body is a file as it is, or a form: fields as JSON, and files by name."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: Path | None = None
    job: dict[str, Any] | None = None
    files: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a call; the names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


Ask = Callable[[str, Sequence[Call]], list[Answer]]


def run_program(command: Sequence[str], url: str, calls: Sequence[Call]) -> list[Answer]:
    """Have a program of another language make the calls: JSON in, a line of JSON an answer out."""
    asked = {"url": url, "calls": [_plain(call) for call in calls]}
    done = subprocess.run(
        command, input=json.dumps(asked), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return [Answer(**json.loads(line)) for line in done.stdout.splitlines()]


def _plain(call: Call) -> dict[str, Any]:
    return {
        "method": call.method,
        "path": call.path,
        "headers": call.headers,
        "body": str(call.body) if call.body else "",
        "job": json.dumps(call.job) if call.job else "",
        "files": [str(path) for path in call.files],
    }
