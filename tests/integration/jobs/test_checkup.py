"""A checkup finds each fault, made for real, and says in one line what it is and what to do."""

import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from sqlalchemy import text

from jobs.base.bootstrap import Ground
from jobs.base.database import Database
from jobs.checkup.__main__ import findings
from jobs.checkup.finding import Finding
from jobs.checkup.grounds import check_clock, check_disk, check_privacy
from jobs.checkup.processes import check_api
from jobs.presence.version import installed_version
from jobs.presence.workers import announce, drain, leave
from jobs.tables import ModelVersion
from tests.faults.rig.stores import filled, object_store, small_room

HERE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
VERSION = installed_version()


@pytest.fixture
def crew(ground: Ground) -> None:
    """One worker of each pool that is needed."""
    announce(ground.database, "host-1/cpu0", "cpu", VERSION)
    announce(ground.database, "host-9/io", "io", VERSION)


def found(ground: Ground, **changed: object) -> dict[str, list[Finding]]:
    settings = ground.settings.model_copy(update=changed)
    told: dict[str, list[Finding]] = {}
    for finding in findings(settings, ""):
        assert "\n" not in finding.line()
        told.setdefault(finding.name, []).append(finding)
    return told


def fault(ground: Ground, name: str, **changed: object) -> str:
    """Give the line about the one thing that is wrong, whatever the disk of this machine has."""
    told = found(ground, **changed)
    wrong = [each for name in told for each in told[name] if not each.is_sound]
    wrong = [each for each in wrong if each.name != "disk"]
    assert [each.name for each in wrong] == [name]
    assert wrong[0].remedy
    return wrong[0].line()


def test_all_is_well(ground: Ground, crew: None) -> None:
    told = found(ground)
    assert all(each.is_sound for name in told if name != "disk" for each in told[name])
    assert {"version", "database", "clock", "storage", "disk", "redis", "workers"} <= set(told)
    assert [each.what for each in told["workers"]] == ["1 of pool cpu", "1 of pool io"]


def test_tables_of_no_or_an_older_revision(ground: Ground, crew: None, tmp_path: Path) -> None:
    empty = f"sqlite:///{tmp_path / 'empty.db'}"
    line = fault(ground, "database", database_url=empty)
    assert "revision none" in line
    assert "python -m migrations.upgrade" in line
    with ground.database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0009'"))
    assert "revision 0009" in fault(ground, "database")


def test_tables_of_a_newer_revision_are_sound(ground: Ground, crew: None) -> None:
    with ground.database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert found(ground)["database"][0].is_sound


def test_a_database_that_is_away(ground: Ground) -> None:
    away = "postgresql://nobody@127.0.0.1:1/none"
    line = fault(ground, "database", database_url=away)
    assert "PIXELMILL_DATABASE_URL" in line


