"""What people do on the page, in a real Chromium; nothing of it may make the browser complain."""

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.e2e.stacks import RunningStack


def submit(page: Page, pictures: list[Path], name: str) -> str:
    """Submit pictures by the form; gives the job's address."""
    page.goto("/new?model=digits")
    page.locator("#files").set_input_files(pictures)
    expect(page.locator("#chosen")).to_contain_text(f"{len(pictures)} file")
    page.get_by_label("top k").fill("3")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Check first").click()
    expect(page.locator("#answer")).to_contain_text(f"would run {len(pictures)} item")
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url(re.compile(r"/jobs/job_\w+"))
    return page.url.partition("?")[0]


def test_pictures_are_dropped_watched_looked_at_downloaded_and_retried(
    page: Page, pictures: list[Path], complaints: list[str]
) -> None:
    submit(page, pictures, "From a browser")
    # By itself: nobody has reloaded the page.
    expect(page.locator("#live")).to_contain_text("Completed in part")
    expect(page.locator("#failures")).to_contain_text("image_decode_failed")
    expect(page.locator("#failures")).to_contain_text("note.png")
    expect(page.locator("#results tbody tr")).to_have_count(len(pictures))
    with page.expect_download() as download:
        page.get_by_role("link", name="csv").click()
    assert len(Path(download.value.path()).read_text().splitlines()) == len(pictures) + 1
    page.get_by_role("link", name="Pictures").click()
    expect(page.locator(".gallery img").first).to_have_js_property("naturalWidth", 28)
    page.get_by_role("button", name="Retry failed").click()
    expect(page.locator("#live")).to_contain_text("All failed")
    assert complaints == []


def test_a_picture_that_no_browser_shows_is_made_when_somebody_looks(
    page: Page, tmp_path: Path
) -> None:
    Image.new("RGB", (300, 200), "red").save(tmp_path / "a.tif")
    (tmp_path / "b.tif").write_bytes(b"a note and no picture")
    job = submit(page, sorted(tmp_path.iterdir()), "Of a scanner")
    expect(page.locator("#live")).to_contain_text("Completed in part")
    page.goto(f"{job}?view=pictures")
    expect(page.locator(".gallery img").first).to_have_js_property("naturalWidth", 256)
    expect(page.locator(".gallery")).to_contain_text("There is no picture to show.")
    page.goto(f"{job}/items/1")
    expect(page.locator(".picture")).to_contain_text("There is no picture to show.")
    expect(page.locator(".picture img")).to_be_hidden()


def test_a_picture_is_tried_and_the_request_is_there_as_code(
    page: Page, pictures: list[Path], complaints: list[str]
) -> None:
    page.goto("/playground?model=digits")
    page.get_by_label("top k").fill("2")
    page.locator("#file").set_input_files(pictures[0])
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#answer .answers li")).to_have_count(2)
    for tab, word in (("curl", "curl http"), ("Python", "import httpx"), ("Node", "openAsBlob")):
        page.get_by_role("tab", name=tab).click()
        expect(page.locator("#code")).to_contain_text(word)
        expect(page.locator("#code")).to_contain_text("PIXELMILL_API_KEY")
    assert complaints == []


def test_chosen_jobs_are_deleted_after_a_question(page: Page, pictures: list[Path]) -> None:
    submit(page, pictures[:2], "To be deleted")
    page.goto("/jobs?text=to+be+deleted")
    row = page.locator("tbody tr")
    expect(row).to_have_count(1)
    expect(page.get_by_role("button", name="Delete")).to_be_disabled()
    row.get_by_role("checkbox").check()
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("status")).to_contain_text("1 job deleted")


def test_the_keyboard_alone_leads_to_the_content_and_through_a_menu(
    page: Page, pictures: list[Path]
) -> None:
    page.goto(submit(page, pictures[:1], "By keyboard"))
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Delete the job")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Delete the job")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_every_page_can_be_read_by_everybody_on_every_screen(
    browser: Browser, stack: RunningStack, page: Page, pictures: list[Path], scheme: str, width: int
) -> None:
    job = submit(page, pictures[:3], "To be read").partition(stack.info["url"])[2]
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    places = (
        "jobs",
        "new",
        "playground",
        "models",
        "models/digits",
        "workers",
        "webhooks",
        "keys",
        "trainings",
    )
    for path in [*(f"/{place}" for place in places), "/audit", job, f"{job}?view=pictures"]:
        page.goto(path)
        wider = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not page.evaluate(wider), f"{path} has to be moved sideways"
        found = Axe().run(page).response["violations"]
        serious = [each["id"] for each in found if each["impact"] in ("serious", "critical")]
        assert serious == [], path
