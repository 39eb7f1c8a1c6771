"""Many models on a worker that has memory for three."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from workers.launcher import COMPUTING

ROOM = 3
# What a load takes for a moment: the file, a copy of its tensors, the network while it is filled.
LOADING = 3
# Batches, threads and what the allocator keeps: up to 40 MB were seen, in places that vary by run.
SLACK = 64_000_000


@pytest.mark.parametrize("models", [24, pytest.param(100, marks=pytest.mark.deep)])
def test_jobs_over_many_models_of_all_sources_complete_within_the_memory_of_three(
    tmp_path: Path, models: int
) -> None:
    command = [sys.executable, "-m", "tests.integration.workers.device.many_models"]
    done = subprocess.run(
        [*command, str(tmp_path), str(models), str(ROOM), "torchvision", "onnx", "timm"],
        cwd=Path(__file__).parents[4],
        env={**os.environ, **COMPUTING},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    print(said)
    assert said["succeeded"] == 2 * models
    assert said["wrong"] == 0
    assert 1 <= said["held"] <= ROOM
    # Those that are left out would take ten megabytes each; memory for three was in use when `base`
    # was read.
    assert said["peak"] - said["base"] <= LOADING * said["size"] + SLACK
    assert said["end"] - said["base"] <= SLACK
