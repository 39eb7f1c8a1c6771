"""An upload in several requests ends in an ordinary file, whatever lies between them."""

import hashlib
import random
from email.utils import parsedate_to_datetime
from itertools import pairwise

import pytest
from sqlalchemy import func, select

from jobs.base.bootstrap import Ground
from jobs.tables import Upload, UploadPart
from jobs.uploads.finishing import finish_next
from tests.integration.api.callers import Caller
from tests.integration.api.uploads.tus import MIB, OFFSET_TYPE, PART, Tus, checksum, encoded

CONTENT = random.Random(7).randbytes(3 * PART + 12345)


def blobs(ground: Ground) -> list[str]:
    return sorted(ground.storage.list("inputs/parts"))


def check_file(caller: Caller, file_id: str, content: bytes) -> None:
    file = caller.get(f"/v1/files/{file_id}").json
    assert (file["bytes"], file["filename"]) == (len(content), "photos.zip")
    assert file["sha256"] == hashlib.sha256(content).hexdigest()
    assert caller.get(f"/v1/files/{file_id}/content").data == content


def test_a_file_comes_in_several_requests(tus: Tus, caller: Caller, ground: Ground) -> None:
    path = tus.create(len(CONTENT), purpose="vision")
    head = tus.head(path)
    assert head.headers["Upload-Offset"] == "0"
    assert head.headers["Upload-Length"] == str(len(CONTENT))
    assert head.headers["Upload-Metadata"] == encoded(filename="photos.zip", purpose="vision")
    assert head.headers["Cache-Control"] == "no-store"
    assert head.headers["Tus-Resumable"] == "1.0.0"
    assert parsedate_to_datetime(head.headers["Upload-Expires"]).timestamp() > 0
    assert head.data == b""
    cuts = [0, 1, 5 * MIB, 15 * MIB, len(CONTENT)]
    pieces = [CONTENT[start:end] for start, end in pairwise(cuts)]
    last = tus.send(path, pieces)
    file_id = last.headers["Pixelmill-File-Id"]
    check_file(caller, file_id, CONTENT)
    assert caller.get(f"/v1/files/{file_id}").json["purpose"] == "vision"
    assert tus.head(path).headers["Pixelmill-File-Id"] == file_id
    shown = caller.get(path).json
    assert (shown["state"], shown["file_id"]) == ("finished", file_id)
    assert shown["offset"] == shown["length"] == len(CONTENT)
    assert blobs(ground) == []


def test_a_whole_file_may_come_with_its_announcement(tus: Tus, caller: Caller) -> None:
    answer = tus.post(len(CONTENT), CONTENT)
    assert answer.status_code == 201
    assert answer.headers["Upload-Offset"] == str(len(CONTENT))
    assert answer.headers["Location"].startswith("/v1/uploads/upl_")
    check_file(caller, answer.headers["Pixelmill-File-Id"], CONTENT)


def test_what_is_not_finished_is_listed(tus: Tus, other: Tus, caller: Caller) -> None:
    first, second = tus.create(10), tus.create(20)
    other.create(30)
    tus.send(first, [b"x" * 10])
    tus.send(second, [b"y" * 5])
    (listed,) = caller.get("/v1/uploads").json["data"]
    assert (listed["id"], listed["offset"]) == (second.rpartition("/")[2], 5)
    assert listed["state"] == "receiving"
    assert listed["file_id"] is None


