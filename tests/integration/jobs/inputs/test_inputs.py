"""From an uploaded file to items, on a real store: every form, and every fault of a line."""

import base64
import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from jobs.archives import extract
from jobs.base.bootstrap import Ground
from jobs.base.errors import InvalidInput
from jobs.inputs.files import get_file, store_file
from jobs.inputs.items import first_request, items_of_file
from jobs.inputs.manifests import Item
from jobs.inputs.packs import Pack
from jobs.tables import File, Requested
from jobs.tenants.keys import NewKey, create_key

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

REQUESTED = Requested("digits", {"top_k": 1})
MEMBERS = {"a/1.png": b"first", "a/2.png": b"second" * 500, "b/1.png": b"third"}


def upload(ground: Ground, tenant: NewKey, content: bytes, name: str = "upload") -> File:
    return store_file(ground, tenant.tenant_id, name, "batch", [content])


def walk(ground: Ground, file: File, requested: Requested = REQUESTED) -> list[Item]:
    with Pack(ground.storage, "job_1") as pack:
        return list(items_of_file(ground, file, pack, requested, lambda: None))


def content_of(ground: Ground, item: Item) -> bytes:
    (data,) = ground.storage.ranges(item.blob, [item.offset], [item.length])
    return extract(data, item.encoding, 10**9, item.size)


def zipped(method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in MEMBERS.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in MEMBERS.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "archive",
    [zipped(), zipped(zipfile.ZIP_STORED), tarred(), gzip.compress(tarred())],
    ids=["zip", "stored zip", "tar", "tar.gz"],
)
def test_an_archive_gives_an_item_for_each_member_whose_bytes_can_be_read_where_they_lie(
    ground: Ground, tenant: NewKey, archive: bytes
) -> None:
    items = walk(ground, upload(ground, tenant, archive))
    assert {item.custom_id: content_of(ground, item) for item in items} == MEMBERS


def test_a_single_image_is_one_item(ground: Ground, tenant: NewKey) -> None:
    (item,) = walk(ground, upload(ground, tenant, b"\x89PNG...", "photo.png"))
    assert (item.custom_id, content_of(ground, item)) == ("photo.png", b"\x89PNG...")


@pytest.mark.parametrize(
    "archive",
    [zipped()[:-10], zipped()[:40], tarred()[:700], gzip.compress(tarred())[:-9]],
    ids=["zip without an end", "head of a zip", "half a tar", "cut tar.gz"],
)
def test_a_corrupt_archive_is_refused_by_its_name(
    ground: Ground, tenant: NewKey, archive: bytes
) -> None:
    with pytest.raises(InvalidInput, match="photos") as caught:
        walk(ground, upload(ground, tenant, archive, "photos"))
    assert caught.value.reason == "corrupt_archive"


def test_a_gzip_that_holds_no_tar_is_refused(ground: Ground, tenant: NewKey) -> None:
    with pytest.raises(InvalidInput, match=r"\.tar\.gz") as caught:
        walk(ground, upload(ground, tenant, gzip.compress(b"an image" * 100)))
    assert caught.value.reason == "unsupported_archive"


def test_unpacking_a_tar_gz_tells_that_it_goes_on(ground: Ground, tenant: NewKey) -> None:
    beats: list[int] = []
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("large")
        info.size = 6 * 1024 * 1024
        archive.addfile(info, io.BytesIO(bytes(info.size)))
    file = upload(ground, tenant, gzip.compress(buffer.getvalue()))
    with Pack(ground.storage, "job_1") as pack:
        items = items_of_file(ground, file, pack, REQUESTED, lambda: beats.append(1))
        next(items)
        assert len(beats) >= 6, "before the first item, at least once a mebibyte"
        assert len(list(items)) == 0
        assert len(pack.names) == 2


def lines_of(*lines: Any) -> bytes:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    return "\n".join(texts).encode()


def line(custom_id: str, **given: str) -> dict[str, Any]:
    return {"custom_id": custom_id, "input": given}


