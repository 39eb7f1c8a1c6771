"""Runs a command of the house's other half, in a process of its own.

`pixelmill` imports no torch; what takes it (converting a pickle, asking a network's own library) is
done by `python -m models.…` on the caller's machine, where that is installed.
"""

import os
import subprocess
import sys
from pathlib import Path

from pixelmill.wire.errors import InvalidInput


class CommandFailedError(Exception):
    """A command ended with an error; its last line says why."""


def run_command(
    module: str, *arguments: str, given: str | None = None, timeout_s: float | None = None
) -> str:
    """Run `python -m module`, with `given` on its standard input; gives its standard output.

    Raises CommandFailedError with its last line, and InvalidInput when it takes too long.
    """
    # A file of the caller's folder that is called as one of ours must not be run instead.
    environ = {
        **os.environ,
        "PYTHONSAFEPATH": "1",
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            env=environ,
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired as err:
        raise InvalidInput(f"{module} took longer than {timeout_s:g} s and was ended.") from err
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        raise CommandFailedError(lines[-1])
    return done.stdout
