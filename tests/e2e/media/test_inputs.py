"""Every way to hand images in, over HTTP, against real workers."""

import base64
import http.server
import json
import struct
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.e2e.stacks import RunningStack, results_of


@pytest.fixture(scope="module")
def files(digits_folder: Path) -> list[Path]:
    return sorted(digits_folder.iterdir())[:20]


@pytest.fixture(scope="module")
def image_server(digits_folder: Path) -> Iterator[str]:
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(digits_folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def expected(stack: RunningStack, files: list[Path]) -> list[str]:
    with stack.client() as client:
        job = client.wait(client.submit(files, model="digits"), timeout=60)
        rows = results_of(client, job.id)
    assert [row["custom_id"] for row in rows] == [path.name for path in files]
    return classes(rows)


def classes(rows: list[dict]) -> list[str]:
    return [row["predictions"][0]["class"] for row in rows]


def huge_png() -> bytes:
    """A well-formed PNG that states 65,535 x 65,535 pixels in some hundred bytes."""
    header = struct.pack(">IIBBBBB", 65535, 65535, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def packed(files: list[Path], path: Path) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                archive.write(file, f"inside/{file.name}")
    else:
        with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
            for file in files:
                archive.add(file, f"inside/{file.name}")
    return path


@pytest.mark.parametrize("name", ["digits.zip", "digits.tar", "digits.tar.gz"])
def test_archives(
    stack: RunningStack, files: list[Path], expected: list[str], tmp_path: Path, name: str
) -> None:
    with stack.client() as client:
        job = client.submit(packed(files, tmp_path / name), model="digits")
        assert client.wait(job, timeout=60).outcome == "succeeded"
        rows = results_of(client, job.id)
    assert classes(rows) == expected
    assert rows[0]["custom_id"] == f"inside/{files[0].name}"


def test_urls(
    stack: RunningStack, files: list[Path], expected: list[str], image_server: str
) -> None:
    urls = [f"{image_server}/{path.name}" for path in files]
    with stack.client() as client:
        job = client.wait(client.submit([*urls, f"{image_server}/no.png"], model="digits"), 60)
        rows = results_of(client, job.id)
    assert job.outcome == "partial"
    assert classes(rows[:-1]) == expected
    assert rows[-1]["error"]["code"] == "url_fetch_failed"


def test_a_jsonl_manifest_in_both_forms(
    stack: RunningStack, files: list[Path], expected: list[str], image_server: str, tmp_path: Path
) -> None:
    with stack.client() as client:
        stored = client.upload(files[0])
        inputs = [
            {"file_id": stored.id},
            {"data": base64.b64encode(files[1].read_bytes()).decode()},
            {"url": f"{image_server}/{files[2].name}"},
        ]
        ours = tmp_path / "ours.jsonl"
        ours.write_text("".join(json.dumps({"input": each}) + "\n" for each in inputs))
        job = client.wait(client.submit(ours, model="digits"), timeout=60)
        assert classes(results_of(client, job.id)) == expected[:3]

        openai = tmp_path / "openai.jsonl"
        lines = [
            {
                "custom_id": f"request-{number}",
                "method": "POST",
                "url": "/v1/predictions",
                "body": {"model": "digits", "input": each},
            }
            for number, each in enumerate(inputs)
        ]
        openai.write_text("".join(json.dumps(line) + "\n" for line in lines))
        body = {
            "input_file_id": client.upload(openai).id,
            "endpoint": "/v1/predictions",
            "completion_window": "24h",
        }
        batch = httpx.post(
            f"{stack.info['url']}/v1/batches",
            json=body,
            headers={"authorization": f"Bearer {stack.info['api_key']}"},
        )
        assert batch.status_code == 202, batch.text
        assert batch.json()["object"] == "batch"
        done = client.wait(batch.json()["id"], timeout=60)
        rows = results_of(client, done.id)
    assert [row["custom_id"] for row in rows] == ["request-0", "request-1", "request-2"]
    assert classes(rows) == expected[:3]


def test_a_multipart_body(stack: RunningStack, files: list[Path], expected: list[str]) -> None:
    parts = [("files", (path.name, path.read_bytes(), "image/png")) for path in files]
    job_part = ("job", (None, json.dumps({"model": "digits"}), "application/json"))
    answer = httpx.post(
        f"{stack.info['url']}/v1/jobs",
        files=[*parts, job_part],
        headers={"authorization": f"Bearer {stack.info['api_key']}"},
    )
    assert answer.status_code == 202, answer.text
    with stack.client() as client:
        client.wait(answer.json()["id"], timeout=60)
        assert classes(results_of(client, answer.json()["id"])) == expected


def test_one_prediction_that_waits(
    stack: RunningStack, files: list[Path], expected: list[str]
) -> None:
    with stack.client() as client:
        result = client.predict(files[0], model="digits", params={"top_k": 3})
    assert result.status == "succeeded"
    assert result.predictions[0]["class"] == expected[0]
    assert len(result.predictions) == 3
    assert result.raw["model"].startswith("digits@1#sha256:")


def test_each_bad_image_costs_itself_and_says_why(
    stack: RunningStack, files: list[Path], tmp_path: Path
) -> None:
    good = files[0].read_bytes()
    bad = {
        "0-truncated.png": (good[:-30], "image_decode_failed"),
        "1-empty.png": (b"", "image_decode_failed"),
        "2-text.png": (b"this is no image at all", "unsupported_media"),
        "3-huge.png": (huge_png(), "image_too_large"),
        "4-good.png": (good, None),
    }
    path = tmp_path / "bad.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, (data, _) in bad.items():
            archive.writestr(name, data)
    with stack.client() as client:
        job = client.wait(client.submit(path, model="digits"), timeout=60)
        rows = results_of(client, job.id)
    assert job.outcome == "partial"
    codes = {row["custom_id"]: (row["error"] or {}).get("code") for row in rows}
    assert codes == {name: code for name, (_, code) in bad.items()}
    assert all(row["error"]["message"].endswith(".") for row in rows if row["error"])


def test_a_corrupt_archive_fails_its_job_with_the_reason(
    stack: RunningStack, files: list[Path], tmp_path: Path
) -> None:
    whole = packed(files, tmp_path / "digits.zip").read_bytes()
    broken = tmp_path / "broken.zip"
    broken.write_bytes(whole[: len(whole) // 2])
    with stack.client() as client:
        job = client.wait(client.submit(broken, model="digits"), timeout=60)
    assert job.status == "failed"
    assert "broken.zip" in (job.status_reason or "")
    assert job.raw["errors"]["data"][0]["code"] == "corrupt_archive"


def test_bad_lines_of_a_manifest_are_all_named(stack: RunningStack, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"input": {"url": "https://a.example/1.png"}}\nnot json\n{"input": {}}\n')
    with stack.client() as client:
        job = client.wait(client.submit(path, model="digits"), timeout=60)
    assert job.status == "failed"
    assert [fault["line"] for fault in job.raw["errors"]["data"]] == [2, 3]


def test_an_address_inside_is_not_called(
    tmp_path: Path, files: list[Path], image_server: str
) -> None:
    from tests.e2e.stacks import running_stack

    with running_stack(tmp_path / "strict") as strict, strict.client() as client:
        job = client.wait(client.submit([f"{image_server}/{files[0].name}"], model="digits"), 60)
        (row,) = results_of(client, job.id)
    assert row["error"]["code"] == "url_not_allowed"
    assert "127.0.0.1" in row["error"]["message"]