def test_each_form_of_a_line_becomes_an_item(ground: Ground, tenant: NewKey) -> None:
    file = upload(ground, tenant, b"the image")
    data = base64.b64encode(b"inside").decode()
    url = line("url", url="https://example.com/1")
    items = walk(
        ground,
        upload(ground, tenant, lines_of(url, line("file", file_id=file.id), line("in", data=data))),
    )
    assert items[0] == Item("url", "url", url="https://example.com/1")
    # Packs come to exist when their block ends.
    assert [(item.custom_id, content_of(ground, item)) for item in items[1:]] == [
        ("file", b"the image"),
        ("in", b"inside"),
    ]


FORMS = {
    "plain": b'{"input": {"url": "http://x/1"}}\n{"input": {"url": "http://x/2"}}\n',
    "no end of line": b'{"input": {"url": "http://x/1"}}\n{"input": {"url": "http://x/2"}}',
    "CRLF": b'{"input": {"url": "http://x/1"}}\r\n{"input": {"url": "http://x/2"}}\r\n',
    "blank lines": b'\n  \n{"input": {"url": "http://x/1"}}\n\n\r\n{"input": {"url": "http://x/2"}}',
    "BOM on an empty line": b'\xef\xbb\xbf\n{"input": {"url": "http://x/1"}}\n'
    b'{"input": {"url": "http://x/2"}}',
    "BOM": b'\xef\xbb\xbf{"input": {"url": "http://x/1"}}\n{"input": {"url": "http://x/2"}}',
}


@pytest.mark.parametrize("content", FORMS.values(), ids=FORMS.keys())
def test_ends_of_lines_blank_lines_and_a_byte_order_mark_change_nothing(
    ground: Ground, tenant: NewKey, content: bytes
) -> None:
    items = walk(ground, upload(ground, tenant, content))
    assert [(item.custom_id, item.url) for item in items] == [
        ("0", "http://x/1"),
        ("1", "http://x/2"),
    ]


GOOD = '{"input": {"url": "http://x/1"}}'
BAD_LINES = [
    ('{"input": ', "invalid_json_line"),
    ('{"input": {"url": "http://x/\\', "invalid_json_line"),
    ("not json", "invalid_json_line"),
    ("[" * 100_000, "invalid_json_line"),
    ('{"a": ' + "9" * 5000 + "}", "invalid_json_line"),
    ("[]", "invalid_request"),
    ("null", "invalid_request"),
    ('{"input": {"url": "x"}}', "invalid_request"),
    ('{"inputs": {}}', "invalid_request"),
    ('{"input": {"data": "%"}}', "invalid_request"),
    ('{"custom_id": "\\ud800", "input": {"url": "http://x"}}', "invalid_request"),
    ('{"\\ud800\\u0000": 1}', "invalid_request"),
    ('{"input": {"file_id": "\\u0000"}}', "invalid_request"),
    ('{"input": {"file_id": "file_none"}}', "file_not_found"),
    (json.dumps({"body": {"model": "other", "input": {"url": "http://x"}}}), "invalid_request"),
    (
        json.dumps(
            {"body": {"model": "digits", "input": {"url": "http://x"}, "params": {"top_k": 2}}}
        ),
        "invalid_request",
    ),
]


