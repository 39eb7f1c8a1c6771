"""A hundred models on a worker that has memory for three."""

import json
import os
import subprocess
import sys
from pathlib import Path

from workers.launcher import COMPUTING

MODELS, ROOM = 100, 3
# What a load takes for a moment: the file, a copy of its tensors, the network while it is filled.
LOADING = 3
# Batches, threads and what the allocator keeps: up to 40 MB were seen, in places that vary by run.
SLACK = 64_000_000


def test_jobs_over_a_hundred_models_of_all_sources_complete_within_the_memory_of_three(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-m", "tests.integration.workers.device.many_models"]
    done = subprocess.run(
        [*command, str(tmp_path), str(MODELS), str(ROOM), "torchvision", "onnx", "timm"],
        cwd=Path(__file__).parents[4],
        env={**os.environ, **COMPUTING},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    print(said)
    assert said["succeeded"] == 2 * MODELS
    assert said["wrong"] == 0
    assert 1 <= said["held"] <= ROOM
    # Eighty more would take 800 MB, those of one source 270; memory for three was in use when
    # `base` was read.
    assert said["peak"] - said["base"] <= LOADING * said["size"] + SLACK
    assert said["end"] - said["base"] <= SLACK
