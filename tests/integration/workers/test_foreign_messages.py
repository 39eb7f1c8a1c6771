"""What strangers put into a queue of Redis ends no worker: it is dropped, and hints go on."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from jobs.base.bootstrap import Ground
from jobs.base.hints import IO
from jobs.base.states import JobStatus
from jobs.inputs.files import store_file
from jobs.intake.submission import Submission, submit
from jobs.tables import Job, ModelVersion
from jobs.tenants.keys import NewKey
from tests.e2e.stacks import wait_for

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PLACE = {"exchange": "", "routing_key": IO}
WHOLE = {"delivery_tag": "9", "delivery_info": PLACE, "body_encoding": "base64"}
FOREIGN = [
    b"hello",
    b"\xff\xfe\x00",
    b"[]",
    b"5",
    b"null",
    b'{"a": 1}',
    b'{"properties": {}}',
    b'{"body": "%%%", "properties": {"delivery_tag": "1", "body_encoding": "base64"}}',
    json.dumps({"body": "e30=", "headers": 5, "properties": {"delivery_tag": "2"}}).encode(),
    json.dumps({"body": "e30=", "properties": {"delivery_tag": "3"}}).encode(),
    json.dumps(
        {"body": "{}", "headers": {"task": 7}, "properties": {"delivery_tag": "4"}}
    ).encode(),
    json.dumps({"headers": {"task": "x"}, "properties": {"delivery_tag": []}}).encode(),
    json.dumps({"body": "e30=", "headers": {}, "properties": WHOLE}).encode(),
    json.dumps({"body": "e30=", "headers": {"task": "x"}, "properties": WHOLE}).encode(),
]


@pytest.fixture
def log(ground: Ground, tmp_path: Path) -> Iterator[Path]:
    """The log of a real io worker that does nothing without a hint."""
    environ = {
        **os.environ,
        "PIXELMILL_DATABASE_URL": ground.settings.database_url,
        "PIXELMILL_REDIS_URL": ground.settings.redis_url,
        "PIXELMILL_STORAGE_URL": ground.settings.storage_url,
        "PIXELMILL_POLL_S": "3600",
        "PIXELMILL_SWEEP_S": "3600",
    }
    path = tmp_path / "io.log"
    with path.open("wb") as out:
        command = [sys.executable, "-m", "workers.launcher", "--io"]
        process = subprocess.Popen(command, env=environ, stdout=out, stderr=out)
    wait_for(lambda: "worker_started" in path.read_text(), 60, "the worker")
    yield path
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0, path.read_text()


def test_foreign_messages_are_dropped_with_a_line_and_the_next_hint_is_followed(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, log: Path
) -> None:
    line = b'{"input": {"url": "https://x.org/1"}}'
    file = store_file(ground, tenant.tenant_id, "a.jsonl", "batch", [line])
    with redis.Redis.from_url(ground.settings.redis_url) as client:
        for message in FOREIGN:
            client.lpush(IO, message)
            wait_for(lambda: client.llen(IO) == 0, 20, f"{message!r} to be read")
    said = wait_for(
        lambda: log.read_text().count("foreign_message_dropped") >= 7 and log.read_text(), 20, "it"
    )
    assert "Unrecoverable" not in said
    submission = Submission(
        tenant_id=tenant.tenant_id,
        model=digits_model,
        params={},
        requested={"model": "digits", "params": {}},
        pool="cpu",
        input_file_id=file.id,
    )
    job, _ = submit(ground, submission)

    def is_prepared() -> bool:
        with ground.database.read() as session:
            return session.get_one(Job, job.id).status is JobStatus.IN_PROGRESS

    wait_for(is_prepared, 20, "the job of a hint")
