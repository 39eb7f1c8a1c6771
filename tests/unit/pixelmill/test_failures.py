"""`pixelmill submit`: which items failed, and why, is said where somebody waits for them."""

import pytest
from typer.testing import CliRunner

from pixelmill.cli.commands import app


@pytest.fixture
def run(server):
    env = {"PIXELMILL_URL": server.url, "PIXELMILL_API_KEY": "key"}
    return lambda *args: CliRunner().invoke(app, list(args), env=env)


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"png")
    return str(path)


def test_submit_names_the_first_items_that_failed_and_says_why(server, run, say, image, tmp_path):
    server.on("POST", "/v1/files", say.answer(201, {"id": "file_1", "bytes": 1}))
    server.on("POST", "/v1/jobs", say.job())
    over = say.job(status="completed", outcome="partially_succeeded", completed=1, failed=5)
    server.on("GET", "/v1/jobs/job_1", over)
    rows = [say.result(0)] + [say.result(each, "errored") for each in range(1, 6)]
    server.on("GET", "/v1/jobs/job_1/results", say.page(rows, "c6"))
    said = run("submit", image, "-m", "digits", "-o", str(tmp_path / "x.csv")).stderr
    assert "failed: 1.png: undecodable: no image\n" in said
    assert ("3.png" in said, "4.png" in said) == (True, False)
    assert "5 failed: `pixelmill results job_1` says of each why" in said
    said = run("submit", image, "-m", "digits", "--wait").stderr
    assert "`pixelmill results job_1` says of each failed item why" in said
