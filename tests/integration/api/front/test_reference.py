"""The reference's page and its files: open, pinned, and from this server alone."""

import hashlib
import re
from pathlib import Path

import pytest
from apiflask import APIFlask

import api.reference
from jobs.presence.version import installed_version

VENDOR = Path(api.reference.__file__).parent / "static" / "vendor"
PINNED = re.findall(r"^([0-9a-f]{64})  (\S+)$", (VENDOR / "README.txt").read_text(), re.MULTILINE)

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_the_page_loads_only_files_of_its_own_by_relative_addresses(app: APIFlask) -> None:
    client = app.test_client()
    answer = client.get("/docs")
    assert answer.content_type == "text/html; charset=utf-8"
    assert installed_version() in answer.text
    assert not re.findall(r"(?:https?:)?//[\w.-]+\.\w+|<script>|<style|\bon\w+=", answer.text)
    loaded = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
    assert len(loaded) > 5
    for address in loaded:
        assert not address.startswith("/")
        assert client.get(f"/{address}").status_code == 200, address
        if "?v=" in address:
            assert "immutable" in client.get(f"/{address}").headers["Cache-Control"]


def test_the_page_runs_no_script_that_stands_in_it(app: APIFlask) -> None:
    policy = app.test_client().get("/docs").headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy


def test_what_is_not_there_is_a_problem_and_leads_nowhere(app: APIFlask) -> None:
    for name in ("nothing.js", "../routes.py", "%2e%2e/page.html"):
        assert app.test_client().get(f"/docs/{name}").status_code == 404


@pytest.mark.parametrize(("digest", "name"), PINNED)
def test_a_vendored_file_is_the_one_that_is_pinned(app: APIFlask, digest: str, name: str) -> None:
    content = app.test_client().get(f"/docs/vendor/{name}").data
    assert hashlib.sha256(content).hexdigest() == digest


def test_every_vendored_script_and_style_is_pinned_beside_its_licence(app: APIFlask) -> None:
    held = {path.name for path in VENDOR.iterdir() if path.suffix in (".js", ".css")}
    assert {name for _, name in PINNED} == held
    assert "Apache License" in app.test_client().get("/docs/vendor/swagger-ui.LICENSE.txt").text
