"""Events of a real stack, and docs/events.md as its reader types it."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.documents import examples
from tests.e2e.stacks import RunningStack

DOCUMENT = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
EXAMPLES = examples(DOCUMENT)
END = "job.completed"


def of(language: str) -> list[str]:
    return [each.text for each in EXAMPLES if each.language == language]


@pytest.fixture
def bash(stack: RunningStack, digits_folder: Path, tmp_path: Path):
    """Run a script where the document's reader is: beside a folder `photos`."""
    (tmp_path / "photos").symlink_to(digits_folder)
    environ = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PIXELMILL_URL": stack.info["url"],
        "PIXELMILL_API_KEY": stack.info["api_key"],
        "PYTHON": sys.executable,
    }

    def run(script: str) -> str:
        # The command may be installed elsewhere, or not at all.
        whole = 'pixelmill() { "$PYTHON" -m pixelmill "$@"; }\n' + script
        command = ["bash", "-euo", "pipefail", "-c", whole]
        done = subprocess.run(
            command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=180
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_commands_of_the_document_follow_a_job(bash) -> None:
    by_curl, by_command = of("bash")
    if shutil.which("curl"):
        printed = bash(by_curl)
        assert printed.startswith("retry: ")
        assert f"event: {END}" in printed
    *_, last = bash(by_command).splitlines()
    assert END in last
    assert "360/360 images, 0 failed" in last


def test_the_client_of_the_document_follows_a_job(bash) -> None:
    (text,) = of("python")
    *_, last = bash(f"\"$PYTHON\" - <<'END'\n{text}\nEND\n").splitlines()
    assert last == f"{END} 360/360 None"


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_the_browsers_way_of_the_document_follows_a_job(bash) -> None:
    reader, use = of("javascript")
    script = f"""
cat > follow.mjs <<'END'
{reader}
const [url, job, key] = [process.env.PIXELMILL_URL, process.argv[2], process.env.PIXELMILL_API_KEY];
{use}
END
node follow.mjs "$(pixelmill submit photos --model digits)"
"""
    *_, last = bash(script).splitlines()
    assert last == f"{END} 360"


def test_a_watched_job_is_seen_to_move_and_to_end(stack: RunningStack, digits_folder: Path) -> None:
    seen = []
    with stack.client() as client:
        job = client.submit(digits_folder, model="digits")
        began = time.monotonic()
        over = client.wait(job, timeout=120, on_progress=lambda job: seen.append(job.status))
        took = time.monotonic() - began
        # The numbers of the events stand in the job's row, beside its times.
        told = list(client.events(job, after="0"))
    assert (over.status, seen[-1]) == ("completed", "completed")
    assert [event.type for event in told] == ["job.created", "job.in_progress", "job.completed"]
    assert took < 100
    assert json.dumps(told[-1].raw)
