"""The operators' view on the command line: rows set in columns, workers drained by their names."""

import json

import pytest
from typer.testing import CliRunner

from pixelmill.cli import admin_commands
from pixelmill.cli.commands import app

ADMIN = "/v1/admin"
JOB = {
    "id": "job_1", "tenant": "acme", "status": "in_progress", "pool": "gpu", "priority": "high",
    "request_counts": {"total": 10, "processing": 7}, "created_at": 1_700_000_000,
    "why": "No worker of pool gpu lives; start one: `python -m workers.launcher --gpus 0`.",
}  # fmt: skip
HELD = {"job_id": "job_1", "shard_id": 3}
WORKER = {
    "id": "host-1/gpu0", "pool": "gpu", "state": "draining", "version": "0.3.0",
    "seen_at": 1_700_000_000, "shards": [HELD, {**HELD, "shard_id": 4}],
}  # fmt: skip


def page(*rows):
    return {"object": "list", "data": list(rows), "last_id": None, "has_more": False}


@pytest.fixture
def run(server, tmp_path):
    env = {
        "PIXELMILL_URL": server.url,
        "PIXELMILL_API_KEY": "key",
        "PIXELMILL_DATA": str(tmp_path / "none"),
    }
    return lambda *args: CliRunner().invoke(app, ["admin", *args], env=env)


def test_jobs_are_shown_with_why_they_wait(server, say, run):
    server.on("GET", f"{ADMIN}/jobs", say.answer(200, page(JOB)))
    done = run("jobs", "--tenant", "acme")
    assert done.exit_code == 0
    header, row = done.stdout.splitlines()
    assert header.split() == [
        "JOB",
        "TENANT",
        "STATUS",
        "POOL",
        "PRIORITY",
        "DONE",
        "CREATED",
        "WHY",
    ]
    assert "3/10" in row
    assert row.endswith(JOB["why"])
    assert server.seen[-1].query == {"tenant": "acme"}
    assert json.loads(run("jobs", "--json").stdout) == [JOB]


def test_workers_are_shown_with_the_jobs_that_they_are_at(server, say, run):
    ended = {**WORKER, "id": "host-2/io", "state": "silent", "seen_at": 0, "shards": []}
    server.on("GET", f"{ADMIN}/workers", say.answer(200, page(WORKER, ended)))
    _, first, second = run("workers").stdout.splitlines()
    assert first.split()[:3] == ["host-1/gpu0", "gpu", "draining"]
    assert first.endswith("job_1 (2)")
    assert second.split()[-2:] == ["ended", "-"]


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (5 * 1024**3, "5.0 GiB"),
     (5000 * 1024**4, "5000.0 TiB")],
)  # fmt: skip
def test_sizes_are_shown_in_the_largest_unit_that_fits(server, say, run, size, shown):
    kept = {"tenant": "acme", "files": 2, "bytes": size}
    answer = {**page(kept), "storage": "s3://b", "free_bytes": None, "total_bytes": None}
    server.on("GET", f"{ADMIN}/storage", say.answer(200, answer))
    assert run("storage").stdout.splitlines()[1].endswith(f"2      {shown}")


def test_a_drain_that_waits_ends_when_nothing_is_in_flight(server, say, run, monkeypatch):
    monkeypatch.setattr(admin_commands, "_LOOK_S", 0.01)
    monkeypatch.setattr(admin_commands, "_SETTLED_S", 0.02)
    idle = {**WORKER, "state": "drained", "shards": []}
    server.on(
        "POST", f"{ADMIN}/workers/host-1/gpu0/drain", say.answer(200, {"workers": ["host-1/gpu0"]})
    )
    server.on(
        "GET", f"{ADMIN}/workers",
        say.answer(200, page(WORKER)), say.answer(200, page(WORKER)), say.answer(200, page(idle)),
    )  # fmt: skip
    done = run("drain", "host-1/gpu0", "--wait")
    assert (done.exit_code, done.stdout) == (0, "host-1/gpu0\n")
    looks = [seen for seen in server.seen if seen.path == f"{ADMIN}/workers"]
    assert len(looks) >= 4, "it has settled before it is told"


def test_a_drain_that_takes_too_long_ends_with_4_and_says_who_is_at_work(
    server, say, run, monkeypatch
):
    monkeypatch.setattr(admin_commands, "_LOOK_S", 0.01)
    drained = say.answer(200, {"workers": ["host-1/gpu0"]})
    server.on("POST", f"{ADMIN}/workers/host-1/drain", drained)
    server.on("GET", f"{ADMIN}/workers", say.answer(200, page(WORKER)))
    done = run("drain", "host-1", "--wait", "--timeout", "0.1")
    assert done.exit_code == 4
    assert "host-1/gpu0 still at work" in done.stderr


def test_usage_and_tenants_are_shown_and_days_passed_on(server, say, run):
    used = {
        "tenant": "acme", "jobs": 2, "items": 30, "completed": 29, "failed": 1,
        "device_seconds": 1.5,
    }  # fmt: skip
    server.on("GET", f"{ADMIN}/usage", say.answer(200, page(used)))
    assert run("usage", "--days", "7").stdout.splitlines()[1].split() == [
        "acme", "2", "30", "29", "1", "1.5",
    ]  # fmt: skip
    assert server.seen[-1].query == {"days": "7.0"}
    tenant = {
        "name": "acme", "weight": 2.0, "share": 0.5, "keys": 1, "open_jobs": 3,
        "waiting_shards": 9,
    }  # fmt: skip
    server.on("GET", f"{ADMIN}/tenants", say.answer(200, page(tenant)))
    assert run("tenants").stdout.splitlines()[1].split() == ["acme", "2.0", "0.5", "1", "3", "9"]


def test_the_version_is_told_without_a_command():
    done = CliRunner().invoke(app, ["--version"])
    assert done.exit_code == 0
    assert done.stdout == CliRunner().invoke(app, ["version"]).stdout
