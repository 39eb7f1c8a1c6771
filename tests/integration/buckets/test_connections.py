"""A tenant's own credentials: stored sealed, shown to nobody, used by nobody else."""

import logging
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select, update

from api.app import create_app
from api.current import BUCKETS
from api.web.listener import LISTENER
from jobs.base.bootstrap import Ground
from jobs.buckets.connections import find_connection, open_connection
from jobs.buckets.errors import BucketError
from jobs.buckets.locations import read_location
from jobs.buckets.remote import Found
from jobs.buckets.sources import Buckets, Owner
from jobs.tables import Connection
from tests.integration.api.callers import Caller, check_problem
from tests.integration.buckets.conftest import KEY, allow_path, with_settings
from tests.integration.buckets.servers import S3, SECRET
from tests.integration.buckets.test_submission import everything, prepared, submit

PREFIX = read_location("s3://photos/path/")


def body(s3: S3, **members: Any) -> dict[str, Any]:
    said = {"name": "lake", "kind": "s3", "credentials": s3.credentials, "endpoint": s3.endpoint}
    return said | members


def store(caller: Caller, s3: S3, **members: Any) -> str:
    answer = caller.post("/v1/connections", json=body(s3, **members))
    assert answer.status_code == 201, answer.text
    return str(answer.json["id"])


