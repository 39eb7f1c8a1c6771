"""A stack in a folder with an odd name: all of it lies there, and operators' commands find it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pixelmill import Client
from tests.e2e.stacks import running_stack


@pytest.mark.parametrize("name", ["what? 100%41 é"])
def test_a_stack_lives_in_a_folder_with_an_odd_name(
    tmp_path: Path, digits_folder: Path, name: str
) -> None:
    data = tmp_path / name
    with running_stack(data) as stack, stack.client() as client:
        job = client.wait(client.submit(digits_folder, model="digits"), timeout=60)
        assert job.succeeded
        plain = {key: value for key, value in os.environ.items() if "PIXELMILL" not in key}
        made = subprocess.run(
            [sys.executable, "-m", "pixelmill", "keys", "create", "--tenant", "guest"],
            env={**plain, "PIXELMILL_DATA": str(data)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert made.returncode == 0, made.stderr
        key = made.stdout.split()[1]
        with Client(stack.info["url"], key) as guest:
            assert list(guest.jobs()) == []
    assert {path.name for path in data.iterdir()} >= {"pixelmill.db", "blobs"}
    assert list(tmp_path.iterdir()) == [data]
