"""What was meant as a manifest is told what it seems to be, and no line is lost in silence."""

import json
from typing import Any

import pytest

from jobs.base.bootstrap import Ground
from jobs.base.errors import InvalidInput
from jobs.inputs.files import store_file
from jobs.inputs.items import items_of_file
from jobs.inputs.manifests import Item
from jobs.inputs.packs import Pack
from jobs.tables import File, Requested
from jobs.tenants.keys import NewKey

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

LINE = '{"input": {"url": "http://x/1"}}'
ONE_BY_ONE = Requested("digits", {"top_k": 1}, from_lines=True)

NO_MANIFESTS = {
    "UTF-16 with a mark": (f"{LINE}\n".encode("utf-16"), "UTF-16"),
    "UTF-16 of the other order": (b"\xfe\xff" + LINE.encode("utf-16-be"), "UTF-16"),
    "UTF-16 without a mark": (LINE.encode("utf-16-le"), "UTF-16"),
    "UTF-32": (LINE.encode("utf-32"), "UTF-16 or UTF-32"),
    "comment": (f"# my batch\n{LINE}\n".encode(), "comment"),
    "other comment": (f"\n// my batch\n{LINE}\n".encode(), "comment"),
    "array": (f"[{LINE},\n{LINE}]".encode(), "a JSON array"),
    "array behind blank lines": (f"\ufeff\n\n [{LINE}]".encode(), "a JSON array"),
    "URLs": (b"https://x/1\nhttps://x/2\n", "a list of URLs"),
}


def upload(ground: Ground, tenant: NewKey, content: bytes, name: str = "batch") -> File:
    return store_file(ground, tenant.tenant_id, name, "batch", [content])


def walk(ground: Ground, file: File, requested: Requested = ONE_BY_ONE) -> list[Item]:
    with Pack(ground.storage, "job_1") as pack:
        return list(items_of_file(ground, file, pack, requested, lambda: None))


@pytest.mark.parametrize(("content", "seems"), NO_MANIFESTS.values(), ids=NO_MANIFESTS.keys())
def test_what_was_meant_as_a_manifest_is_told_what_it_looks_like(
    ground: Ground, tenant: NewKey, content: bytes, seems: str
) -> None:
    with pytest.raises(InvalidInput, match="'batch' looks like") as caught:
        walk(ground, upload(ground, tenant, content))
    assert seems in caught.value.message
    assert "one object a line" in caught.value.message
    assert caught.value.reason == "not_a_manifest"


def test_a_file_called_a_manifest_is_read_as_one_and_its_faults_are_told_by_line(
    ground: Ground, tenant: NewKey
) -> None:
    with pytest.raises(InvalidInput, match="Line 1: This is not valid JSON"):
        walk(ground, upload(ground, tenant, b"custom_id,url\na,http://x\n", "batch.JSONL"))


@pytest.mark.parametrize("size", [3, 70_000])
def test_nothing_but_blank_lines_is_no_picture(ground: Ground, tenant: NewKey, size: int) -> None:
    assert walk(ground, upload(ground, tenant, b"\n" * size)) == []


def test_a_manifest_may_begin_with_more_blank_lines_than_are_looked_at(
    ground: Ground, tenant: NewKey
) -> None:
    (item,) = walk(
        ground, upload(ground, tenant, b"\n" * 70_000 + LINE.encode()), Requested("m", {})
    )
    assert item.url == "http://x/1"


def line(name: str, **body: Any) -> str:
    named = {"model": "digits", "input": {"url": "https://x.org/1"}, **body}
    return json.dumps({"custom_id": name, "body": named})


@pytest.mark.parametrize(
    "other",
    [line("b"), line("b", params={}), line("b", params={"top_k": 2}), LINE],
    ids=["none", "empty", "others", "short form"],
)
def test_a_line_that_does_not_repeat_the_first_ones_params_is_refused_by_its_number(
    ground: Ground, tenant: NewKey, other: str
) -> None:
    first = line("a", params={"top_k": 1})
    with pytest.raises(InvalidInput, match=r"Line 2: `body\.params` differ") as caught:
        walk(ground, upload(ground, tenant, f"{first}\n{other}\n{first}".encode()))
    assert [fault["line"] for fault in caught.value.lines] == [2]


def test_lines_that_all_say_the_same_params_are_items(ground: Ground, tenant: NewKey) -> None:
    lines = "\n".join(line(name, params={"top_k": 1}) for name in "abc")
    assert len(walk(ground, upload(ground, tenant, lines.encode()))) == 3
    plain = "\n".join([line("a"), line("b", params={}), LINE])
    requested = Requested("digits", {}, from_lines=True)
    assert len(walk(ground, upload(ground, tenant, plain.encode()), requested)) == 3