@pytest.mark.parametrize(("bad", "code"), BAD_LINES)
def test_a_bad_line_is_told_by_its_number_among_good_ones_and_blank_ones(
    ground: Ground, tenant: NewKey, bad: str, code: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        walk(ground, upload(ground, tenant, lines_of(GOOD, "", bad, GOOD)))
    (fault,) = caught.value.lines
    assert (fault["line"], fault["code"]) == (3, code)
    assert fault["message"].startswith("Line 3: ")


def test_bytes_that_are_no_utf_8_cost_a_readable_fault(ground: Ground, tenant: NewKey) -> None:
    with pytest.raises(InvalidInput, match="Line 2: This is not valid JSON"):
        walk(ground, upload(ground, tenant, GOOD.encode() + b'\n{"input": {"url": "\xff"}}'))


def test_all_bad_lines_are_told_at_once_up_to_a_limit(ground: Ground, tenant: NewKey) -> None:
    with pytest.raises(InvalidInput) as caught:
        walk(ground, upload(ground, tenant, lines_of(GOOD, "{", GOOD, "{", "{}")))
    assert [fault["line"] for fault in caught.value.lines] == [2, 4, 5]
    limit = ground.settings.max_line_errors
    with pytest.raises(InvalidInput) as caught:
        walk(ground, upload(ground, tenant, lines_of(GOOD, *["{"] * (limit + 50))))
    assert len(caught.value.lines) == limit


def test_a_line_that_never_ends_is_refused_and_not_read_whole(
    ground: Ground, tenant: NewKey
) -> None:
    longest = ground.settings.max_item_bytes * 3 // 2 + 64 * 1024

    def chunks() -> Iterator[bytes]:
        yield b'{"input": {"data": "'
        for _ in range(longest // 2**20 + 2):
            yield b"A" * 2**20

    file = store_file(ground, tenant.tenant_id, "long", "batch", chunks())
    with pytest.raises(InvalidInput, match="Line 1 is longer") as caught:
        walk(ground, file)
    assert caught.value.reason == "line_too_long"


def test_the_file_of_another_tenant_is_not_found(ground: Ground, tenant: NewKey) -> None:
    other = create_key(ground.database, "rival")
    theirs = upload(ground, other, b"secret image")
    with pytest.raises(InvalidInput, match=f"There is no file '{theirs.id}'"):
        walk(ground, upload(ground, tenant, lines_of(line("a", file_id=theirs.id))))


def openai(model: str = "digits", **more: Any) -> dict[str, Any]:
    body = {"model": model, "input": {"url": "https://x.org/1"}, **more}
    return {"custom_id": "a", "method": "POST", "url": "/v1/predictions", "body": body}


def test_a_line_of_the_openai_form_need_not_repeat_the_params(
    ground: Ground, tenant: NewKey
) -> None:
    file = upload(ground, tenant, lines_of({**openai(params={"top_k": 1})}))
    assert walk(ground, file)[0].custom_id == "a"
    asked = first_request(ground, file)
    assert asked is not None
    assert (asked.model, asked.params) == ("digits", {"top_k": 1})
    assert walk(ground, upload(ground, tenant, lines_of(openai())))[0].url == "https://x.org/1"


def test_the_first_request_of_what_is_no_manifest_is_none(ground: Ground, tenant: NewKey) -> None:
    for content in (b"\x89PNG", zipped(), b"\n" * 70_000):
        assert first_request(ground, upload(ground, tenant, content)) is None


def test_the_first_request_may_stand_behind_blank_lines(ground: Ground, tenant: NewKey) -> None:
    content = b"\xef\xbb\xbf\n \r\n" + lines_of(openai())
    asked = first_request(ground, upload(ground, tenant, content))
    assert asked is not None
    assert asked.model == "digits"


@pytest.mark.parametrize("bad", [b"{", b'{"input": 5}', b'{"body": []}', b'\n{"inputs": {}}'])
def test_a_fault_of_the_first_request_is_told_with_its_line(
    ground: Ground, tenant: NewKey, bad: bytes
) -> None:
    with pytest.raises(InvalidInput, match=r"Line \d: ") as caught:
        first_request(ground, upload(ground, tenant, bad))
    (fault,) = caught.value.lines
    assert fault["line"] == 1 + bad.count(b"\n")


def test_a_stored_file_has_a_name_that_every_database_takes(ground: Ground, tenant: NewKey) -> None:
    file = upload(ground, tenant, b"x", "a\0b.png")
    with ground.database.read() as session:
        assert get_file(session, tenant.tenant_id, file.id).filename == "ab.png"
