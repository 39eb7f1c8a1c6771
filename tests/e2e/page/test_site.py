"""The site of docs/: built without network or warning, shown and searched in a real Chromium."""

import contextlib
import functools
import http.server
import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

ROOT = Path(__file__).parents[3]
QUESTIONS = re.findall(r"^## (.+)$", (ROOT / "docs/questions.md").read_text(), re.MULTILINE)
# What a newcomer types, and the page that answers.
SEARCHES = {
    "Why is my job not running?": ("job not running", "questions.html#why-is-my-job"),
    "How do I send a folder?": ("submit folder", "photos.html"),
    "Which models can I run?": ("bring your own", "models.html"),
    "Where are my results after a restart?": ("results restart", "questions.html#where-are-my"),
    "How do I verify a webhook?": ("webhook signature", "webhooks.html"),
    "How do I roll back a model?": ("roll back", "questions.html#how-do-i-roll"),
    "What is deleted, and when?": ("deleted when", "questions.html#what-is-deleted"),
    "How do I use S3?": ("s3 bucket", "buckets.html"),
    "Why was my picture refused?": ("error codes", "reference/errors.html"),
    "How many workers do I need?": ("how many workers", "scaling.html"),
}


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as it is there
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` builds it, from a copy."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "docs", folder / "docs")
    shutil.copy(ROOT / "zensical.toml", folder)
    done = build(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stdout + done.stderr
    return folder / "build" / "site"


def build(folder: Path) -> "subprocess.CompletedProcess[str]":
    # In a network of nothing: a proxy that is not there.
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    away = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}
    return subprocess.run(
        command, cwd=folder, env=away, capture_output=True, text=True, timeout=120
    )


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    handler = functools.partial(_Quiet, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def reader(browser: Browser, address: str, complaints: list[str]) -> Iterator[Page]:
    """Give a tab that shows the site, and notes whom else it asks."""
    with contextlib.closing(browser.new_context()) as context:
        tab = context.new_page()
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("request", lambda sent: sent.url.startswith(address) or complaints.append(sent.url))
        tab.goto(f"{address}/index.html")
        yield tab


def test_every_question_has_a_search() -> None:
    assert list(SEARCHES) == QUESTIONS
    assert len(QUESTIONS) == 10


def test_a_link_that_leads_nowhere_builds_no_site(site: Path, tmp_path: Path) -> None:
    for name in ("docs", "zensical.toml"):
        source = site.parents[1] / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tmp_path / name)
    (tmp_path / "docs" / "photos.md").write_text("# Photos\n\n[Films](filmz.md)\n")
    assert build(tmp_path).returncode != 0


@pytest.mark.parametrize(("words", "page"), SEARCHES.values(), ids=SEARCHES)
def test_the_index_has_an_answer_to_each_question(site: Path, words: str, page: str) -> None:
    items = json.loads((site / "search.json").read_text())["items"]
    texts = {each["location"]: f"{each['title']} {each['text']}".lower() for each in items}
    found = [
        place
        for place, text in texts.items()
        if all(re.search(rf"\b{word}", text) for word in words.split())
    ]
    assert any(page in place for place in found), found


def test_a_search_finds_the_page_that_answers_each_question(
    reader: Page, complaints: list[str]
) -> None:
    # The button does nothing until the index has come.
    reader.wait_for_load_state("networkidle")
    reader.get_by_role("button", name="Search").click()
    for question, (words, page) in SEARCHES.items():
        reader.get_by_role("combobox").fill(words)
        # Between the two stand the words, to be marked on the page.
        file, _, anchor = page.partition("#")
        found = reader.locator(f"a[role=option][href*='{file}?'][href*='{anchor or file}']")
        expect(found.first, question).to_be_visible()
    assert complaints == []


@pytest.mark.parametrize("width", [360, 1440])
def test_no_page_is_wider_than_the_window(
    reader: Page, site: Path, address: str, width: int, complaints: list[str]
) -> None:
    reader.set_viewport_size({"width": width, "height": 900})
    wide = []
    for page in ("index", "quickstart", "models", "reference/configuration", "reference/errors"):
        reader.goto(f"{address}/{page}.html")
        expect(reader.locator("h1").first).to_be_visible()
        scrolled = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        if reader.evaluate(scrolled):
            wide.append(page)
    assert wide == []
    assert complaints == []