@HERE
def test_a_bucket_that_does_not_exist(
    ground: Ground, crew: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with object_store("there") as gate:
        for name, value in {
            "AWS_ENDPOINT": f"http://127.0.0.1:{gate.port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        assert found(ground, storage_url="s3://there")["storage"][0].is_sound
        line = fault(ground, "storage", storage_url="s3://not-there")
    assert "s3://not-there does not exist" in line


@HERE
def test_a_disk_that_is_full(ground: Ground, crew: None, tmp_path: Path) -> None:
    with small_room(tmp_path / "small", 1024 * 1024) as folder:
        url = (folder / "blobs").as_uri()
        settings = ground.settings.model_copy(update={"storage_url": url})
        (folder / "blobs").mkdir()
        with filled(folder):
            assert "is full" in fault(ground, "storage", storage_url=url)
            short = [each.line() for each in check_disk(settings) if not each.is_sound]
            assert any("only 0.0 GiB free for blobs" in line for line in short)


@HERE
def test_a_redis_that_is_dead(ground: Ground, crew: None) -> None:
    assert "nothing is lost" in fault(ground, "redis", redis_url="redis://127.0.0.1:1/0")


def test_a_pool_without_a_worker(ground: Ground, crew: None) -> None:
    leave(ground.database, "host-1/cpu0")
    line = fault(ground, "workers")
    assert "none of pool cpu lives" in line
    assert "workers.launcher --workers" in line
    assert "none of pool gpu" in fault(ground, "workers", pool_for_jobs="gpu")


def test_a_worker_that_is_drained(ground: Ground, crew: None) -> None:
    announce(ground.database, "host-2/cpu0", "cpu", VERSION)
    with ground.database.write() as session:
        drain(session, "host-2/cpu0")
    assert "host-2/cpu0 claim nothing" in fault(ground, "drained")


def test_workers_of_another_version(ground: Ground, crew: None) -> None:
    announce(ground.database, "host-3/cpu0", "cpu", "0.0.1")
    assert "host-3/cpu0 0.0.1" in fault(ground, "versions")


def test_a_clock_that_is_off_by_a_minute(ground: Ground) -> None:
    import time

    off = check_clock(ground.database, lambda: time.time() - 60)
    assert off is not None
    assert not off.is_sound
    assert "60 s behind" in off.line()


@HERE
def test_a_database_that_others_can_read(ground: Ground, tmp_path: Path) -> None:
    file = tmp_path / "pixelmill.db"
    tmp_path.chmod(0o755)
    file.chmod(0o644)
    said = check_privacy(ground.settings)
    assert said is not None
    assert f"chmod 600 {file}" in said.remedy
    tmp_path.chmod(0o700)
    said = check_privacy(ground.settings)
    assert said is not None
    assert said.is_sound


@HERE
@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_a_folder_that_may_not_be_written(ground: Ground, crew: None, tmp_path: Path) -> None:
    # The kernel asks root for no permission: it is somebody else who looks.
    for folder in (tmp_path, *tmp_path.parents):
        if folder == Path(tempfile.gettempdir()):
            break
        folder.chmod(0o755)
    (tmp_path / "pixelmill.db").chmod(0o644)
    ground.database.close()
    done = checkup(ground, "-c", AS_SOMEBODY_ELSE)
    lines = [line for line in done.stdout.splitlines() if line.startswith("FAULT")]
    assert done.returncode == 1, done.stderr
    assert any(re.match(r"FAULT database .*uid 65534\) the right to write", x) for x in lines)
    assert any(x.startswith("FAULT storage") for x in lines)


# Looks once as it is, so that all is imported, and then as somebody who may do less.
AS_SOMEBODY_ELSE = """
import os
from jobs.base.settings import load_settings
from jobs.checkup.__main__ import findings, main
list(findings(load_settings(), ""))
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
main()
"""


def checkup(ground: Ground, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
        "PIXELMILL_DATABASE_URL": ground.settings.database_url,
        "PIXELMILL_REDIS_URL": ground.settings.redis_url,
        "PIXELMILL_STORAGE_URL": ground.settings.storage_url,
    }
    command = [sys.executable, *(arguments or ("-m", "jobs.checkup"))]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120)


@HERE
def test_settings_that_cannot_be_read_end_with_2_and_one_line(ground: Ground) -> None:
    bad = ground.settings.model_copy(update={"storage_url": "nowhere"})
    done = checkup(Ground(bad, ground.database, ground.storage, ground.hints))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "PIXELMILL_STORAGE_URL" in done.stderr


@HERE
def test_a_port_where_figures_should_be_and_are_not(ground: Ground, crew: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert found(ground, worker_metrics=str(port))["figures"][0].is_sound
    assert "figures_not_served" in fault(ground, "figures", worker_metrics=str(port))


@contextmanager
def answering(body: bytes) -> Iterator[str]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>", "no Pixelmill"),
        (b"[]", "no Pixelmill"),
        (b'{"status": "ok", "version": "0.0.1"}', "is 0.0.1"),
    ],
)
def test_a_port_where_another_program_or_another_version_answers(body: bytes, said: str) -> None:
    with answering(body) as url:
        finding = check_api(url)
    assert not finding.is_sound
    assert said in finding.line()
    assert "nothing answers" in check_api(url).line()


def test_an_answering_api_is_sound() -> None:
    with answering(f'{{"status": "ok", "version": "{VERSION}"}}'.encode()) as url:
        assert check_api(url).is_sound


def test_the_database_is_not_changed_by_a_look(ground: Ground, crew: None) -> None:
    database = Database(ground.settings.database_url)
    with database.read() as session:
        before = session.scalar(text("SELECT version_num FROM alembic_version"))
    found(ground)
    with database.read() as session:
        assert session.scalar(text("SELECT version_num FROM alembic_version")) == before
    database.close()


@HERE
def test_a_folder_that_is_not_mounted(
    ground: Ground, crew: None, digits_model: ModelVersion, tmp_path: Path
) -> None:
    assert found(ground)["storage"][0].is_sound
    (tmp_path / "mountpoint").mkdir()
    line = fault(ground, "storage", storage_url=(tmp_path / "mountpoint").as_uri())
    assert f"lacks what the database names, such as {digits_model.weights}" in line
    assert "Mount what belongs there" in line
