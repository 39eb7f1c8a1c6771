"""A body that is refused, cut, compressed or no body at all; tests/stranger has real clients."""

import select
from pathlib import Path

import httpx
import pytest

from jobs.base.bootstrap import Ground
from tests.integration.api.fronts import Front, read_all

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

MIB = 1024 * 1024
PATH = "/v1/files?filename=a"


def test_a_refusal_is_there_for_whoever_sends_on(front: Front) -> None:
    head = front.head("POST", PATH, f"Content-Length: {6 * MIB}")
    with front.say(head.replace(front.key.encode(), b"nobody")) as peer:
        assert select.select([peer], [], [], 30)[0]
        # A connection that is closed by now would be reset by these, and the answer lost.
        for _ in range(8):
            peer.sendall(b"x" * 64 * 1024)
        answer = read_all(peer)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"\r\nconnection: close\r\n" in answer.lower()


def test_a_caller_who_asks_first_sends_nothing_in_vain(front: Front) -> None:
    expecting = ("Expect: 100-continue", "Content-Length: 6", "Connection: close")
    with front.say(front.head("POST", PATH, *expecting)) as peer:
        assert peer.recv(100).startswith(b"HTTP/1.1 100 ")
        peer.sendall(b"abcdef")
        assert read_all(peer).startswith(b"HTTP/1.1 201 ")
    for head in (
        front.head("POST", PATH, *expecting).replace(front.key.encode(), b"nobody"),
        front.head("POST", PATH, "Content-Length: 99999999999999", *expecting[::2]),
        front.head("POST", "/v1/jobs", "Content-Type: text/plain", *expecting),
    ):
        with front.say(head) as peer:
            answer = read_all(peer)
        assert answer.split()[1] in (b"401", b"413", b"415"), answer
        assert b"100 Continue" not in answer


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 200_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 150 + b"Connection: close\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    ],
    ids=["nonsense", "long URL", "long header", "many headers", "transfer coding"],
)
def test_what_is_no_request_is_told_as_a_problem(front: Front, said: bytes, status: int) -> None:
    with front.say(said) as peer:
        head, _, body = read_all(peer).partition(b"\r\n\r\n")
    assert int(head.split()[1]) == status
    assert b"application/problem+json" in head
    assert f'"status": {status}'.encode() in body


def test_chunks_that_make_no_sense_are_the_callers_fault(front: Front, ground: Ground) -> None:
    head = front.head("POST", PATH, "Transfer-Encoding: chunked")
    with front.say(head + b"5\r\nhello\r\nzz\r\n") as peer:
        assert read_all(peer).startswith(b"HTTP/1.1 400 ")
    assert list(ground.storage.list("inputs")) == []


def test_a_caller_who_leaves_in_the_middle_leaves_nothing(front: Front, ground: Ground) -> None:
    head = front.head("POST", PATH, "Content-Length: 40000000")
    with front.say(head + b"x" * 20_000_000):
        pass
    with front.client() as client:
        assert client.get("/v1/files").json()["data"] == []
    assert list(ground.storage.list("inputs")) == []


def test_a_long_file_is_written_once(front: Front, ground: Ground, tmp_path: Path) -> None:
    with front.client() as client:
        whole = {"file": ("a.bin", b"x" * 20 * MIB)}
        file = client.post("/v1/files", files=whole).json()
        (blob,) = ground.storage.list("inputs")
        assert blob.endswith(file["id"])
        assert file["bytes"] == 20 * MIB
        assert client.get(f"/v1/files/{file['id']}/content").content == b"x" * 20 * MIB
        # Refused after all: what lies in storage already goes.
        refused = client.post("/v1/files", files=whole, data={"purpose": "x" * 2000})
        assert refused.status_code == 422
    assert list(ground.storage.list("inputs")) == [blob]


@pytest.mark.parametrize("encoding", ["gzip", "br", "x-nonsense"])
def test_a_compressed_body_is_refused_by_its_header(front: Front, encoding: str) -> None:
    with httpx.Client(base_url=front.url, headers=front.headers, trust_env=False) as client:
        headers = {"Content-Encoding": encoding}
        answer = client.post(PATH, content=b"abc", headers=headers)
        assert answer.status_code == 415
        assert encoding in answer.json()["detail"]
        plain = client.post(PATH, content=b"abc", headers={"Content-Encoding": "identity"})
        assert plain.status_code == 201
