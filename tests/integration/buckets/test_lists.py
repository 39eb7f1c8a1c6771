"""Lists of paths in a bucket: their lines become items that are pinned like listed ones."""

import csv
import io
import json

import pytest

from jobs.base.bootstrap import Ground
from jobs.tables import Job, ModelVersion
from jobs.tenants.keys import NewKey
from tests.integration.buckets.conftest import allow_path
from tests.integration.buckets.servers import S3
from tests.integration.buckets.test_reading import listed

pytestmark = pytest.mark.usefixtures("allowed")


@pytest.fixture(autouse=True)
def objects(s3: S3) -> None:
    for name in ("a", "b", "c"):
        s3.put(f"path/{name}.png", name.encode())
    s3.put("secret.png", b"of somebody else")
    s3.put("key.png", b"of somebody else", "secrets")


def jsonl(*lines: object) -> bytes:
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def csv_of(*rows: list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def run(
    house: Ground, s3: S3, tenant: NewKey, model: ModelVersion, content: bytes, name: str
) -> tuple[Job, list[tuple[str, str, str]]]:
    s3.put(f"path/lists/{name}", content)
    source = {"prefix": None, "manifest": f"s3://photos/path/lists/{name}"}
    job, items = listed(house, tenant, model, **source)
    return job, [(item.custom_id, item.url, item.error_code) for item in items]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "list.jsonl",
            jsonl({"path": "path/a.png"}, "path/b.png", {"path": "s3://photos/path/c.png"}),
        ),
        (
            "list.csv",
            csv_of(
                ["size", "Path"], ["1", "path/a.png"], ["", "path/b.png"],
                ["x", "s3://photos/path/c.png"],
            ),
        ),
        ("bom.csv", b"\xef\xbb\xbf" + b"path\r\npath/a.png\r\npath/b.png\r\n"
         b"s3://photos/path/c.png\r\n"),
    ],
)  # fmt: skip
def test_keys_and_addresses_are_read(
    house: Ground, s3: S3, tenant: NewKey, digits_model: ModelVersion, name: str, content: bytes
) -> None:
    _, items = run(house, s3, tenant, digits_model, content, name)
    assert [(url, code) for _, url, code in items] == [
        ("s3://photos/path/a.png", ""),
        ("s3://photos/path/b.png", ""),
        ("s3://photos/path/c.png", ""),
    ]
    assert [custom_id for custom_id, _, _ in items][:2] == ["path/a.png", "path/b.png"]


def test_names_of_the_callers_own_are_kept_and_may_not_repeat(
    house: Ground, s3: S3, tenant: NewKey, digits_model: ModelVersion
) -> None:
    rows = [{"path": "path/a.png", "custom_id": "one"}, {"path": "path/a.png", "custom_id": "two"}]
    _, items = run(house, s3, tenant, digits_model, jsonl(*rows), "named.jsonl")
    assert [custom_id for custom_id, _, _ in items] == ["one", "two"]
    job, _ = run(house, s3, tenant, digits_model, jsonl(rows[0], rows[0]), "twice.jsonl")
    assert job.errors is not None
    assert job.errors[0]["code"] == "duplicate_custom_id"


def test_the_same_path_twice_is_two_items(
    house: Ground, s3: S3, tenant: NewKey, digits_model: ModelVersion
) -> None:
    content = csv_of(["path"], ["path/a.png"], ["path/a.png"])
    _, items = run(house, s3, tenant, digits_model, content, "same.csv")
    assert [custom_id for custom_id, _, _ in items] == ["path/a.png", "path/a.png (2)"]


def test_what_is_not_there_is_an_item_that_says_so(
    house: Ground, s3: S3, tenant: NewKey, digits_model: ModelVersion
) -> None:
    _, items = run(house, s3, tenant, digits_model, jsonl("path/none.png", "path/a.png"), "x.jsonl")
    assert [code for _, _, code in items] == ["input_gone", ""]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("secret.png", "bucket_not_allowed"),
        ("s3://secrets/key.png", "bucket_not_allowed"),
        ("path/../secret.png", "invalid_request"),
        ("path/%2e%2e/secret.png", "invalid_request"),
        ("pathX/a.png", "bucket_not_allowed"),
        ("file:///etc/passwd", "bucket_not_allowed"),
        ("https://169.254.169.254/", "invalid_request"),
        ({"file": "a"}, "invalid_request"),
        ({"path": "path/a.png", "custom_id": "\u202e"}, "invalid_request"),
        ([], "invalid_request"),
    ],
)
def test_a_line_that_may_not_be_read_is_told_with_its_number(
    house: Ground, s3: S3, tenant: NewKey, digits_model: ModelVersion, line: object, code: str
) -> None:
    job, _ = run(house, s3, tenant, digits_model, jsonl("path/a.png", line), "bad.jsonl")
    assert job.status == "failed"
    assert job.errors is not None
    assert [(each["code"], each["line"]) for each in job.errors] == [(code, 2)]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.csv", b"name\na\n", "not_a_manifest"),
        ("a.csv", b'path\n"a', "invalid_csv_line"),
        ("a.csv", b"path\n\xff\n", "invalid_csv_line"),
        ("a.jsonl", b"{", "invalid_json_line"),
        ("a.jsonl", b"\n", "empty_input"),
        ("a.jsonl", b'"' + b"a" * 100_000 + b'"', "line_too_long"),
        ("a.csv", b"path\n" + b"a" * 100_000, "line_too_long"),
    ],
)
def test_a_list_that_is_none_is_told(
    house: Ground,
    s3: S3,
    tenant: NewKey,
    digits_model: ModelVersion,
    name: str,
    content: bytes,
    code: str,
) -> None:
    job, _ = run(house, s3, tenant, digits_model, content, name)
    assert job.errors is not None
    assert job.errors[0]["code"] == code


def test_a_list_that_is_not_there_is_told(
    house: Ground, tenant: NewKey, digits_model: ModelVersion, s3: S3
) -> None:
    source = {"prefix": None, "manifest": "s3://photos/path/none.csv"}
    job, _ = listed(house, tenant, digits_model, **source)
    assert job.errors is not None
    assert job.errors[0]["code"] == "input_gone"


def test_an_address_in_another_bucket_that_is_allowed_is_read(
    house: Ground, s3: S3, tenant: NewKey, digits_model: ModelVersion
) -> None:
    allow_path(house, s3, "acme", "s3://secrets/")
    _, items = run(house, s3, tenant, digits_model, jsonl("s3://secrets/key.png"), "other.jsonl")
    assert items == [("s3://secrets/key.png", "s3://secrets/key.png", "")]
