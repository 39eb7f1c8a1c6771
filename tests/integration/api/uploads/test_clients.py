"""Real clients over real connections that break: tus's own, ours, and the command line."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from tusclient.client import TusClient

from jobs.base.bootstrap import Ground
from jobs.tables import ModelVersion
from jobs.tenants.keys import NewKey
from jobs.uploads.finishing import finish_next
from pixelmill import Client
from pixelmill.wire.errors import InvalidInput
from tests.integration.api.fronts import Front, running_front
from tests.integration.api.uploads.cutting import relay_before
from tests.integration.api.uploads.tus import MIB
from tests.stranger.relays import relay_to

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

SIZE = 200 * MIB


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "photos.tar"
    make = random.Random(3)
    with path.open("wb") as file:
        for _ in range(SIZE // MIB):
            file.write(make.randbytes(MIB))
    return path


@pytest.fixture
def finishing(ground: Ground) -> Iterator[None]:
    """What an io worker does, in a thread."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(0.05):
            finish_next(ground)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    ended.set()
    thread.join()


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def only_file(front: Front) -> dict[str, Any]:
    with front.client() as client:
        (file,) = client.get("/v1/files").json()["data"]
        assert client.get("/v1/uploads").json()["data"] == []
    return file


def quick(url: str, key: str, **more: Any) -> Client:
    # As long as the server needs to hear that a connection broke, and to keep what came by it.
    return Client(url, key, sleep=lambda _: time.sleep(0.2), **more)


def send_cut_off(front: Front, path: Path, cuts: list[int]) -> None:
    """Send a file by tus's own client, over connections that end after so many bytes."""
    size = path.stat().st_size
    with relay_before(front.port, list(cuts)) as relay:
        client = TusClient(f"{relay.url}/v1/uploads", headers=front.headers)
        uploader = client.uploader(
            str(path),
            chunk_size=64 * MIB,
            retries=40,
            retry_delay=0,
            metadata={"filename": "photos.tar"},
        )
        uploader.upload()
        assert relay.made == len(cuts)
        # It asks at once, when what came before a cut is not stored yet: that may come twice.
        assert relay.brought < size + len(cuts) * 20 * MIB
    file_id = uploader.request.response_headers["pixelmill-file-id"]
    file = only_file(front)
    assert (file["id"], file["bytes"], file["sha256"]) == (file_id, size, digest(path))


@pytest.mark.usefixtures("finishing")
def test_tuss_own_client_is_cut_off_ten_times(front: Front, large: Path) -> None:
    send_cut_off(front, large, [random.Random(5).randrange(3 * MIB, 19 * MIB) for _ in range(10)])


@pytest.mark.deep
@pytest.mark.usefixtures("finishing")
def test_tuss_own_client_is_cut_off_ten_times_in_a_gibibyte(front: Front, tmp_path: Path) -> None:
    path, make = tmp_path / "photos.tar", random.Random(7)
    with path.open("wb") as file:
        for _ in range(1024):
            file.write(make.randbytes(MIB))
    send_cut_off(front, path, [make.randrange(3 * MIB, 60 * MIB) for _ in range(10)])


def test_tuss_own_client_sends_checksums(front: Front, tmp_path: Path) -> None:
    path = tmp_path / "photos.tar"
    path.write_bytes(random.Random(1).randbytes(10 * MIB + 1))
    client = TusClient(f"{front.url}/v1/uploads", headers=front.headers)
    client.uploader(
        str(path), chunk_size=3 * MIB, upload_checksum=True, metadata={"filename": "photos.tar"}
    ).upload()
    assert only_file(front)["sha256"] == digest(path)


@pytest.mark.usefixtures("finishing")
def test_our_client_is_cut_off_ten_times(front: Front, large: Path) -> None:
    cuts, told = [random.Random(6).randrange(3 * MIB, 19 * MIB) for _ in range(10)], []
    with relay_before(front.port, list(cuts)) as relay, quick(relay.url, front.key) as client:
        file = client.upload(large, on_upload=told.append)
        assert relay.made == len(cuts)
        # What came before a cut was kept, but for what was on its way.
        assert relay.brought < SIZE + len(cuts) * 2 * MIB
    assert told[-1] == SIZE
    assert file.sha256 == only_file(front)["sha256"] == digest(large)


