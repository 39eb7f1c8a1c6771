"""Ready is who can take a job: each thing is tried for real, and what is wrong is said."""

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from api.app import create_app
from api.system.readiness import READINESS, Readiness
from api.web.listener import LISTENER, Listener
from jobs.base.bootstrap import Ground
from jobs.base.database import Database
from jobs.base.storage import Storage
from tests.e2e.stacks import wait_for
from tests.faults.rig.stores import filled, object_store, small_room
from tests.integration.api.callers import check_problem
from tests.servers import redis_server

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def bucket_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket of an S3 that lives; `-no` behind it names none."""
    with object_store("there") as gate:
        for name, value in {
            "AWS_ENDPOINT": f"http://127.0.0.1:{gate.port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        yield "s3://there"


def answer_of(ground: Ground, status: int) -> str:
    answer = create_app(ground).test_client().get("/readyz")
    if status == 200:
        assert answer.status_code == 200, answer.text
        return answer.text
    return check_problem(answer, status, "temporarily_unavailable")["detail"]


def test_a_database_without_its_tables_is_not_ready_until_it_is_migrated(
    ground: Ground, tmp_path: Path
) -> None:
    empty = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    assert "migrations.upgrade" in answer_of(replace(ground, database=empty), 503)
    empty.close()
    assert '"database":"ok"' in answer_of(ground, 200).replace(" ", "")


def test_a_database_of_an_older_version_is_not_ready(ground: Ground) -> None:
    with ground.database.write() as session:
        session.execute(text("DROP INDEX ix_files_expires_at"))
        session.execute(text("ALTER TABLE files DROP COLUMN expires_at"))
    app = create_app(ground)
    assert "migrations.upgrade" in check_problem(app.test_client().get("/readyz"), 503)["detail"]
    with ground.database.write() as session:
        session.execute(text("ALTER TABLE files ADD COLUMN expires_at FLOAT"))
    assert app.test_client().get("/readyz").status_code == 200


def test_a_bucket_that_does_not_exist_is_not_ready(ground: Ground, bucket_url: str) -> None:
    answer_of(replace(ground, storage=Storage(bucket_url)), 200)
    missing = replace(ground, storage=Storage(f"{bucket_url}-not"))
    assert "bucket or folder does not exist" in answer_of(missing, 503)


def test_a_store_that_is_full_is_not_ready_and_says_so(ground: Ground, tmp_path: Path) -> None:
    with small_room(tmp_path / "small", 1024 * 1024) as folder:
        storage = Storage((folder / "blobs").as_uri())
        answer_of(replace(ground, storage=storage), 200)
        with filled(folder):
            assert "the storage is full" in answer_of(replace(ground, storage=storage), 503)
        answer_of(replace(ground, storage=storage), 200)


def test_the_store_is_written_to_now_and_then_only(ground: Ground) -> None:
    now = [100.0]
    state = Readiness(ground, Listener(ground.settings.redis_url), clock=lambda: now[0])
    assert state.storage() == "ok"
    ground.storage.delete(["probes/readyz"])
    now[0] += 4.9
    assert (state.storage(), list(ground.storage.list("probes"))) == ("ok", [])
    now[0] += 0.2
    assert (state.storage(), list(ground.storage.list("probes"))) == ("ok", ["probes/readyz"])


def test_a_store_that_is_slow_holds_one_request_and_no_more(ground: Ground) -> None:
    asked, answers = threading.Event(), threading.Event()

    class Slow(Storage):
        def put(self, name: str, chunks: Iterable[bytes]) -> None:
            asked.set()
            assert answers.wait(30)
            super().put(name, chunks)

    slow = replace(ground, storage=Slow(ground.settings.storage_url))
    state = Readiness(slow, Listener(ground.settings.redis_url))
    with ThreadPoolExecutor(1) as thread:
        first = thread.submit(state.storage)
        try:
            assert asked.wait(30)
            assert state.storage() == "away", "nothing is known of it yet"
            assert state.workers() is not None
        finally:
            answers.set()
        assert first.result() == "ok"
    assert state.storage() == "ok"


def test_a_listener_that_hears_nothing_is_told(ground: Ground, tmp_path: Path) -> None:
    with redis_server() as url:
        app = create_app(
            replace(ground, settings=ground.settings.model_copy(update={"redis_url": url}))
        )
        listener, state = app.extensions[LISTENER], app.extensions[READINESS]
        assert state.listener() == "idle"
        with listener.listening("job"):
            wait_for(lambda: state.listener() == "ok", 10, "the subscription")
    wait_for(lambda: state.listener() == "not_listening", 20, "the loss to be noticed")
    ready = app.test_client().get("/readyz")
    assert (ready.status_code, ready.json["listener"]) == (200, "not_listening")
    listener.close()
