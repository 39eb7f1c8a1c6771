"""A stream tells how many rows it has, so that half an answer is not taken for a whole one."""

import csv
import io
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from jobs.base.bootstrap import Ground
from jobs.queue.completion import cancel
from jobs.tenants.keys import NewKey
from pixelmill import Client, ConnectionFailed
from tests.integration.api.callers import Caller, job_body
from tests.integration.api.fronts import Front, read_all
from tests.integration.api.jobs.test_jobs import finish
from tests.integration.api.test_results import run_rows
from tests.integration.jobs.builders import claim_one, run_one

ROWS = "Pixelmill-Rows"
CUT_AFTER = 20_000


@pytest.mark.parametrize("form", ["ndjson", "csv"])
@pytest.mark.parametrize(
    ("query", "rows"), [("", 64), ("&limit=3", 3), ("&limit=1000", 64), ("&status=errored", 16)]
)
def test_a_stream_tells_its_rows_and_has_them(
    caller: Caller, ground: Ground, form: str, query: str, rows: int
) -> None:
    job = caller.submit(64)["id"]
    run_rows(ground)
    path = f"/v1/jobs/{job}/results?format={form}{query}"
    if query == "&status=errored":
        # While it runs its counts tell of no moment, and the segments are looked at.
        assert caller.get(path).headers[ROWS] == str(rows)
    caller.post(f"/v1/jobs/{job}/cancel")
    answer = caller.get(path)
    text = answer.text
    found = text.splitlines() if form == "ndjson" else list(csv.DictReader(io.StringIO(text)))
    assert (answer.headers[ROWS], len(found)) == (str(rows), rows)


@pytest.mark.parametrize("status", ["succeeded", "errored", "cancelled", "expired"])
def test_what_follows_a_cursor_is_counted_by_its_status(
    caller: Caller, ground: Ground, status: str
) -> None:
    job = caller.submit(130)["id"]
    run_rows(ground)
    run_one(ground, claim_one(ground))
    caller.post(f"/v1/jobs/{job}/cancel")
    path = f"/v1/jobs/{job}/results"
    for limit in (5, 33, 64, 70, 130):
        after = caller.get(f"{path}?limit={limit}").json["last_id"]
        for more in ("", f"&status={status}"):
            answer = caller.get(f"{path}?format=ndjson&after={after}{more}")
            assert answer.headers[ROWS] == str(len(answer.text.splitlines()))


def test_rows_that_are_committed_while_a_stream_runs_are_not_in_it(
    caller: Caller, ground: Ground
) -> None:
    path = f"/v1/jobs/{caller.submit(64)['id']}/results"
    run_one(ground, claim_one(ground))
    answer = caller.get(f"{path}?format=ndjson", buffered=False)
    assert answer.headers[ROWS] == "32"
    finish(ground)
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert len(rows) == 32
    assert caller.get(f"{path}?format=ndjson").headers[ROWS] == "64"


@pytest.fixture
def proxy(front: Front) -> Iterator[str]:
    """A proxy as nginx is by default, HTTP/1.0 to the server, which loses its server half way."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=_pass_on, args=(listener, front.port))
        serving.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        with suppress(OSError):
            # Ends the wait for a peer that never came.
            listener.shutdown(socket.SHUT_RDWR)
        serving.join()


def _pass_on(listener: socket.socket, port: int) -> None:
    try:
        peer, _ = listener.accept()
    except OSError:
        return
    with peer, socket.create_connection(("127.0.0.1", port)) as server:
        head = b""
        while b"\r\n\r\n" not in head:
            head += peer.recv(65536)
        line, _, rest = head.partition(b"\r\n")
        server.sendall(line.replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\n" + rest)
        answer = b""
        while len(answer) < CUT_AFTER and (block := server.recv(4096)):
            answer += block
        # The end of the connection is the end of the answer, as HTTP/1.0 has it.
        peer.sendall(answer)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_stream_that_is_cut_behind_a_proxy_of_http_1_0_is_an_error(
    front: Front, ground: Ground, tenant: NewKey, proxy: str
) -> None:
    with front.client() as caller:
        job = caller.post("/v1/jobs", json=job_body(1000)).json()["id"]
    cancel(ground.database, tenant.tenant_id, job)
    head = front.head("GET", f"/v1/jobs/{job}/results?format=ndjson")
    with front.say(head.replace(b"HTTP/1.1", b"HTTP/1.0")) as peer:
        told, _, whole = read_all(peer).partition(b"\r\n\r\n")
    assert b"pixelmill-rows: 1000\r\n" in told.lower() + b"\r\n"
    assert b"content-length" not in told.lower()
    assert whole.count(b"\n") == 1000
    with (
        Client(proxy, tenant.key) as client,
        pytest.raises(ConnectionFailed, match="of 1,000 rows"),
    ):
        list(client.results_ndjson(job))
