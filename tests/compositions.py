"""What docker-compose.yml says, read without Docker: services, their commands and variables."""

import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]


def compose() -> dict[str, Any]:
    """Read docker-compose.yml, with its anchors followed."""
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def services() -> dict[str, Any]:
    """Give each service by its name."""
    return compose()["services"]


def as_shell(text: str, environ: dict[str, str]) -> str:
    """Fill in ${NAME:-default} and ${NAME:?why} as a shell does, and as docker compose does."""
    path = {"PATH": os.environ["PATH"]}
    done = subprocess.run(
        ["sh", "-c", f"cat <<END\n{text}\nEND"],
        env={**path, **environ}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.rstrip("\n")


def command_of_service(service: dict[str, Any], environ: dict[str, str]) -> list[str]:
    """Give a service's command line; `environ` is what .env says."""
    command = [as_shell(part, environ) for part in service["command"]]
    return shlex.split(command[2]) if command[:2] == ["sh", "-c"] else command


def environ_of_service(service: dict[str, Any], environ: dict[str, str]) -> dict[str, str]:
    """Give the variables that a service finds; a name without a value is passed on if it is set."""
    given = service["environment"].items()
    said = {name: as_shell(str(text), environ) for name, text in given if text is not None}
    passed_on = {name: environ[name] for name, text in given if text is None and name in environ}
    return said | passed_on


def make_passwords(path: Path) -> dict[str, str]:
    """Have a .env file made as an operator does; gives what stands in it."""
    subprocess.run(["sh", str(ROOT / "deploy/passwords.sh"), str(path)], check=True)
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if line)
