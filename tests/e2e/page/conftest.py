"""A real Chromium that has signed in on a real stack, and what it complained of."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from models.pictures.data import encode, heldout_digits
from tests.e2e.stacks import RunningStack

# On a machine that does much else beside.
_LONGEST_MS = 60_000

CHROMIUM = os.environ.get("PIXELMILL_TEST_CHROMIUM") or shutil.which("chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # For a module: while Playwright is open, an event loop runs in this thread,
    # and no other test in this process could start its own.
    if CHROMIUM is None:
        pytest.skip("there is no `chromium` here: install Debian's, or name one in a variable")
    expect.set_options(timeout=_LONGEST_MS)
    with sync_playwright() as playwright:
        # Chromium refuses its sandbox to root, and only pages of our own are opened.
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield opened
        opened.close()


def _is_fault(said: ConsoleMessage) -> bool:
    """Say whether it is more than a picture that is not there, or is still being made."""
    is_no_picture = "status of 404" in said.text or "status of 409" in said.text
    return said.type == "error" and not is_no_picture


@pytest.fixture
def complaints() -> list[str]:
    """What the browser found at fault: errors of scripts, refused loads, and dialogs."""
    return []


@pytest.fixture
def page(browser: Browser, stack: RunningStack, complaints: list[str]) -> Iterator[Page]:
    """Give a tab that has signed in."""
    context = browser.new_context(
        base_url=stack.info["url"], viewport={"width": 1280, "height": 900}
    )
    context.set_default_timeout(_LONGEST_MS)
    tab = context.new_page()
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("console", lambda said: _is_fault(said) and complaints.append(said.text))
    tab.goto("/")
    tab.get_by_label("API key").fill(stack.info["api_key"])
    tab.get_by_role("button", name="Sign in").click()
    tab.wait_for_url("**/jobs")
    yield tab
    context.close()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Forty digits, two files that are no pictures, and one whose name is markup."""
    folder = tmp_path_factory.mktemp("pictures")
    digits, _ = heldout_digits()
    for number, pixels in enumerate(digits[:40]):
        (folder / f"{number:02}.png").write_bytes(encode(pixels, ".png"))
    (folder / "<img src=x onerror=alert(1)>.png").write_bytes(encode(digits[40], ".png"))
    (folder / "cut.png").write_bytes(encode(digits[0], ".png")[:60])
    (folder / "note.png").write_bytes(b"a note and no picture")
    return sorted(folder.iterdir())
