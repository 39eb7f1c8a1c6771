"""Names of launchers: a living one's is nobody else's, a dead one's is its successor's."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from jobs.base.bootstrap import Ground
from jobs.base.states import ShardState
from jobs.tables import ModelVersion
from jobs.tenants.keys import NewKey
from tests.e2e.stacks import wait_for
from tests.integration.jobs.builders import claim_one, submit_items
from tests.integration.jobs.checks import shards_of
from workers.launcher import slots_for
from workers.names import held_name

URL = "sqlite:///here.db"
HOLDER = (
    "import sys, signal\nfrom pathlib import Path\nfrom workers.names import held_name\n"
    "with held_name(sys.argv[1], Path(sys.argv[2])) as name:\n"
    "    print(name, flush=True)\n    signal.pause()\n"
)


def test_launchers_that_live_at_a_time_have_names_of_their_own(tmp_path: Path) -> None:
    with ExitStack() as stack:
        names = [stack.enter_context(held_name(URL, tmp_path)) for _ in range(5)]
    assert len(set(names)) == 5


def test_a_launcher_that_was_killed_leaves_its_name_to_the_next(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, URL, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            name = holder.stdout.readline().strip()
            with held_name(URL, tmp_path) as other:
                assert other != name
        finally:
            holder.kill()
    with held_name(URL, tmp_path) as successor:
        assert successor == name


def test_a_launcher_of_another_database_takes_nobodys_name(tmp_path: Path) -> None:
    with held_name(URL, tmp_path) as name:
        pass
    with held_name("postgresql://elsewhere/db", tmp_path) as other:
        assert other != name


def test_containers_that_share_a_hosts_name_share_no_launchers_name(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    with held_name(URL, tmp_path / "a") as first, held_name(URL, tmp_path / "b") as second:
        assert first != second


def test_without_a_folder_to_write_to_a_launcher_draws_a_name(tmp_path: Path) -> None:
    with held_name(URL, tmp_path / "none") as first, held_name(URL, tmp_path / "none") as second:
        assert first != second


@contextmanager
def running_launcher(ground: Ground, folder: Path, log: Path) -> Iterator[None]:
    """Run a real launcher that keeps its name below `folder`; its worker has started."""
    environ = {
        **os.environ,
        "TMPDIR": str(folder),
        "PIXELMILL_DATABASE_URL": ground.settings.database_url,
        "PIXELMILL_REDIS_URL": ground.settings.redis_url,
        "PIXELMILL_STORAGE_URL": ground.settings.storage_url,
    }
    with log.open("wb") as out:
        command = [sys.executable, "-m", "workers.launcher", "--workers", "1"]
        process = subprocess.Popen(command, env=environ, stdout=out, stderr=out)
    try:
        wait_for(lambda: "worker_started" in log.read_text(), 90, "the worker")
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_a_second_launcher_of_a_host_leaves_a_living_ones_leases_and_takes_a_dead_ones(
    ground: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    job = submit_items(ground, tenant, digits_model, count=9)
    with held_name(ground.settings.database_url) as living:
        (slot,) = slots_for(ground.settings, 1, [], tmp_path, living)
        lease = claim_one(ground, owner=slot.node, lease_s=300)
        with running_launcher(ground, tmp_path, tmp_path / "second.log"):
            (shard,) = shards_of(ground, job.id)
            assert (shard.state, shard.fence) == (ShardState.LEASED, lease.fence)
    with running_launcher(ground, tmp_path, tmp_path / "third.log"):
        assert "leases_taken_back" in (tmp_path / "third.log").read_text()
