"""Where callers find things: behind a proxy's prefix, and never where a caller says."""

import json

import pytest
from werkzeug.test import TestResponse

from api.app import create_app
from jobs.base.bootstrap import Ground
from jobs.base.settings import SettingsError, load_settings
from jobs.tables import ModelVersion
from jobs.tenants.keys import NewKey
from tests.integration.api.callers import Caller, check_problem, job_body, with_settings
from tests.integration.api.fronts import Front, read_all
from tests.integration.api.jobs.test_jobs import finish

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PREFIX = "/apps/pixelmill"


@pytest.fixture
def behind(ground: Ground, tenant: NewKey, digits_model: ModelVersion) -> Caller:
    return Caller(create_app(with_settings(ground, url_prefix=PREFIX)), tenant)


@pytest.mark.parametrize("left_on", ["", PREFIX])
def test_every_address_has_the_prefix_whether_or_not_the_proxy_leaves_it_on(
    behind: Caller, ground: Ground, left_on: str
) -> None:
    made = behind.post(f"{left_on}/v1/jobs", json=job_body())
    job = f"{PREFIX}/v1/jobs/{made.json['id']}"
    assert (made.headers["Location"], made.json["results_url"]) == (job, f"{job}/results")
    finish(ground)
    assert len(behind.get(f"{left_on}/v1/jobs/{made.json['id']}/results").json["data"]) == 1
    batch = behind.post(f"{left_on}/v1/batches", json=job_body())
    assert batch.headers["Location"].startswith(f"{PREFIX}/v1/batches/")
    file = behind.post(f"{left_on}/v1/files?filename=a", data=b"bytes")
    assert file.headers["Location"].startswith(f"{PREFIX}/v1/files/file_")
    input_ = {"model": "digits", "input": {"data": "aGk="}}
    waiting = behind.post(f"{left_on}/v1/predictions", json=input_, headers={"Prefer": "wait=0"})
    assert waiting.headers["Location"].startswith(f"{PREFIX}/v1/jobs/")
    assert behind.get(f"{left_on}/openapi.json").json["servers"] == [{"url": PREFIX}]
    assert f"{PREFIX}/docs" in check_problem(behind.get(f"{left_on}/nothing"), 404)["detail"]
    # Another path that only begins alike is no prefix.
    check_problem(behind.get(f"{PREFIX}2/v1/jobs"), 404)


def test_without_a_prefix_nothing_is_said_of_servers(caller: Caller) -> None:
    assert "servers" not in caller.get("/openapi.json").json
    assert caller.post("/v1/jobs", json=job_body()).headers["Location"].startswith("/v1/jobs/")


@pytest.mark.parametrize("path", ["/v1//jobs", "//v1/jobs", "/v1/jobs//", "//evil.test/v1/jobs"])
def test_a_double_slash_never_leads_to_the_host_of_the_caller(caller: Caller, path: str) -> None:
    answer = caller.get("/", headers={"Host": "evil.test"}, environ_overrides={"PATH_INFO": path})
    # Slashes before the path are none of it, as werkzeug has it.
    assert answer.status_code == (200 if path == "//v1/jobs" else 404)
    assert "Location" not in answer.headers


def test_a_key_in_a_path_is_neither_logged_nor_shown(front: Front) -> None:
    for path in (f"/v1/jobs/{front.key}", f"/v1/{front.key.replace('_', '%5F')}", "/healthz"):
        with front.client() as client:
            shown = client.get(path).text
            assert front.key not in shown or path.startswith("/v1/jobs/")
    # And of a peer that goes before its answer.
    with front.say(front.head("GET", f"/v1/jobs/{front.key}/x", "Prefer: wait=5")):
        pass
    log = front.log()
    assert '"path": "/healthz"' in log
    assert "pm_live_\\u2026" in log
    assert front.key not in log
    assert front.key.removeprefix("pm_live_").partition("_")[2] not in log


def problem_of(answer: bytes, status: int) -> dict[str, object]:
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert lines[0].startswith(f"http/1.1 {status} ")
    assert "content-type: application/problem+json" in lines
    assert "connection: close" in lines
    problem = json.loads(body)
    assert problem["status"] == status
    assert problem["request_id"].startswith("req_")
    assert f"x-request-id: {problem['request_id']}" in lines
    return problem


UNREADABLE = (
    (b"nonsense\r\n\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    (b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
    (b"GET /" + b"a" * 600_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 600_000 + b"\r\n\r\n", 431),
)


def test_what_no_route_sees_is_refused_as_everything_else_is(front: Front) -> None:
    for said, status in UNREADABLE:
        with front.say(said) as peer:
            problem = problem_of(read_all(peer), status)
        assert str(problem["request_id"]) in front.log()


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (r'filename="C:\me\new.png"', "new.png"),
        (r'filename="C:\\me\\new.png"', "new.png"),
        (r'filename="\\server\share\t.png"', "t.png"),
        (r'filename="a\"b.png"', 'a"b.png'),
        ('filename="a%22b.png"', 'a"b.png'),
        (r'filename="a\tb.png"', r"a\tb.png"),
        ('filename="dir/é.png"', "dir/é.png"),
        ("filename=\"x.png\"; filename*=UTF-8''%C3%A9.png", "é.png"),
        ("filename=plain.png", "plain.png"),
    ],
)
def test_a_file_is_called_what_its_sender_calls_it(caller: Caller, header: str, name: str) -> None:
    def send(path: str, field: str, more: str = "") -> TestResponse:
        disposition = f'Content-Disposition: form-data; name="{field}"; {header}\r\n\r\n'
        body = f"--b\r\n{disposition}bytes\r\n{more}--b--\r\n".encode()
        return caller.post(path, data=body, content_type="multipart/form-data; boundary=b")

    assert send("/v1/files", "file").json["filename"] == name
    job = '--b\r\nContent-Disposition: form-data; name="job"\r\n\r\n{"model":"digits"}\r\n'
    made = send("/v1/jobs", "files", job)
    caller.post(f"/v1/jobs/{made.json['id']}/cancel")
    (row,) = caller.get(f"/v1/jobs/{made.json['id']}/results").json["data"]
    assert row["custom_id"] == name


def test_a_raw_upload_from_windows_is_named_by_its_file(caller: Caller) -> None:
    query = {"filename": r"C:\me\new.png"}
    answer = caller.post("/v1/files", query_string=query, data=b"bytes")
    assert answer.json["filename"] == "new.png"


@pytest.mark.parametrize("url", ["HTTP://example.com/a.png", "Https://example.com/a.png"])
def test_the_scheme_of_a_url_may_be_written_in_capitals(caller: Caller, url: str) -> None:
    assert caller.post("/v1/jobs", json={"model": "digits", "urls": [url]}).status_code == 202


@pytest.mark.parametrize("preference", ["Wait=1", "respond-async, WAIT = 1"])
def test_a_preference_is_read_in_any_case(caller: Caller, preference: str) -> None:
    path = f"/v1/jobs/{caller.submit()['id']}"
    answer = caller.get(path, headers={"Prefer": preference})
    assert answer.headers["Preference-Applied"] == "wait=1"


def test_a_prefix_that_is_no_path_is_refused_at_start(database_url: str) -> None:
    for bad in ("pixelmill", "/a/", "/a b", "//evil.test"):
        with pytest.raises(SettingsError, match="PIXELMILL_URL_PREFIX"):
            load_settings(url_prefix=bad)
