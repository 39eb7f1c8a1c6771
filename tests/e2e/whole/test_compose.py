"""Each service of docker-compose.yml has what it needs and no more, on real servers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from migrations.grants import API, IO, WORKER
from models.pictures.data import encode, heldout_digits, write_png_folder
from pixelmill import Client
from tests.compositions import make_passwords
from tests.e2e.stacks import wait_for
from tests.e2e.whole.composed import Composition
from tests.receivers import receiver_server
from tests.servers import postgresql_server

LASTING = ("api", "worker-cpu", "io", "beat")

# One statement of each kind that a service whom somebody took over would like to make.
FORBIDDEN = [
    (WORKER, "SELECT secret_sha256 FROM api_keys"),
    (WORKER, "SELECT webhook_secret FROM tenants"),
    (WORKER, "UPDATE tenants SET weight = 1000"),
    (WORKER, "SELECT key FROM idempotency_keys"),
    (WORKER, "DELETE FROM jobs"),
    (WORKER, "UPDATE files SET tenant_id = id"),
    (WORKER, "SELECT details FROM audit_log"),
    (IO, "SELECT secret_sha256 FROM api_keys"),
    (IO, "DELETE FROM audit_log"),
    (IO, "UPDATE tenants SET webhook_secret = id"),
    (API, "INSERT INTO api_keys (id) VALUES ('mine')"),
    (API, "UPDATE api_keys SET admin = true"),
    (API, "DELETE FROM audit_log"),
    *((role, "CREATE TABLE mine (id int)") for role in (API, IO, WORKER)),
    *((role, "DROP TABLE jobs") for role in (API, IO, WORKER)),
    *((role, "CREATE TEMP TABLE mine (id int)") for role in (API, IO, WORKER)),
    *((role, "COPY jobs TO PROGRAM 'cat'") for role in (API, IO, WORKER)),
]


@pytest.fixture(scope="module")
def composition(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composition]:
    """An installation that was made as the head of docker-compose.yml says."""
    folder = tmp_path_factory.mktemp("composed")
    with postgresql_server() as admin_url:
        # A receiver of webhooks on this machine; the name is passed on to whom it concerns.
        said = make_passwords(folder / ".env") | {"PIXELMILL_EGRESS_ALLOW": "127.0.0.0/8"}
        made = Composition(folder, said, admin_url)
        made.make_roles()
        with made.hints():
            made.run("migrate")
            yield made


@pytest.fixture(scope="module")
def key(composition: Composition) -> str:
    command = ["flask", "--app", "api.wsgi", "keys", "create", "--tenant", "acme", "--json"]
    return str(json.loads(composition.run("migrate", *command))["key"])


def as_role(composition: Composition, role: str) -> psycopg.Connection[Any]:
    url = composition.admin_url.replace("//postgres:@", f"//{role}@")
    return psycopg.connect(url, autocommit=True)


def test_jobs_run_with_what_the_services_are_given(
    composition: Composition, key: str, tmp_path: Path
) -> None:
    digits, classes = tmp_path / "digits", tmp_path / "classes"
    images, labels = heldout_digits()
    write_png_folder(digits, images[:20], labels[:20])
    for number, image in enumerate(images[:40]):
        path = classes / str(labels[number] % 2) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(image, ".png"))
    with (
        receiver_server() as receiver,
        composition.running(*LASTING),
        Client(composition.url, key) as client,
    ):
        wait_for(composition.answers, 180, "the API")
        job = client.wait(client.submit(digits, model="digits", webhook=receiver.url), timeout=180)
        assert job.request_counts.completed == 20
        assert receiver.received.get(timeout=60)
        params = {"epochs": 1}
        training = client.trainings.create(classes, name="my/parity", params=params)
        training = client.trainings.wait(training, timeout=180)
        assert str(training.model) == "my/parity@1"
        assert client.delete(job)["deleted"]
        assert composition.refused_by_redis() == []
    for name in LASTING:
        said = composition.log(name)
        for trouble in ("Traceback", "permission", "not_sent", "database_away"):
            assert trouble not in said, said


@pytest.mark.parametrize(("role", "statement"), FORBIDDEN)
def test_a_role_is_refused_what_its_service_does_not_do(
    composition: Composition, role: str, statement: str
) -> None:
    refused = pytest.raises(psycopg.errors.InsufficientPrivilege)
    with as_role(composition, role) as connection, refused:
        connection.execute(statement)


def test_the_superuser_has_no_password_to_come_in_with(composition: Composition) -> None:
    found = "SELECT rolname, rolpassword IS NOT NULL FROM pg_authid WHERE rolcanlogin"
    with psycopg.connect(composition.admin_url) as connection:
        has_password = dict(connection.execute(found).fetchall())
    assert has_password == {
        "postgres": False, "pixelmill_migrate": True, API: True, IO: True, WORKER: True,
    }  # fmt: skip


@pytest.mark.parametrize("user", ["api", "io", "worker-cpu", "beat"])
@pytest.mark.parametrize("command", ["FLUSHALL", "CONFIG GET *", "ACL LIST", "KEYS *", "GET mine"])
def test_a_user_of_redis_sends_and_takes_hints_only(
    composition: Composition, user: str, command: str
) -> None:
    with composition.redis_as(user) as client:
        assert client.ping()
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.execute_command(*command.split())


def test_who_gives_redis_no_password_can_do_nothing(composition: Composition) -> None:
    with redis.Redis(port=composition.redis_port) as client:
        for command in ("LLEN cpu", "PUBLISH pixelmill.moves job", "FLUSHALL"):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*command.split())


def test_passwords_that_are_there_are_kept(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("WORKERS=3\nAPI_DATABASE_PASSWORD=mine")
    first = make_passwords(path)
    assert first["WORKERS"] == "3"
    assert first["API_DATABASE_PASSWORD"] == "mine"
    assert path.stat().st_mode & 0o077 == 0
    assert make_passwords(path) == first
