"""Files: streamed in and out in bounded memory, listed, deleted."""

import hashlib
import io
import tracemalloc
from collections.abc import Iterator

import pytest
from werkzeug.test import TestResponse

from jobs.base.bootstrap import Ground
from tests.integration.api.callers import Caller, check_problem, chunked, stored

MIB = 1024 * 1024
# obstore keeps up to 12 pieces of 8 MiB on their way to the store, 97 MiB in all however large the
# file (measured up to 800 MiB), and reads ahead by two. A body must be much larger than that to
# show that nothing else grows with it.
LARGE = 400 * MIB
UPLOAD_PEAK = 112 * MIB
DOWNLOAD_PEAK = 30 * MIB


class Endless(io.RawIOBase):
    """A body that is made while it is read; nobody ever holds it."""

    def __init__(self, length: int) -> None:
        self.left = length
        self.sha256 = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        size = min(len(buffer), self.left)
        data = bytes([self.left % 251]) * size
        buffer[:size] = data
        self.sha256.update(data)
        self.left -= size
        return size


def upload_form(caller: Caller, *files: tuple[bytes, str], **fields: str) -> TestResponse:
    parts = {"file": [(io.BytesIO(content), name) for content, name in files], **fields}
    return caller.post("/v1/files", data=parts, content_type="multipart/form-data")


def test_a_raw_upload_is_stored_hashed_and_read_back(caller: Caller) -> None:
    answer = caller.post("/v1/files?filename=photos/a.png&purpose=vision", data=b"some bytes")
    assert answer.status_code == 201
    file = answer.json
    assert answer.headers["Location"] == f"/v1/files/{file['id']}"
    assert file["object"] == "file"
    assert (file["filename"], file["purpose"], file["bytes"]) == ("photos/a.png", "vision", 10)
    assert file["sha256"] == hashlib.sha256(b"some bytes").hexdigest()
    assert isinstance(file["created_at"], int)
    assert caller.get(answer.headers["Location"]).json == file
    content = caller.get(f"/v1/files/{file['id']}/content")
    assert content.data == b"some bytes"
    assert content.headers["Content-Length"] == "10"


def test_a_multipart_upload_is_the_same_file(caller: Caller) -> None:
    answer = upload_form(caller, (b"some bytes", "a.png"), purpose="vision")
    assert answer.status_code == 201
    assert (answer.json["filename"], answer.json["purpose"]) == ("a.png", "vision")
    assert caller.get(f"/v1/files/{answer.json['id']}/content").data == b"some bytes"


def test_what_a_browser_would_run_is_only_ever_downloaded(caller: Caller) -> None:
    file = caller.upload(b"<script>alert(1)</script>", 'evil "quoted" é.html')
    answer = caller.get(f"/v1/files/{file}/content")
    assert answer.content_type == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    disposition = answer.headers["Content-Disposition"]
    assert disposition.startswith("attachment; ")
    assert "filename*=UTF-8''evil%20%22quoted%22%20%C3%A9.html" in disposition
    assert disposition.isascii()


@pytest.mark.parametrize("filename", ["a\r\nSet-Cookie: x.png", "a\tb", "\x1b[31m"])
def test_a_name_with_control_characters_is_refused(
    caller: Caller, ground: Ground, filename: str
) -> None:
    query = {"filename": filename}
    check_problem(caller.post("/v1/files", query_string=query, data=b"x"), 422)
    assert stored(ground)["blobs"] == []


def test_an_upload_without_a_name_or_without_bytes_is_refused(
    caller: Caller, ground: Ground
) -> None:
    assert "filename" in check_problem(caller.post("/v1/files", data=b"x"), 422)["detail"]
    check_problem(caller.post("/v1/files?filename=a", data=b""), 422)
    check_problem(upload_form(caller, (b"", "a.png")), 422)
    assert stored(ground)["files"] == 0
    assert stored(ground)["blobs"] == []


def test_a_form_needs_exactly_one_file(caller: Caller) -> None:
    assert "0 parts" in check_problem(upload_form(caller), 422)["detail"]
    two = upload_form(caller, (b"1", "a"), (b"2", "b"))
    assert "2 parts" in check_problem(two, 422)["detail"]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"--x\r\n"),
        ("multipart/form-data; boundary=x", b"no boundary in here"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf',
        ),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Type: text/plain\r\n\r\nhi\r\n--x--"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: \xff\r\n\r\n\r\n--x--"),
    ],
)
def test_a_broken_form_is_malformed_and_leaves_nothing(
    caller: Caller, ground: Ground, content_type: str, body: bytes
) -> None:
    answer = caller.post("/v1/files", data=body, content_type=content_type)
    check_problem(answer, 400, "malformed_request")
    assert stored(ground)["blobs"] == []


