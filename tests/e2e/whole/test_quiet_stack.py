"""What a stack says: no other program's warnings, and ready when jobs are run at once."""

import json
import os
import signal
from pathlib import Path

from tests.e2e.stacks import running_stack


def test_a_stack_is_ready_with_its_workers_and_says_nothing_that_nobody_needs(
    tmp_path: Path, digits_folder: Path
) -> None:
    with running_stack(tmp_path) as stack, stack.client() as client:
        said = stack.log()
        assert said.index('"pool": "cpu"') < said.index("ready http://")
        workers = json.loads((tmp_path / "run" / "workers.json").read_text())
        assert workers["at_work"] == ["worker-0"]
        assert client.wait(client.submit(digits_folder, model="digits"), timeout=60).succeeded
        assert stack.stop() == 0
        said = stack.log()
    for noise in ("nanobind", "SecurityWarning", "superuser", "overcommit", "oO0Oo"):
        assert noise not in said, noise
    assert said.count("worker_stopped") == 2
    roles = {line.partition("|")[0].strip() for line in said.splitlines() if line.strip()}
    assert roles <= {"stack", "api", "launcher", "io", "beat", "redis"}


def test_a_worker_that_cannot_start_is_told_and_the_stack_can_be_stopped(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "torch.py").write_text("raise ImportError('no torch here')\n")
    places = os.pathsep.join([str(tmp_path / "broken"), *filter(None, [os.getenv("PYTHONPATH")])])
    with running_stack(tmp_path, PYTHONPATH=places) as stack:
        assert "not all workers run jobs yet" in stack.log()
        stack.process.send_signal(signal.SIGTERM)
        assert stack.process.wait(60) == 0
