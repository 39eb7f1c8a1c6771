"""Every example of docs/python.md works as it stands, in the few lines that it promises."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from models.pictures.data import encode, heldout_digits
from tests.documents import Example, examples
from tests.e2e.stacks import RunningStack

EXAMPLES = examples((Path(__file__).parents[3] / "docs" / "python.md").read_text())
# Of its own, beside the lines that import and connect.
MOST_LINES = 6


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `photos/`: pictures, and a file that is none."""
    folder = tmp_path_factory.mktemp("reader")
    photos = folder / "photos"
    photos.mkdir()
    for number, image in enumerate(heldout_digits()[0][:5]):
        (photos / f"{number}.png").write_bytes(encode(image, ".png"))
    (photos / "broken.jpg").write_bytes(b"no picture")
    return folder


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.place)
def test_an_example_works(stack: RunningStack, reader: Path, example: Example) -> None:
    environ = os.environ | {
        "PIXELMILL_URL": stack.info["url"],
        "PIXELMILL_API_KEY": stack.info["api_key"],
    }
    done = subprocess.run(
        [sys.executable, "-c", example.text],
        cwd=reader,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
    if "errored" in example.text:
        assert "broken.jpg unsupported_media" in done.stdout
    if "drawn-" in example.text:
        assert sorted(path.name for path in reader.glob("drawn-*.jpg")) == [
            f"drawn-{index}.jpg" for index in range(5)
        ]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.place)
def test_an_example_is_short(example: Example) -> None:
    own = [
        line
        for line in example.text.splitlines()
        if line and not line.startswith(("import ", "from ", "client = "))
    ]
    assert len(own) <= MOST_LINES + ("async def" in example.text)