def test_a_large_file_is_put_together_by_an_io_worker(
    tus: Tus, caller: Caller, ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.uploads.routes._AT_ONCE", 0)
    path = tus.create(20)
    last = tus.patch(path, 0, b"x" * 20, Prefer="wait=0")
    assert (last.status_code, last.headers["Upload-Offset"]) == (204, "20")
    assert "Pixelmill-File-Id" not in last.headers
    assert caller.get(path).json["state"] == "finishing"
    assert finish_next(ground)
    assert not finish_next(ground)
    check_file(caller, tus.head(path).headers["Pixelmill-File-Id"], b"x" * 20)


def test_a_body_that_breaks_off_keeps_what_came(tus: Tus, ground: Ground) -> None:
    path = tus.create(len(CONTENT))
    announced = {"CONTENT_LENGTH": str(len(CONTENT))}
    body = CONTENT[: PART + 1000]
    answer = tus.call(
        "PATCH",
        path,
        {"Upload_Offset": 0, "Content_Type": OFFSET_TYPE},
        data=body,
        environ_overrides=announced,
    )
    assert answer.status_code == 400
    assert tus.offset(path) == len(body)
    last = tus.patch(path, len(body), CONTENT[len(body) :])
    check_file(tus.caller, last.headers["Pixelmill-File-Id"], CONTENT)


def test_a_body_with_its_checksum_is_kept(tus: Tus) -> None:
    path = tus.create(len(CONTENT))
    half = 2 * PART + 77
    for start, end, name in ((0, half, "sha1"), (half, len(CONTENT), "sha256")):
        piece = CONTENT[start:end]
        answer = tus.patch(path, start, piece, Upload_Checksum=checksum(piece, name))
        assert answer.status_code == 204, answer.text
    check_file(tus.caller, answer.headers["Pixelmill-File-Id"], CONTENT)


def test_of_a_body_with_another_checksum_nothing_is_kept(tus: Tus, ground: Ground) -> None:
    path = tus.create(len(CONTENT))
    answer = tus.patch(path, 0, CONTENT, Upload_Checksum=checksum(CONTENT[1:]))
    assert answer.status_code == 460
    assert answer.json["code"] == "checksum_mismatch"
    assert tus.offset(path) == 0
    assert blobs(ground) == []


def test_a_body_with_a_checksum_is_no_larger_than_what_may_be_kept_back(
    tus: Tus, ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.uploads.beginning.MOST_KEPT_BACK", MIB)
    path = tus.create(len(CONTENT))
    refused = tus.patch(path, 0, CONTENT, Upload_Checksum=checksum(CONTENT))
    assert refused.status_code == 413
    assert "in pieces" in refused.json["detail"]
    assert blobs(ground) == []
    piece = CONTENT[:MIB]
    assert tus.patch(path, 0, piece, Upload_Checksum=checksum(piece)).status_code == 204
    assert tus.patch(path, MIB, CONTENT[MIB:]).status_code == 204


def test_an_upload_comes_in_so_many_pieces_at_most(
    tus: Tus, ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.uploads.receiving.MOST_PARTS", 3)
    path = tus.create(100)
    for offset in range(3):
        assert tus.patch(path, offset, b"x").status_code == 204
    refused = tus.patch(path, 3, b"x")
    assert refused.status_code == 413
    assert "pieces of some MiB" in refused.json["detail"]
    assert tus.offset(path) == 3
    assert len(blobs(ground)) == 3


def test_an_ended_upload_leaves_nothing(tus: Tus, ground: Ground) -> None:
    path = tus.create(100)
    tus.send(path, [b"x" * 60])
    assert len(blobs(ground)) == 1
    assert tus.delete(path).status_code == 204
    assert tus.head(path).status_code == tus.delete(path).status_code == 404
    assert blobs(ground) == []
    with ground.database.read() as session:
        for table in (Upload, UploadPart):
            assert session.scalar(select(func.count()).select_from(table)) == 0


def test_the_file_of_an_upload_outlives_it(tus: Tus) -> None:
    path = tus.create(4)
    file_id = tus.send(path, [b"file"]).headers["Pixelmill-File-Id"]
    assert tus.delete(path).status_code == 204
    check_file(tus.caller, file_id, b"file")


def test_a_caller_without_patch_says_it_by_a_header(tus: Tus) -> None:
    path = tus.create(4)
    told = {"Upload_Offset": 0, "Content_Type": OFFSET_TYPE, "X_HTTP_Method_Override": "PATCH"}
    answer = tus.call("POST", path, told, data=b"file")
    assert answer.status_code == 204
    assert "Pixelmill-File-Id" in answer.headers


def test_the_server_says_what_it_speaks(caller: Caller, ground: Ground) -> None:
    answer = caller.open("OPTIONS", "/v1/uploads")
    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == "1.0.0"
    assert answer.headers["Tus-Max-Size"] == str(ground.settings.max_body_bytes)
    assert "creation-with-upload" in answer.headers["Tus-Extension"].split(",")
    assert answer.headers["Tus-Checksum-Algorithm"] == "sha256,sha1"
