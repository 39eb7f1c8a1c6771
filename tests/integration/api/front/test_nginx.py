"""Behind a real nginx with its default buffering, below a path: nothing is lost, cut or late."""

import hashlib
import json
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tusclient.client import TusClient

from jobs.base.bootstrap import Ground
from jobs.queue.completion import cancel
from jobs.tables import ModelVersion
from jobs.tenants.keys import NewKey
from pixelmill import Client
from tests.integration.api.callers import job_body
from tests.integration.api.fronts import Front, running_front
from tests.integration.api.jobs.test_jobs import finish
from tests.integration.api.live.reading import parse, words
from tests.integration.api.nginxes import NGINX, PREFIX, Nginx, running_nginx
from tests.integration.api.page.visitors import SAME_SITE

pytestmark = [
    pytest.mark.skipif(NGINX is None, reason="needs nginx"),
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
]

ITEMS = 5_000
MIB = 1024**2


@pytest.fixture
def behind(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, tmp_path: Path
) -> Iterator[Front]:
    with running_front(ground, tenant, tmp_path, PIXELMILL_URL_PREFIX=PREFIX) as running:
        yield running


@pytest.fixture
def nginx(behind: Front, tmp_path: Path) -> Iterator[Nginx]:
    with running_nginx(behind.port, tmp_path / "nginx") as running:
        yield running


def caller(url: str, behind: Front) -> httpx.Client:
    return httpx.Client(base_url=url, headers=behind.headers, timeout=60, trust_env=False)


def test_addresses_lead_back_through_nginx_whether_or_not_it_takes_the_prefix_off(
    nginx: Nginx, behind: Front, ground: Ground
) -> None:
    for url in nginx.both:
        with caller(url, behind) as client:
            made = client.post("/v1/jobs", json=job_body())
            job = made.json()
            assert made.headers["Location"] == f"{PREFIX}/v1/jobs/{job['id']}"
            assert job["results_url"] == f"{made.headers['Location']}/results"
            finish(ground)
            origin = url.removesuffix(PREFIX)
            assert client.get(origin + made.headers["Location"]).json()["status"] == "completed"
            assert len(client.get(origin + job["results_url"]).json()["data"]) == 1
            assert client.get("/openapi.json").json()["servers"] == [{"url": PREFIX}]


def test_the_pages_links_and_its_session_stay_below_the_prefix(nginx: Nginx, behind: Front) -> None:
    for url in nginx.both:
        with httpx.Client(base_url=url, timeout=60, trust_env=False) as browser:
            there = browser.post("/sign-in", data={"key": behind.key}, headers=SAME_SITE)
            assert there.status_code == 303, there.text
            assert there.headers["Location"].startswith(f"{PREFIX}/")
            page = browser.get("/jobs")
            assert page.status_code == 200
            links = re.findall(r'(?:href|src|action|hx-get)="(/[^"]*)"', page.text)
            assert links
            assert [link for link in links if not link.startswith(f"{PREFIX}/")] == []
            origin = url.removesuffix(PREFIX)
            for link in sorted({link.partition("#")[0] for link in links if "static" in link}):
                assert browser.get(origin + link).status_code == 200, link


def test_results_come_whole_and_an_answer_is_held(
    nginx: Nginx, behind: Front, ground: Ground
) -> None:
    with caller(nginx.taken_off, behind) as client:
        job = client.post("/v1/jobs", json=job_body(ITEMS)).json()["id"]
        began = time.monotonic()
        waited = client.get(f"/v1/jobs/{job}", headers={"Prefer": "wait=1"}).json()
        assert waited["status"] == "in_progress"
        assert time.monotonic() - began >= 0.9
        finish(ground)
        answer = client.get(f"/v1/jobs/{job}/results?format=ndjson")
        rows = [json.loads(line) for line in answer.text.splitlines()]
        assert (answer.headers["Pixelmill-Rows"], len(rows)) == (str(ITEMS), ITEMS)
        assert {row["index"] for row in rows} == set(range(ITEMS))


def test_events_come_as_they_happen(
    nginx: Nginx, behind: Front, ground: Ground, tenant: NewKey
) -> None:
    with caller(nginx.taken_off, behind) as client:
        job = client.post("/v1/jobs", json=job_body()).json()["id"]
        with client.stream("GET", f"/v1/jobs/{job}/events") as answer:
            told = parse(answer.iter_lines())
            # While the stream is open: nothing of it waits for its end.
            assert next(told).event == "job.in_progress"
            cancel(ground.database, tenant.tenant_id, job)
            ground.hints.tell_moved(job)
            assert words(told) == ["job.cancelled"]


def test_uploads_go_through_whole_and_in_pieces(
    nginx: Nginx, behind: Front, tmp_path: Path
) -> None:
    path = tmp_path / "photos.tar"
    path.write_bytes(random.Random(1).randbytes(12 * MIB))
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    for url in nginx.both:
        with Client(url, behind.key) as client:
            assert client.upload(path).sha256 == expected
        tus = TusClient(f"{url}/v1/uploads", headers=behind.headers)
        uploader = tus.uploader(str(path), chunk_size=5 * MIB, metadata={"filename": "photos.tar"})
        uploader.upload()
        file_id = uploader.request.response_headers["pixelmill-file-id"]
        with caller(url, behind) as client:
            assert client.get(f"/v1/files/{file_id}").json()["sha256"] == expected
