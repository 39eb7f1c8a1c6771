"""A hundred megabytes and ten thousand items go through in bounded memory."""

import zipfile
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest

from models.pictures.data import encode, heldout_digits
from tests.e2e.stacks import RunningStack, results_of, running_stack

ITEMS = 10_000
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def big_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten thousand pictures of eleven kilobytes each."""

    images, _ = heldout_digits()
    path = tmp_path_factory.mktemp("big") / "big.zip"
    files = []
    for image in images[:100]:
        large = cv2.cvtColor(cv2.resize(image, (60, 60)), cv2.COLOR_GRAY2RGB)
        files.append(encode(np.ascontiguousarray(large), ".bmp"))
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(ITEMS):
            archive.writestr(f"{number:05d}.bmp", files[number % 100])
    assert path.stat().st_size > 100 * MIB
    return path


def family(pid: int) -> list[int]:
    """Give a process and its descendants."""
    pids = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            pids += family(int(child))
    return pids


def peaks(pids: list[int]) -> dict[int, int]:
    """Give each process's largest memory so far, in bytes."""
    found = {}
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                found[pid] = int(line.split()[1]) * 1024
    return found


def test_a_large_archive_is_uploaded_prepared_and_run_in_bounded_memory(
    tmp_path: Path, big_zip: Path, digits_folder: Path
) -> None:
    with running_stack(tmp_path / "data") as stack, stack.client() as client:
        client.wait(client.submit(digits_folder, model="digits"), timeout=60)
        pids = [*family(stack.pids["api"]), *family(stack.pids["io"])]
        before = peaks(pids)
        job = client.submit(big_zip, model="digits")
        assert client.wait(job, timeout=120).request_counts.completed == ITEMS
        assert len(results_of(client, job.id)) == ITEMS
        growth = {pid: (peak - before[pid]) / MIB for pid, peak in peaks(pids).items()}
    print(f"\ngrowth of API and io processes in MiB: {sorted(map(round, growth.values()))}")
    assert max(growth.values()) < 60


def test_a_multipart_body_of_a_hundred_megabytes_is_not_held_in_memory(
    stack: RunningStack, big_zip: Path
) -> None:

    pids = family(stack.pids["api"])
    before = peaks(pids)
    with big_zip.open("rb") as file:
        answer = httpx.post(
            f"{stack.info['url']}/v1/files",
            files={"file": ("big.zip", file, "application/zip")},
            headers={"authorization": f"Bearer {stack.info['api_key']}"},
            timeout=60,
        )
    assert answer.status_code == 201, answer.text
    assert answer.json()["bytes"] == big_zip.stat().st_size
    growth = [(peak - before[pid]) / MIB for pid, peak in peaks(pids).items()]
    assert max(growth) < 60
