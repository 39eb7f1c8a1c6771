"""The client's half of an upload that resumes: against a server that says what it is told to."""

import hashlib
import json
import random
from pathlib import Path

import pytest

from pixelmill import Client
from pixelmill.wire import resuming
from pixelmill.wire.errors import ApiError, ConnectionFailed, InvalidInput
from pixelmill.wire.remembering import UploadMemory, state_folder
from pixelmill.wire.tarstream import Entry, tar_length, tar_stream

CONTENT = random.Random(4).randbytes(1000)
ID = "upl_01k9xq2v7m3c8r5t6w9y0abcde"
PATH = f"/v1/uploads/{ID}"


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(resuming, "RESUMED_FROM", 100)
    monkeypatch.setattr("pixelmill.client.inputs.uploading.RESUMED_FROM", 100)
    monkeypatch.setattr(resuming, "_PIECE", 300)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "photos.zip"
    path.write_bytes(CONTENT)
    return path


class Store:
    """What a server keeps of one upload; `said` are answers that come before its own."""

    def __init__(self, server, say):
        self.server, self.say, self.content = server, say, b""
        self.said, self.location = [], f"/prefix{PATH}"
        server.on("POST", "/v1/uploads", lambda _: say.answer(201, None, self._place()))
        server.on("HEAD", PATH, lambda _: say.answer(200, None, self._offset()))
        server.on("PATCH", PATH, self._patch)
        server.on("GET", PATH, lambda _: say.answer(200, {"file_id": "file_1"}))
        server.on("GET", "/v1/files/file_1", lambda _: say.answer(200, self._file()))
        server.on("DELETE", "/v1/files/file_1", say.answer(200, {"deleted": True}))

    def _place(self):
        return {"Location": self.location}

    def _offset(self):
        return {"Upload-Offset": str(len(self.content))}

    def _patch(self, seen):
        assert seen.headers["tus-resumable"] == "1.0.0"
        said = self.said.pop(0) if self.said else None
        if said is None or said.drop:
            # A broken one was kept all the same.
            assert int(seen.headers["upload-offset"]) == len(self.content)
            self.content += seen.body
        return said or self.say.answer(204, None, self._offset())

    def _file(self):
        digest = hashlib.sha256(self.content).hexdigest()
        return {"id": "file_1", "bytes": len(self.content), "sha256": digest}


@pytest.fixture
def store(server, say):
    server.on("HEAD", PATH)
    return Store(server, say)


def test_a_large_file_goes_up_piece_by_piece(client, store, path):
    told = []
    file = client.upload(path, on_upload=told.append)
    assert (file.id, store.content, told[-1]) == ("file_1", CONTENT, 1000)
    assert len(store.server.to("PATCH", PATH)) == 4
    (begun,) = store.server.to("POST", "/v1/uploads")
    assert begun.headers["upload-length"] == "1000"
    assert begun.headers["upload-metadata"] == "filename cGhvdG9zLnppcA=="


def test_what_a_broken_request_brought_is_not_sent_again(client, store, path, say):
    store.said = [None, say.drop]
    assert client.upload(path).id == "file_1"
    assert store.content == CONTENT
    assert len(store.server.to("PATCH", PATH)) == 4


def test_a_conflict_is_asked_about_and_gone_on_from(client, store, path, say):
    store.said = [say.problem(409, "conflict", "It stands elsewhere.")]
    store.content = CONTENT[:450]
    assert client.upload(path).id == "file_1"
    assert store.content == CONTENT


def test_a_server_that_is_busy_says_how_long_to_wait(client, store, path, say, pauses):
    busy = say.problem(503, "temporarily_unavailable", "Not now.")
    busy.headers["Retry-After"] = "7"
    store.said = [busy]
    assert client.upload(path).id == "file_1"
    assert pauses == [7.0]


def test_patience_ends_where_nothing_moves(client, store, path, say, pauses):
    store.said = [say.problem(503, "temporarily_unavailable", "Not now.")] * 100
    with pytest.raises(ApiError, match="Not now"):
        client.upload(path)
    assert len(pauses) == 19