@pytest.mark.parametrize("start", [b"--x\r\nX-Padding: ", b""])
def test_a_form_that_holds_back_its_boundary_is_refused_early(caller: Caller, start: bytes) -> None:
    body = start + b"y" * 2 * MIB
    answer = caller.post("/v1/files", data=body, content_type="multipart/form-data; boundary=x")
    check_problem(answer, 400, "malformed_request")


def test_a_caller_who_hangs_up_leaves_nothing(caller: Caller, ground: Ground) -> None:
    # As plain WSGI hands it over: the stream just ends, short of its Content-Length.
    environ = {"wsgi.input_terminated": True, "CONTENT_LENGTH": "1000"}
    answer = caller.post(
        "/v1/files?filename=a", input_stream=io.BytesIO(b"half"), environ_overrides=environ
    )
    assert "4 of 1,000 bytes" in check_problem(answer, 400)["detail"]
    assert stored(ground)["blobs"] == []


def peak_of(upload: Iterator[TestResponse]) -> tuple[int, TestResponse]:
    tracemalloc.start()
    try:
        answer = next(upload)
        return tracemalloc.get_traced_memory()[1], answer
    finally:
        tracemalloc.stop()


def test_a_large_file_passes_through_in_bounded_memory(caller: Caller) -> None:
    body = Endless(LARGE)

    def upload() -> Iterator[TestResponse]:
        yield chunked(caller, "/v1/files?filename=a", body)

    peak, answer = peak_of(upload())
    assert answer.json["bytes"] == LARGE
    assert answer.json["sha256"] == body.sha256.hexdigest()
    assert peak < UPLOAD_PEAK

    def download() -> Iterator[TestResponse]:
        content = caller.get(f"/v1/files/{answer.json['id']}/content", buffered=False)
        digest = hashlib.sha256()
        for chunk in content.iter_encoded():
            digest.update(chunk)
        assert digest.hexdigest() == answer.json["sha256"]
        yield content

    assert peak_of(download())[0] < DOWNLOAD_PEAK
    # pytest keeps the folders of its last runs.
    caller.delete(f"/v1/files/{answer.json['id']}")


def test_a_large_form_passes_through_in_bounded_memory(caller: Caller) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    body = Chain(io.BytesIO(head), Endless(LARGE), io.BytesIO(b"\r\n--x--\r\n"))

    def upload() -> Iterator[TestResponse]:
        yield chunked(caller, "/v1/files", body, content_type="multipart/form-data; boundary=x")

    peak, answer = peak_of(upload())
    assert answer.json["bytes"] == LARGE
    assert peak < UPLOAD_PEAK
    caller.delete(f"/v1/files/{answer.json['id']}")


class Chain(io.RawIOBase):
    """Streams one after the other."""

    def __init__(self, *streams: io.RawIOBase | io.BytesIO) -> None:
        self.streams = list(streams)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        while self.streams:
            if count := self.streams[0].readinto(buffer):
                return count
            self.streams.pop(0)
        return 0


def test_an_upload_of_unknown_length_is_stored_whole(caller: Caller) -> None:
    answer = chunked(caller, "/v1/files?filename=a", io.BytesIO(b"z" * 3 * MIB))
    assert answer.json["bytes"] == 3 * MIB


def test_files_are_listed_newest_first_and_page_by_page(caller: Caller) -> None:
    ids = [caller.upload(b"x", f"{number}.png") for number in range(5)]
    seen, after = [], None
    while True:
        query = {"limit": 2} | ({"after": after} if after else {})
        page = caller.get("/v1/files", query_string=query).json
        assert page["object"] == "list"
        seen += [file["id"] for file in page["data"]]
        assert page["first_id"] == page["data"][0]["id"]
        after = page["last_id"]
        if not page["has_more"]:
            break
    assert seen == sorted(ids, reverse=True)
    assert caller.get("/v1/files?purpose=vision").json["data"] == []


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "after=nonsense", "order=up", "limit=1&limit=2"]
)
def test_a_query_that_makes_no_sense_is_refused_by_name(caller: Caller, query: str) -> None:
    problem = check_problem(caller.get(f"/v1/files?{query}"), 422, "invalid_request")
    assert problem["error"]["param"] == query.partition("=")[0]


def test_a_deleted_file_is_gone_with_its_bytes(caller: Caller, ground: Ground) -> None:
    file = caller.upload(b"private")
    answer = caller.delete(f"/v1/files/{file}")
    assert answer.json == {"id": file, "object": "file", "deleted": True}
    check_problem(caller.get(f"/v1/files/{file}"), 404)
    check_problem(caller.get(f"/v1/files/{file}/content"), 404)
    check_problem(caller.delete(f"/v1/files/{file}"), 404)
    assert stored(ground)["blobs"] == []


def test_bytes_that_are_erased_while_their_row_stands_are_not_found(
    caller: Caller, ground: Ground
) -> None:
    file = caller.upload(b"private")
    ground.storage.delete(stored(ground)["blobs"])
    check_problem(caller.get(f"/v1/files/{file}/content"), 404)
