"""Running pytest in a fork of a process that has imported the libraries already.

Imports are most of a run of one test. Only what others made is imported before: what is ours comes
from the tree, which is another one each time.
"""

import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

LIBRARIES = (
    "alembic.command", "apiflask", "celery", "cv2", "flask_limiter", "httpx", "obstore",
    "psycopg", "pyarrow.parquet", "pydantic_settings", "pytest", "redis", "sqlalchemy.orm",
    "structlog", "torch",
)  # fmt: skip
_forks = multiprocessing.get_context("forkserver")


def preload(libraries: Sequence[str] = LIBRARIES) -> None:
    """Have forks begin with these imported; call it before the first."""
    _forks.set_forkserver_preload(list(libraries))


def pytest_in_a_fork(
    tree: Path, arguments: Sequence[str], variables: Mapping[str, str], limit_s: float
) -> tuple[int | None, str]:
    """Run pytest on a tree; gives its exit status and output, None when it did not end in time."""
    with tempfile.NamedTemporaryFile("r") as said:
        given = (str(tree), list(arguments), dict(variables), said.name)
        process = _forks.Process(target=_run_pytest, args=given)
        process.start()
        process.join(limit_s)
        is_late = process.exitcode is None
        if is_late and process.pid is not None:
            os.killpg(process.pid, signal.SIGKILL)
            process.join()
        return None if is_late else process.exitcode, said.read()


def _run_pytest(tree: str, arguments: list[str], variables: Mapping[str, str], output: str) -> None:
    # What it starts goes with it, if it has to be killed.
    os.setsid()
    os.chdir(tree)
    os.environ.update(variables)
    with open(output, "w") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    ours = __name__.partition(".")[0]
    for name in [each for each in sys.modules if each.partition(".")[0] == ours]:
        del sys.modules[name]
    here = str(Path(__file__).parents[2])
    sys.path[:] = [tree, *(path for path in sys.path if path not in ("", here))]

    import pytest

    sys.exit(pytest.main(arguments))