def test_a_refusal_is_told_at_once(client, store, path, say, pauses):
    store.said = [say.problem(403, "insufficient_scope", "Not you.")]
    with pytest.raises(ApiError, match="Not you"):
        client.upload(path)
    assert pauses == []


def test_who_wants_no_retries_gets_none(server, store, path, say):
    store.said = [say.drop]
    with (
        Client(server.url, "key", retry=resuming_policy(), sleep=pytest.fail) as client,
        pytest.raises(ConnectionFailed),
    ):
        client.upload(path)


def resuming_policy():
    from pixelmill.wire.retrying import RetryPolicy

    return RetryPolicy(attempts=1)


def test_an_address_of_another_host_gets_no_key(client, store, path):
    store.location = f"https://elsewhere.example{PATH}"
    assert client.upload(path).id == "file_1"
    assert len(store.server.to("PATCH", PATH)) == 4


def test_a_server_of_before_takes_the_file_in_one_request(client, server, say, path):
    server.on("POST", "/v1/files", say.answer(201, {"id": "file_2"}))
    assert client.upload(path).id == "file_2"
    (sent,) = server.to("POST", "/v1/files")
    assert sent.body == CONTENT


def test_another_sum_than_ours_is_no_file(client, store, path):
    store.content = b""
    store._file = lambda: {"id": "file_1", "sha256": "other"}
    with pytest.raises(InvalidInput, match="changed while it was being sent"):
        client.upload(path)
    assert store.server.to("DELETE", "/v1/files/file_1")


def test_another_process_goes_on_where_one_stopped(server, store, path, say, tmp_path):
    remembered = tmp_path / "state"

    def upload():
        with Client(server.url, "pm_live_key", sleep=lambda _: None, remember=remembered) as client:
            return client.upload(path)

    store.said = [None, None, say.problem(403, "insufficient_scope", "Stopped.")]
    with pytest.raises(ApiError):
        upload()
    (noted,) = remembered.iterdir()
    assert json.loads(noted.read_text()) == {"server": server.url, "upload_id": ID}
    assert noted.stat().st_mode & 0o777 == 0o600
    assert upload().id == "file_1"
    assert store.content == CONTENT
    assert len(server.to("POST", "/v1/uploads")) == 1
    assert list(remembered.iterdir()) == []


def test_an_upload_that_the_server_has_forgotten_is_begun_anew(server, store, path, say, tmp_path):
    with Client(server.url, "key", remember=tmp_path / "state") as client:
        memory = UploadMemory(tmp_path / "state", server.url)
        stat = path.stat()
        mark = f"file\n{path.absolute()}\n{stat.st_size}\n{stat.st_mtime_ns}"
        memory.keep(mark, "upl_" + "0" * 26)
        server.on("HEAD", "/v1/uploads/upl_" + "0" * 26, say.answer(410))
        assert client.upload(path).id == "file_1"
    assert store.content == CONTENT


def test_a_folder_that_cannot_be_written_is_no_failure(server, store, path, tmp_path):
    (tmp_path / "state").write_text("a file is in the way")
    with Client(server.url, "key", remember=tmp_path / "state") as client:
        assert client.upload(path).id == "file_1"


def test_the_state_lies_where_the_user_says():
    assert state_folder({"XDG_STATE_HOME": "/s"}) == Path("/s/pixelmill/uploads")


def test_a_file_object_goes_up_from_its_position(client, store, path):
    with path.open("rb") as file:
        file.seek(10)
        assert client.upload(file).id == "file_1"
    assert store.content == CONTENT[10:]


@pytest.mark.parametrize("offset", [0, 1, 511, 512, 600, 1500, 2048, 3000])
def test_a_tar_can_be_had_from_any_place(tmp_path, offset):
    entries = []
    for name, size in (("a.png", 700), ("ü" * 120, 512), ("empty", 0)):
        file = tmp_path / name[:20]
        file.write_bytes(random.Random(size).randbytes(size))
        entries.append(Entry(name, file))
    whole = b"".join(tar_stream(entries))
    assert tar_length(entries, lambda *_: None) == len(whole)
    assert b"".join(tar_stream(entries, offset)) == whole[offset:]
    assert b"".join(tar_stream(entries, len(whole) - offset)) == whole[len(whole) - offset :]
