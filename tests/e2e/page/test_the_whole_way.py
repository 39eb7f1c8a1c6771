"""From pictures to the version that is kept: a data scientist's day, in one browser."""

import base64
import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from models.pictures.data import encode, heldout_digits
from tests.e2e.stacks import RunningStack
from tests.model_files.weights_files import RECORD, Tensors, changed_digits, noisy_digits

COUNT, BROKEN = 198, 2
PIECE = 8 * 1024 * 1024

# As from a desktop: files that a script makes, dropped on the page.
DROPPED = """files => {
  const dropped = new DataTransfer();
  for (const [name, text] of files) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    dropped.items.add(new File([bytes], name));
  }
  return dropped;
}"""


@pytest.fixture(scope="module")
def model(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model of the tenant's with two versions; the second takes many digits for a seven."""

    def prefer_sevens(tensors: Tensors) -> None:
        tensors["dense2.bias"][7] += 6.0

    folder = tmp_path_factory.mktemp("versions")
    with stack.client() as client:
        for number, weights in enumerate((noisy_digits(1), changed_digits(prefer_sevens))):
            path = folder / f"{number}.safetensors"
            path.write_bytes(weights)
            assert client.push("my/kept-digits", path, RECORD, wait=50).state == "ready"
        client.set_alias("my/kept-digits", "production", 1)
    return "my/kept-digits"


@pytest.fixture(scope="module")
def bucket(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder of the server's that the tenant may name."""
    folder = tmp_path_factory.mktemp("bucket")
    for number, pixels in enumerate(heldout_digits()[0][:20]):
        (folder / f"{number:02}.png").write_bytes(encode(pixels, ".png"))
    allow = [sys.executable, "-m", "pixelmill", "buckets", "allow", folder.as_uri()]
    subprocess.run(
        [*allow, "--tenant", "local"],
        env={**os.environ, "PIXELMILL_DATA": str(stack.data)},
        check=True,
        capture_output=True,
    )
    return f"{folder.as_uri()}/"


def drop(page: Page, files: list[tuple[str, bytes]]) -> None:
    told = [[name, base64.b64encode(content).decode()] for name, content in files]
    page.dispatch_event("#drop", "drop", {"dataTransfer": page.evaluate_handle(DROPPED, told)})


def test_two_hundred_pictures_from_the_drop_to_the_version_that_is_kept(
    page: Page, stack: RunningStack, model: str, complaints: list[str]
) -> None:
    streams: list[str] = []
    page.on(
        "request", lambda sent: sent.resource_type == "eventsource" and streams.append(sent.url)
    )
    digits, _ = heldout_digits()
    good = [(f"{n:03}.png", encode(digits[n], ".png")) for n in range(COUNT)]
    bad = [(f"broken-{n}.png", good[n][1][:60]) for n in range(BROKEN)]

    page.goto(f"/new?model={model}@production")
    drop(page, good + bad)
    expect(page.locator("#chosen")).to_contain_text("200 files")
    page.get_by_label("Name", exact=True).fill("The whole way")
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url(re.compile(r"/jobs/job_\w+"))
    job = page.url.partition("?")[0]

    # By itself, as the server tells of it.
    expect(page.locator("#live")).to_contain_text("Completed in part")
    of_jobs = [each for each in streams if "/jobs/" in each]
    assert of_jobs == [f"{stack.info['url']}/v1{job.removeprefix(stack.info['url'])}/events"]
    expect(page.locator("#failures")).to_contain_text("image_decode_failed")
    expect(page.locator("#failures")).to_contain_text("broken-1.png")
    with page.expect_download() as download:
        page.get_by_role("link", name="csv").click()
    with Path(download.value.path()).open(newline="") as file:
        assert len(list(csv.DictReader(file))) == COUNT + BROKEN
    page.get_by_role("button", name="Retry failed").click()
    expect(page.locator("#live")).to_contain_text("All failed")

    page.goto(job)
    page.locator("summary", has_text="More").click()
    page.locator("#rerun-model").fill(f"{model}@2")
    page.get_by_role("button", name="Rerun").click()
    expect(page.locator("#live")).to_contain_text("Completed in part")
    page.get_by_role("link", name="What changed").click()
    expect(page.get_by_role("heading", name="Classes before and after")).to_be_visible()
    expect(page.locator(".changes li").first).to_be_visible()
    expect(page.locator(".changes img").nth(1)).to_have_js_property("naturalWidth", 28)

    for button, version in (("Promote: production → 2", 2), ("Roll back: production → 1", 1)):
        page.get_by_role("button", name=button).click()
        expect(page.get_by_role("status")).to_contain_text("The alias was moved")
        with stack.client() as client:
            assert client.model(f"{model}@production").version == version
    assert complaints == []


def test_a_job_of_a_folder_in_a_bucket_is_checked_and_run(page: Page, bucket: str) -> None:
    page.goto("/new?model=digits")
    page.get_by_role("radio", name="A bucket").check()
    page.get_by_label("Folder of a bucket").fill("s3://nobodys/")
    page.get_by_role("button", name="Check first").click()
    expect(page.locator("#answer .fault")).to_contain_text("not among the buckets")
    page.get_by_label("Folder of a bucket").fill(bucket)
    expect(page.locator("#answer")).to_be_empty()
    page.get_by_role("button", name="Check first").click()
    expect(page.locator("#answer")).to_contain_text("would run 20 items")
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url(re.compile(r"/jobs/job_\w+"))
    expect(page.locator("#live")).to_contain_text("20 of 20")


def test_without_a_stream_the_page_goes_on_by_asking(page: Page, pictures: list[Path]) -> None:
    page.context.route("**/events", lambda route: route.abort())
    page.goto("/new?model=digits")
    page.locator("#files").set_input_files(pictures[:3])
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url(re.compile(r"/jobs/job_\w+"))
    expect(page.locator("#live")).to_contain_text("Completed")


def test_an_upload_goes_on_after_a_reload_where_it_was(page: Page, tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    files = []
    for number in range(2):
        files.append(tmp_path / f"{number}-{'long' * 30}-é.png")
        files[-1].write_bytes(encode(random.integers(0, 256, (1500, 1500, 3), np.uint8), ".png"))
    offsets: list[int] = []
    may_pass = 1

    def pass_some(route: Route) -> None:
        nonlocal may_pass
        if route.request.method != "PATCH":
            return route.continue_()
        offsets.append(int(route.request.headers["upload-offset"]))
        may_pass -= 1
        return route.continue_() if may_pass >= 0 else route.abort()

    page.route("**/v1/uploads/*", pass_some)
    page.goto("/new?model=digits")
    page.locator("#files").set_input_files(files)
    page.get_by_role("button", name="Submit").click()
    with page.expect_request_finished(lambda sent: sent.method == "PATCH"):
        pass
    may_pass = 0
    page.reload()
    expect(page.locator("#unfinished")).to_contain_text("8.4 MB of 13.5 MB are here")
    offsets.clear()
    may_pass = 100
    page.locator("#files").set_input_files(files)
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url(re.compile(r"/jobs/job_\w+"))
    assert offsets == [PIECE], "what was sent is not sent again"
    expect(page.locator("#live")).to_contain_text("2 of 2")
    expect(page.locator("#results")).to_contain_text(files[0].name)
    page.goto("/new")
    expect(page.locator("#unfinished")).to_be_empty()


def test_a_link_shows_the_job_in_a_browser_that_has_not_signed_in_until_it_is_revoked(
    browser: Browser, stack: RunningStack, page: Page, pictures: list[Path]
) -> None:
    page.goto("/new?model=digits")
    page.locator("#files").set_input_files(pictures[:2])
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url(re.compile(r"/jobs/job_\w+"))
    page.get_by_role("button", name="Make a link").click()
    address = page.locator("[data-address]").input_value()
    strangers = browser.new_context(base_url=stack.info["url"])
    tab = strangers.new_page()
    tab.goto(address)
    expect(tab.locator("#live")).to_contain_text("Completed")
    expect(tab.get_by_role("link", name="Sign out")).to_have_count(0)
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("status")).to_be_visible()
    answer = tab.goto(address)
    assert answer is not None
    assert answer.status == 404
    strangers.close()
