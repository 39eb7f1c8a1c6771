"""Pages that are made of the code are up to date, and the site shows every page."""

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.documentation import configuration, errors
from deploy.documentation.pages import DOCS, PAGES, whole_page
from jobs.base.settings import Settings

ROOT = DOCS.parent
SITE = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_that_is_made_of_the_code_is_up_to_date(name: str) -> None:
    assert (DOCS / name).read_text() == whole_page(PAGES[name]), "run `make references`"


def test_every_setting_stands_in_the_reference() -> None:
    text = (DOCS / "reference/configuration.md").read_text()
    assert [
        name for name in Settings.model_fields if f"`PIXELMILL_{name.upper()}`" not in text
    ] == []


def test_a_setting_without_a_description_makes_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = Settings.model_fields["lease_s"]._copy()
    bare.description = None
    monkeypatch.setitem(Settings.model_fields, "lease_s", bare)
    with pytest.raises(LookupError, match="lease_s has no description"):
        configuration.configuration_page()


def test_a_code_of_which_nothing_is_said_makes_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"not_found", "url_timeout", "too_many_items"} <= errors.codes_in_the_code()
    monkeypatch.delitem(errors.REMEDIES, "url_timeout")
    with pytest.raises(LookupError, match="url_timeout"):
        errors.errors_page()


def pages_of(entry: Any) -> Iterator[str]:
    """Give the files that a part of the navigation leads to."""
    if isinstance(entry, str):
        yield entry
    for each in entry.values() if isinstance(entry, dict) else entry:
        if each is not entry and not isinstance(entry, str):
            yield from pages_of(each)


def test_every_page_stands_in_the_navigation_once() -> None:
    shown = list(pages_of(SITE["nav"]))
    held = [path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")]
    # Decisions are led to by their list.
    assert sorted(shown) == sorted(name for name in held if not is_decision(name))


def is_decision(name: str) -> bool:
    return name.startswith("decisions/0")


def test_the_sites_footer_names_the_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"Pixelmill {version} " in SITE["copyright"]


def test_no_page_leads_out_of_the_site() -> None:
    leading_out = [
        f"{path.relative_to(ROOT)}: {line[:80]}"
        for path in DOCS.rglob("*.md")
        for line in path.read_text().splitlines()
        if f"]({'../' * len(path.relative_to(DOCS).parts)}" in line
    ]
    assert leading_out == [], "name the file in `…`: the site has no page of it"
