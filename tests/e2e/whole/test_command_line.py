"""The command line against a real stack, as a person or a script uses it."""

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import httpx
import pytest

from tests.e2e.stacks import RunningStack


@pytest.fixture
def environ(stack: RunningStack) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if "PIXELMILL" not in name}
    return {**plain, "PIXELMILL_DATA": str(stack.data)}


def run(environ: dict[str, str], *arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pixelmill", *map(str, arguments)]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120)


def test_a_folder_is_submitted_waited_for_and_read(
    environ: dict[str, str], digits_folder: Path
) -> None:
    submitted = run(environ, "submit", digits_folder, "--model", "digits", "--wait", "--json")
    assert submitted.returncode == 0, submitted.stderr
    job = json.loads(submitted.stdout)
    assert job["request_counts"]["completed"] == 360

    lines = run(environ, "results", job["id"], "--format", "jsonl").stdout.splitlines()
    rows = [json.loads(line) for line in lines]
    assert sorted(row["index"] for row in rows) == list(range(360))

    status = run(environ, "status", job["id"], "--json")
    assert json.loads(status.stdout)["status"] == "completed"
    assert job["id"] in run(environ, "jobs").stdout


def test_a_csv_of_the_command_is_the_servers_own(
    environ: dict[str, str], stack: RunningStack, digits_folder: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "some.tar"
    names = sorted(path.name for path in digits_folder.iterdir())[:20]
    with tarfile.open(archive, "w") as tar:
        for name in names:
            tar.add(digits_folder / name, name)
        for name, content in (
            (f"{names[0][:-4]}.json", b'{"b": 1e-7, "a": "\xc3\xa9"}'),
            ("x.png", b"no"),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    options = ("--model", "digits", "--param", "top_k=10", "--wait")
    job = run(environ, "submit", archive, *options).stdout.strip()
    out = tmp_path / "out.csv"
    assert run(environ, "results", job, "-o", out).returncode == 0
    headers = {"Authorization": f"Bearer {stack.info['api_key']}"}
    url = f"{stack.info['url']}/v1/jobs/{job}/results?format=csv"
    answer = httpx.get(url, headers=headers, trust_env=False)
    assert answer.content.count(b"\n") == 22
    assert out.read_bytes() == answer.content


def test_models_are_listed(environ: dict[str, str]) -> None:
    assert "digits" in run(environ, "models").stdout


def test_an_unknown_model_is_told_with_the_way_to_list_them(
    environ: dict[str, str], digits_folder: Path
) -> None:
    done = run(environ, "submit", digits_folder, "--model", "nothing")
    assert done.returncode == 3
    assert "pixelmill models" in done.stderr


def test_a_job_with_bad_items_ends_with_exit_code_1(
    environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    done = run(environ, "submit", tmp_path / "bad.png", "--model", "digits", "--wait")
    assert done.returncode == 1


def test_a_refused_manifest_is_told_line_by_line(environ: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"input": {"url": "https://a.example/1.png"}}\nnot json\n{"input": {}}\n')
    done = run(environ, "submit", path, "--model", "digits", "--wait")
    assert done.returncode == 1
    assert "error: Line 2: This is not valid JSON" in done.stderr
    assert "error: Line 3: `input` must be" in done.stderr
    array = tmp_path / "array.jsonl"
    array.write_text('[{"input": {"url": "https://a.example/1.png"}}]')
    done = run(environ, "submit", array, "--model", "digits", "--wait")
    assert done.returncode == 1
    assert "error: 'array.jsonl' looks like a JSON array" in done.stderr


def test_nobody_to_talk_to_is_exit_code_2(environ: dict[str, str], tmp_path: Path) -> None:
    done = run({**environ, "PIXELMILL_DATA": str(tmp_path)}, "models")
    assert done.returncode == 2
    assert "pixelmill up" in done.stderr


def test_a_finished_job_cannot_be_cancelled(environ: dict[str, str], digits_folder: Path) -> None:
    done = run(environ, "submit", digits_folder, "--model", "digits", "--wait", "--json")
    refused = run(environ, "cancel", json.loads(done.stdout)["id"])
    assert refused.returncode == 3
    assert "completed" in refused.stderr