def test_a_connection_is_stored_sealed_and_its_keys_are_shown_nowhere(
    caller: Caller, house: Ground, s3: S3, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    created = caller.post("/v1/connections", json=body(s3))
    assert created.status_code == 201, created.text
    connection = created.json
    assert set(connection) == {"id", "object", "name", "kind", "endpoint", "created_at"}
    assert created.headers["Location"] == f"/v1/connections/{connection['id']}"
    one = caller.get(f"/v1/connections/{connection['id']}")
    by_name = caller.get("/v1/connections/lake")
    listed = caller.get("/v1/connections")
    assert one.json == by_name.json == listed.json["data"][0] == connection
    for told in (created.text, one.text, listed.text, caplog.text, everything(house)):
        assert SECRET not in told
    with house.database.read() as session:
        row = session.scalars(select(Connection)).one()
    assert open_connection(house.settings, row).secret == s3.credentials


def test_a_job_reads_by_its_connection_and_not_by_the_servers_keys(
    caller: Caller, house: Ground, s3: S3, allowed: str
) -> None:
    s3.put("path/a.png", b"x")
    connection = store(caller, s3)
    elsewhere = with_settings(house, bucket_credentials="")
    for name in ("lake", connection):
        answer = submit(caller, prefix=str(PREFIX), connection=name)
        assert answer.status_code == 202, answer.text
        assert answer.json["source"]["connection"] == connection
        assert prepared(elsewhere, answer.json["id"]) == 1


def test_nobody_reaches_another_tenants_connection(
    caller: Caller, stranger: Caller, house: Ground, s3: S3, allowed: str
) -> None:
    connection = store(caller, s3)
    allow_path(house, s3, "other", "s3://photos/path/")
    for name in (connection, "lake"):
        path = f"/v1/connections/{name}"
        check_problem(stranger.get(path), 404)
        check_problem(stranger.delete(path), 404)
        check_problem(submit(stranger, prefix=str(PREFIX), connection=name), 404)
    assert stranger.get("/v1/connections").json["data"] == []
    assert store(stranger, s3) != connection, "names are each tenant's own"
    buckets = Buckets(house)
    with pytest.raises(BucketError) as refused:
        buckets.bucket(Owner(stranger.tenant_id, connection), PREFIX)
    assert refused.value.code == "connection_gone"
    # Nor does a row that somebody moved to another tenant open.
    with house.database.write() as session:
        moved = update(Connection).where(Connection.id == connection)
        session.execute(moved.values(tenant_id=stranger.tenant_id, name="moved"))
    with pytest.raises(BucketError) as refused:
        buckets.bucket(Owner(stranger.tenant_id, connection), PREFIX)
    assert refused.value.code == "connection_gone"
    buckets.close()


def test_a_connection_opens_no_more_than_the_tenants_list(
    caller: Caller, s3: S3, allowed: str
) -> None:
    store(caller, s3)
    problem = check_problem(submit(caller, prefix="s3://secrets/", connection="lake"), 422)
    assert problem["error"]["param"] == "prefix"
    other = store(caller, s3, name="elsewhere", endpoint="https://store.example")
    problem = check_problem(submit(caller, prefix=str(PREFIX), connection=other), 422)
    assert "https://store.example" in problem["detail"]
    azure = store(caller, s3, name="azure", kind="az", credentials={"account": "acc"})
    check_problem(submit(caller, prefix=str(PREFIX), connection=azure), 422)


def test_a_deleted_connection_is_gone(
    caller: Caller, house: Ground, s3: S3, tenant: Any, allowed: str
) -> None:
    connection = store(caller, s3)
    assert caller.delete(f"/v1/connections/{connection}").json["deleted"] is True
    check_problem(caller.get(f"/v1/connections/{connection}"), 404)
    check_problem(caller.delete(f"/v1/connections/{connection}"), 404)
    assert SECRET not in everything(house)
    buckets = Buckets(house)
    with pytest.raises(BucketError) as refused:
        buckets.bucket(Owner(tenant.tenant_id, connection), PREFIX)
    assert refused.value.code == "connection_gone"
    buckets.close()


def test_keys_are_rotated_by_naming_the_new_one_first(
    caller: Caller, house: Ground, s3: S3, tenant: Any
) -> None:
    connection = store(caller, s3)
    with house.database.read() as session:
        row = find_connection(session, tenant.tenant_id, connection)
    new = Fernet.generate_key().decode()
    both = with_settings(house, connection_key=f"{new},{KEY}")
    assert open_connection(both.settings, row).secret == s3.credentials
    for lost in (new, ""):
        with pytest.raises(BucketError) as refused:
            open_connection(with_settings(house, connection_key=lost).settings, row)
        assert refused.value.code == "connection_gone"


def test_connections_and_links_outlive_a_turn_of_the_key_and_older_keys_may_then_go(
    caller: Caller, house: Ground, s3: S3, tenant: Any
) -> None:
    connection = store(caller, s3)
    job = caller.post("/v1/jobs", json={"model": "digits", "urls": ["https://example.org/a"]})
    made = caller.post(f"/v1/jobs/{job.json['id']}/shares", json={})
    link = urlsplit(made.json["url"]).path
    new = Fernet.generate_key().decode()
    both, newest = f"{new},{KEY}", new
    for keys, status, answers in ((both, 0, 200), (newest, 0, 404)):
        turned = create_app(with_settings(house, connection_key=keys))
        done = turned.test_cli_runner().invoke(args=["buckets", "reseal"])
        assert (done.exit_code, done.stdout) == (status, "1 sealed with the newest key.\n")
        # A link lasts for a month at most: the key that signed it may go after that.
        assert turned.test_client().get(link).status_code == answers
        turned.extensions[LISTENER].close()
        turned.extensions[BUCKETS].close()
    with house.database.read() as session:
        row = find_connection(session, tenant.tenant_id, connection)
    settings = with_settings(house, connection_key=newest).settings
    assert open_connection(settings, row).secret == s3.credentials
    lost = create_app(house).test_cli_runner().invoke(args=["buckets", "reseal"])
    assert lost.exit_code == 1
    assert f"{connection} of {tenant.tenant_id} is opened by none" in lost.stderr


@pytest.mark.parametrize(
    ("members", "status", "param"),
    [
        ({"name": "With Blanks"}, 422, "name"),
        ({"kind": "ftp"}, 422, "kind"),
        ({"credentials": {"access_key_id": SECRET}}, 422, "credentials.access_key_id"),
        ({"credentials": {"secret": SECRET}}, 422, "credentials.secret"),
        ({"endpoint": "http://169.254.169.254"}, 422, "endpoint"),
        ({"endpoint": "https://user:pw@store.example"}, 422, "endpoint"),
        ({"extra": SECRET}, 422, "extra"),
    ],
)
def test_what_cannot_be_used_is_refused_without_being_repeated(
    caller: Caller, s3: S3, members: dict[str, Any], status: int, param: str
) -> None:
    answer = caller.post("/v1/connections", json=body(s3, **members))
    assert check_problem(answer, status)["error"]["param"] == param
    assert SECRET not in answer.text


def test_a_name_is_taken_once(caller: Caller, s3: S3) -> None:
    store(caller, s3)
    problem = check_problem(caller.post("/v1/connections", json=body(s3)), 409)
    assert problem["error"]["param"] == "name"


def test_wrong_keys_are_told_without_what_the_store_said(
    house: Ground, s3: S3, buckets: Buckets, tenant: Any, allowed: str
) -> None:
    opened = buckets.bucket(Owner(tenant.tenant_id), PREFIX)
    with pytest.raises(BucketError) as gone:
        opened.read(PREFIX.below("path/none"), Found("path/none", 1, '"x"'), 0, 1)
    assert gone.value.__cause__ is None
    assert gone.value.__suppress_context__
    assert s3.endpoint not in str(gone.value)
