"""/readyz tells who is there to do the work, whose clock is off, and which version answers."""

import itertools
import shutil
from pathlib import Path

from apiflask import APIFlask
from sqlalchemy import text

from api.app import create_app
from api.system.readiness import Readiness
from api.web.listener import Listener
from jobs.base.bootstrap import Ground
from jobs.presence.version import installed_version
from jobs.presence.workers import announce
from jobs.tables import ModelVersion
from tests.integration.api.callers import check_problem


def test_the_pools_that_are_needed_are_named_with_none_too(ground: Ground) -> None:
    # What is counted is kept for a few seconds: each application counts for itself.
    def workers() -> dict[str, int]:
        answer = create_app(ground).test_client().get("/readyz")
        assert answer.status_code == 200, answer.text
        return answer.json["workers"]

    assert workers() == {"cpu": 0, "io": 0}
    announce(ground.database, "a-1/cpu0", "cpu", "1")
    announce(ground.database, "b-1/gpu0", "gpu", "1")
    assert workers() == {"cpu": 1, "gpu": 1, "io": 0}


def test_version_and_clock_are_told(app: APIFlask) -> None:
    client = app.test_client()
    assert client.get("/healthz").json == {"status": "ok", "version": installed_version()}
    ready = client.get("/readyz").json
    assert ready["version"] == installed_version()
    assert abs(ready["clock_skew_s"]) < 60


def test_tables_at_an_older_revision_are_not_ready(ground: Ground) -> None:
    with ground.database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0009'"))
    answer = create_app(ground).test_client().get("/readyz")
    assert "migrations.upgrade" in check_problem(answer, 503)["detail"]


def test_a_store_that_is_empty_and_should_not_be_is_not_ready(
    ground: Ground, digits_model: ModelVersion, tmp_path: Path
) -> None:
    ready = Readiness(
        ground, Listener(ground.settings.redis_url), clock=itertools.count(step=9).__next__
    )
    assert ready.storage() == "ok"
    (tmp_path / "blobs").rename(tmp_path / "unmounted")
    (tmp_path / "blobs").mkdir()
    assert ready.storage() == "lost"
    shutil.rmtree(tmp_path / "blobs")
    (tmp_path / "unmounted").rename(tmp_path / "blobs")
    assert ready.storage() == "ok"
