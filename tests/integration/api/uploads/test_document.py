"""Every example of docs/uploads.md works as it stands."""

import hashlib
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documents import Example, examples, fences
from tests.integration.api.fronts import Front

DOCUMENT = (Path(__file__).parents[4] / "docs" / "uploads.md").read_text()
EXAMPLES = examples(DOCUMENT)


def test_every_block_is_an_example() -> None:
    assert len(EXAMPLES) == fences(DOCUMENT) == 3


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.place)
def test_an_example_works_as_it_stands(front: Front, tmp_path: Path, example: Example) -> None:
    if example.language == "bash" and shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    content = random.Random(2).randbytes(9_000_000)
    (tmp_path / "photos.zip").write_bytes(content)
    shell = {"python": [sys.executable, "-c"], "bash": ["bash", "-euo", "pipefail", "-c"]}
    done = subprocess.run(
        [*shell[example.language], example.text],
        cwd=tmp_path,
        env={**os.environ, "PIXELMILL_URL": front.url, "PIXELMILL_API_KEY": front.key},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    with front.client() as client:
        (file,) = client.get("/v1/files").json()["data"]
    assert file["filename"] == "photos.zip"
    assert file["sha256"] == hashlib.sha256(content).hexdigest()
    assert file["id"] in done.stdout
