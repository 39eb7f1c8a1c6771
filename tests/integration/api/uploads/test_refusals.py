"""What cannot be meant is refused, and changes nothing of an upload."""

from typing import Any

import pytest
from sqlalchemy import update

from api.app import create_app
from jobs.base.bootstrap import Ground
from jobs.base.database import db_now
from jobs.tables import Upload
from jobs.tenants.keys import NewKey
from jobs.uploads.finishing import expire_uploads
from tests.integration.api.callers import Caller, check_problem, with_settings
from tests.integration.api.uploads.tus import MIB, Tus, checksum, encoded


def test_another_tenant_finds_no_upload(tus: Tus, other: Tus) -> None:
    path = tus.create(100)
    assert other.head(path).status_code == 404
    check_problem(other.caller.get(path), 404, "not_found")
    check_problem(other.patch(path, 0, b"x"), 404, "not_found")
    check_problem(other.delete(path), 404, "not_found")
    assert other.caller.get("/v1/uploads").json["data"] == []
    assert tus.offset(path) == 0


def test_an_upload_goes_on_where_it_stands_and_nowhere_else(tus: Tus) -> None:
    path = tus.create(100)
    tus.send(path, [b"x" * 60])
    for offset in (0, 59, 61):
        problem = check_problem(tus.patch(path, offset, b"y" * 10), 409, "conflict")
        assert "stands at byte 60" in problem["detail"]
    assert tus.offset(path) == 60
    tus.send(path, [b"x" * 40])
    check_problem(tus.patch(path, 100, b""), 409, "conflict")


def test_no_more_comes_than_was_announced(tus: Tus) -> None:
    path = tus.create(100)
    check_problem(tus.patch(path, 0, b"x" * 101), 413, "body_too_large")
    check_problem(tus.post(10, b"x" * 11), 413, "body_too_large")
    assert tus.offset(path) == 0


def test_a_file_past_the_limit_is_refused_by_its_announcement(ground: Ground, key: Any) -> None:
    tus = Tus(Caller(create_app(with_settings(ground, max_body_bytes=MIB)), key))
    check_problem(tus.post(MIB + 1), 413, "body_too_large")
    assert tus.post(MIB).status_code == 201


def test_unfinished_uploads_count_as_they_were_announced(ground: Ground, key: Any) -> None:
    tus = Tus(Caller(create_app(with_settings(ground, max_unfinished_bytes=MIB)), key))
    path = tus.create(MIB - 10)
    problem = check_problem(tus.post(11), 413, "body_too_large")
    assert "GET /v1/uploads" in problem["detail"]
    assert tus.post(10).status_code == 201
    assert tus.delete(path).status_code == 204
    assert tus.post(11).status_code == 201


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Tus_Resumable": "0.2.2"}, 412),
        ({"Upload_Length": "many"}, 400),
        ({"Upload_Length": "-1"}, 400),
        ({"Upload_Length": "0"}, 422),
        ({"Upload_Length": "9" * 40}, 400),
        ({"Upload_Defer_Length": "1"}, 422),
        ({"Upload_Metadata": "filename !!!"}, 400),
        ({"Upload_Metadata": "filename"}, 422),
        ({"Upload_Metadata": ""}, 422),
        ({"Upload_Metadata": encoded(filename="a\tb")}, 422),
        ({"Upload_Metadata": encoded(filename="a" * 1025)}, 422),
        ({"Upload_Metadata": encoded(filename="a.zip", purpose="batch_output")}, 422),
        ({"Upload_Metadata": encoded(filename="a.zip") + "," + encoded(filename="b")}, 400),
    ],
)
def test_an_announcement_that_makes_no_sense_is_refused(
    tus: Tus, headers: dict[str, str], status: int
) -> None:
    answer = tus.post(100, **headers)
    check_problem(answer, status)
    assert answer.headers["Tus-Version"] == "1.0.0"
    assert tus.caller.get("/v1/uploads").json["data"] == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Tus_Resumable": ""}, 412),
        ({"Content_Type": "application/octet-stream"}, 415),
        ({"Upload_Offset": ""}, 400),
        ({"Upload_Offset": "½"}, 400),
        ({"Upload_Checksum": "crc32 AAAAAA=="}, 400),
        ({"Upload_Checksum": "sha1 AAAA"}, 400),
        ({"Upload_Checksum": checksum(b"other")}, 460),
        ({"Content_Encoding": "gzip"}, 415),
    ],
)
def test_bytes_that_come_in_another_way_are_refused(
    tus: Tus, headers: dict[str, str], status: int
) -> None:
    path = tus.create(100)
    check_problem(tus.patch(path, 0, b"x" * 10, **headers), status)
    assert tus.offset(path) == 0


def test_an_upload_to_which_nothing_comes_expires(tus: Tus, ground: Ground) -> None:
    path = tus.create(100)
    tus.send(path, [b"x" * 10])
    with ground.database.write() as session:
        session.execute(update(Upload).values(expires_at=db_now() - 1))
    for _ in range(2):
        assert tus.head(path).status_code == 410
        check_problem(tus.caller.get(path), 410, "gone")
        check_problem(tus.patch(path, 10, b"x"), 410, "gone")
        expire_uploads(ground)
    assert list(ground.storage.list("inputs/parts")) == []
    assert tus.caller.get("/v1/uploads").json["data"] == []


@pytest.fixture
def key(tenant: NewKey) -> NewKey:
    return tenant
