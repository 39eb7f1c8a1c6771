"""Every block and every command of a table in quickstart.md, photos.md, films.md and operations.md.

What else these documents and inputs-and-results.md, scaling.md and webhooks.md show is held against
what a real stack says. Why a block is not run, stands in tests/contract/test_examples.py.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.pictures.clips import heldout_streams
from tests.contract.test_examples import DOCUMENTS, is_block
from tests.documents import Example, examples
from tests.e2e.stacks import RunningStack
from tests.receivers import receiver_server
from tests.videos import jpeg, movie

ROOT = Path(__file__).parents[3]
OPERATIONS = examples((ROOT / "docs/operations.md").read_text())


def of(name: str) -> list[Example]:
    """Give what is to be run of a document."""
    document = f"docs/{name}"
    found = examples((ROOT / document).read_text())
    return [each for each in found if each.place not in DOCUMENTS[document].but]


@pytest.fixture(scope="module")
def reader(digits_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an environment, photos, an archive of them, and two films of four seconds."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / ".venv").symlink_to(sys.prefix)
    for kind in ("photos", "films"):
        (folder / kind).mkdir()
    for file in sorted(digits_folder.iterdir())[:3]:
        shutil.copy(file, folder / "photos")
    shutil.make_archive(str(folder / "photos"), "zip", folder / "photos")
    for number, film in enumerate(heldout_streams(2, 32)):
        frames = [jpeg(frame) for frame in film.frames]
        (folder / "films" / f"{number}.mov").write_bytes(movie(frames, 125, width=64, height=64))
    return folder


def run(stack: RunningStack, folder: Path, example: Example, text: str = "") -> str:
    """Run an example where its reader is; gives what it prints."""
    shells = {"bash": ["bash", "-euc"], "sh": ["sh", "-euc"], "python": [sys.executable, "-c"]}
    environ = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PIXELMILL_DATA": str(stack.data),
        "PIXELMILL_URL": stack.info["url"],
        "PIXELMILL_API_KEY": stack.info["api_key"],
    }
    done = subprocess.run(
        [*shells[example.language], text or example.text],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "example",
    [*of("quickstart.md"), *of("photos.md"), *of("films.md")],
    ids=lambda each: each.place,
)
def test_an_example_works(stack: RunningStack, reader: Path, example: Example) -> None:
    printed = run(stack, reader, example)
    assert printed
    for made in [word for word in example.text.split() if word.endswith((".csv", ".coco.json"))]:
        assert (reader / made).stat().st_size > 50
    for folder in [word for word in example.text.split() if word in ("drawn/", "sheets/")]:
        assert list((reader / folder).iterdir())


@pytest.mark.parametrize(
    "example", [each for each in OPERATIONS if not is_block(each.text)], ids=lambda each: each.text
)
def test_a_command_that_answers_an_operators_question_works(
    stack: RunningStack, reader: Path, example: Example
) -> None:
    run(stack, reader, example)


@pytest.fixture
def launcher(stack: RunningStack, reader: Path) -> Iterator[str]:
    """Give the name of the launcher, which is not left drained whatever happens."""
    rows = json.loads(run(stack, reader, Example("", "sh", "pixelmill admin workers --json")))
    (name,) = {row["id"].partition("/")[0] for row in rows if row["pool"] == "cpu"}
    yield name
    run(stack, reader, Example("", "sh", f"pixelmill admin resume {name}"))


def test_a_worker_is_drained_and_resumed_as_the_manual_says(
    stack: RunningStack, reader: Path, launcher: str
) -> None:
    one, machine = [each for each in OPERATIONS if each.place.startswith("Drain a worker")]
    assert launcher in run(stack, reader, one, one.text.replace("host-1f0c9a2e", launcher))
    here = machine.text.replace(" host ", f" {socket.gethostname()} ")
    assert f"{launcher}/cpu0" in run(stack, reader, machine, here)


def test_a_link_shows_the_job_that_it_was_made_for(stack: RunningStack, reader: Path) -> None:
    commands, call = of("dashboard.md")
    share, shares, unshare = commands.text.splitlines()
    with stack.client() as client:
        job = client.submit(reader / "photos", model="digits")
        link = run(stack, reader, commands, share.replace("JOB", job.id)).strip()
        assert link in run(stack, reader, commands, shares.replace("JOB", job.id))
        (made,) = client.shares(job)
        made_by_api = json.loads(run(stack, reader, call, f"JOB={job.id}\n{call.text}"))
    for url in (link, f"{stack.info['url']}{made_by_api['url']}"):
        page = httpx.get(url, trust_env=False, timeout=60)
        assert (page.status_code, job.id in page.text) == (200, True)
    run(stack, reader, commands, unshare.replace("JOB", job.id).replace("SHARE", made.id))
    assert job.id not in httpx.get(link, trust_env=False, timeout=60).text


@pytest.mark.parametrize("name", ["README.md", "docs/inputs-and-results.md"])
def test_a_result_has_the_members_that_the_document_shows(
    stack: RunningStack, reader: Path, name: str
) -> None:
    (shown,) = [each for each in examples((ROOT / name).read_text()) if each.language == "json"]
    with stack.client() as client:
        job = client.wait(client.submit(reader / "photos", model="digits"), timeout=120)
        (first, *_) = client.results(job)
    members = json.loads(shown.text)
    assert members.keys() <= first.raw.keys()
    assert members["predictions"][0].keys() == first.raw["predictions"][0].keys()


def test_a_webhook_has_the_members_that_the_document_shows(
    stack: RunningStack, reader: Path
) -> None:
    found = examples((ROOT / "docs/webhooks.md").read_text())
    (shown,) = [each for each in found if each.language == "json"]
    with receiver_server() as receiver, stack.client() as client:
        client.submit(reader / "photos", model="digits", webhook={"url": receiver.url})
        _, body = receiver.received.get(timeout=120)
    assert shape(json.loads(body)) == shape(json.loads(shown.text))


def shape(value: Any) -> Any:
    """Give the names of members, at every depth."""
    return {name: shape(each) for name, each in value.items()} if isinstance(value, dict) else None
