"""A large archive comes in pieces, and is run, whoever dies while it is put together."""

import random
import zipfile
from pathlib import Path

from tests.e2e.stacks import RunningStack

LARGE = 80 * 1024 * 1024


def test_a_large_archive_is_put_together_although_its_worker_is_killed(
    stack: RunningStack, digits_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "photos.zip"
    pictures = sorted(digits_folder.iterdir())[:30]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", random.Random(8).randbytes(LARGE))
        for picture in pictures:
            archive.write(picture, picture.name)
    size, killed = path.stat().st_size, []

    def kill(sent: int) -> None:
        # The last piece is on its way; who puts it together dies at any moment from now on.
        if sent == size and not killed:
            killed.append(stack.kill("io"))

    with stack.client() as client:
        job = client.wait(client.submit(path, model="digits", on_upload=kill), timeout=200)
        assert (job.outcome, job.request_counts.completed) == ("succeeded", len(pictures))
    assert killed
    assert [*(stack.data / "blobs" / "inputs" / "parts").rglob("*-*")] == []