@pytest.mark.usefixtures("finishing")
def test_a_large_folder_resumes_as_well(front: Front, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(70):
        (folder / f"{number}.png").write_bytes(random.Random(number).randbytes(MIB + number))
    with relay_before(front.port, [20 * MIB, 10 * MIB, 33 * MIB]) as relay:
        with quick(relay.url, front.key) as client:
            job = client.submit(folder, model="digits")
        assert relay.made == 3
        assert relay.brought < 100 * MIB
    file = only_file(front)
    assert job.raw["input_file_id"] == file["id"]
    with front.client() as caller:
        content = caller.get(f"/v1/files/{file['id']}/content").content
    assert hashlib.sha256(content).hexdigest() == file["sha256"]
    whole = subprocess.run(["tar", "-tf", "-"], input=content, capture_output=True, check=True)
    assert len(whole.stdout.split()) == 70


@pytest.mark.usefixtures("finishing")
def test_a_server_that_is_killed_loses_no_part(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, tmp_path: Path, large: Path
) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(running_front(ground, tenant, tmp_path))
        relay = stack.enter_context(relay_before(first.port, []))
        pauses = []

        def pause(_: float) -> None:
            """Start the server anew while the client waits."""
            if not pauses:
                second = stack.enter_context(running_front(ground, tenant, tmp_path))
                relay.port = second.port
            pauses.append(1)

        def kill() -> None:
            relay.wait_for(90 * MIB)
            for pid in first.pids():
                os.kill(pid, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        with Client(relay.url, tenant.key, sleep=pause) as client:
            file = client.upload(large)
        killer.join()
        assert pauses
        assert file.sha256 == digest(large)
        # A part is 8 MiB, and each process had one on its way.
        assert relay.brought < SIZE + 24 * MIB


@pytest.mark.usefixtures("finishing")
def test_a_command_that_is_killed_goes_on_when_it_is_given_again(
    front: Front, large: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    command = [sys.executable, "-m", "pixelmill", "submit", str(large), "-m", "digits"]
    with relay_before(front.port, []) as relay:
        env = {
            **os.environ,
            "PIXELMILL_URL": relay.url,
            "PIXELMILL_API_KEY": front.key,
            "XDG_STATE_HOME": str(state),
        }
        process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
        relay.wait_for(120 * MIB)
        process.kill()
        process.wait()
        (noted,) = (state / "pixelmill" / "uploads").iterdir()
        assert noted.stat().st_mode & 0o777 == 0o600
        assert front.key not in noted.read_text()
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("job_")
        assert relay.brought < SIZE + 40 * MIB
    assert only_file(front)["sha256"] == digest(large)
    assert list((state / "pixelmill" / "uploads").iterdir()) == []


@pytest.mark.usefixtures("finishing")
def test_a_proxy_with_a_prefix_that_takes_requests_whole_is_no_hindrance(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, tmp_path: Path, large: Path
) -> None:
    prefix = {"PIXELMILL_URL_PREFIX": "/vision"}
    with running_front(ground, tenant, tmp_path, **prefix) as front, relay_to(front.url) as proxy:
        with quick(f"{proxy}/vision", tenant.key) as client:
            assert client.upload(large).sha256 == digest(large)
        tus = TusClient(f"{proxy}/vision/v1/uploads", headers=front.headers)
        uploader = tus.uploader(
            str(large), chunk_size=60 * MIB, metadata={"filename": "photos.tar"}
        )
        uploader.upload()
        assert httpx.URL(uploader.url).path.startswith("/vision/v1/uploads/upl_")


@pytest.mark.usefixtures("finishing")
def test_a_file_that_changes_while_it_goes_up_is_no_file(front: Front, tmp_path: Path) -> None:
    path = tmp_path / "photos.tar"
    path.write_bytes(bytes(70 * MIB))

    def change(sent: int) -> None:
        if sent > 40 * MIB:
            with path.open("ab") as file:
                file.write(b"more")

    changed = pytest.raises(InvalidInput, match="changed while it was being sent")
    with quick(front.url, front.key) as client, changed:
        client.upload(path, on_upload=change)
    with front.client() as caller:
        assert caller.get("/v1/files").json()["data"] == []
