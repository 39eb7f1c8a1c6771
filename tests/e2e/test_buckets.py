"""A folder of a bucket as a job's input, through a real stack and an S3 server."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from pixelmill import ApiError, Job
from tests.documents import examples
from tests.e2e.stacks import RunningStack, results_of, running_stack
from tests.integration.buckets.servers import KEY_ID, LOOPBACK, S3, SECRET, s3_server

WAIT_S = 120
COUNT = 40
CONNECTION_KEY = Fernet.generate_key().decode()


@pytest.fixture(scope="module")
def s3(digits_folder: Path) -> Iterator[S3]:
    with s3_server() as server:
        for number, path in enumerate(sorted(digits_folder.iterdir())[:COUNT]):
            server.put(f"digits/{number % 2}/{path.name}", path.read_bytes())
        server.put("digits/notes.txt", b"no picture")
        server.put("digitsX/other.png", b"of somebody else")
        yield server


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, s3: S3) -> Iterator[RunningStack]:
    """A stack that has credentials of its own for the server."""
    credentials = {"s3": {**s3.credentials, "endpoint": s3.endpoint}}
    with running_stack(
        tmp_path_factory.mktemp("house"),
        PIXELMILL_BUCKET_NETWORKS=LOOPBACK,
        PIXELMILL_BUCKET_CREDENTIALS=json.dumps(credentials),
        PIXELMILL_CONNECTION_KEY=CONNECTION_KEY,
    ) as running:
        operate(running, "allow", "s3://photos/digits/", "--tenant", "local", s3=s3)
        yield running


def operate(stack: RunningStack, *arguments: str, s3: S3) -> str:
    """Run `pixelmill buckets …` as an operator of the stack."""
    environ = {"PIXELMILL_DATA": str(stack.data), "PIXELMILL_BUCKET_NETWORKS": LOOPBACK}
    at = ["--endpoint", s3.endpoint] if arguments[0] == "allow" else []
    return command(stack, "buckets", *arguments, *at, **environ)


def command(stack: RunningStack, *arguments: str, **environ: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pixelmill", *arguments],
        env={**os.environ, "PIXELMILL_DATA": str(stack.data), **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_folder_of_a_bucket_by_the_command_line(
    house: RunningStack, s3: S3, tmp_path: Path
) -> None:
    out = tmp_path / "labels.csv"
    command(house, "submit", "s3://photos/digits/", "--model", "digits", "--output", str(out))
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == COUNT
    assert {row["status"] for row in rows} == {"succeeded"}
    assert all(row["custom_id"].startswith(("0/", "1/")) for row in rows)


def test_the_answers_are_those_of_the_same_files_uploaded(
    house: RunningStack, s3: S3, digits_folder: Path
) -> None:
    files = sorted(digits_folder.iterdir())[:COUNT]
    with house.client() as client:
        uploaded = client.wait(client.submit(files, model="digits"), WAIT_S)
        listed = client.submit(
            "s3://photos/digits/", model="digits", include=["**/*.png"], exclude=["1/*"]
        )
        listed = client.wait(listed, WAIT_S)
        expected = {row["custom_id"]: row for row in results_of(client, uploaded.id)}
        found = results_of(client, listed.id)
    assert len(found) == COUNT / 2
    assert listed.raw["skipped"]["by_reason"] == {"not_chosen": COUNT / 2 + 1}
    assert listed.raw["source"]["prefix"] == "s3://photos/digits/"
    for row in found:
        assert row["error"] is None
        same = expected[row["custom_id"].partition("/")[2]]
        assert row["input_sha256"] == same["input_sha256"]
        assert row["predictions"][0]["class"] == same["predictions"][0]["class"]


def test_what_no_operator_allowed_is_refused_and_no_secret_is_told(
    house: RunningStack, s3: S3
) -> None:
    with house.client() as client:
        for address in ("s3://photos/", "s3://photos/digitsX/", "s3://photos/digits/../digitsX/"):
            with pytest.raises(ApiError) as refused:
                client.submit(address, model="digits")
            assert refused.value.status == 422
    told = house.log() + "".join(
        path.read_text(errors="replace") for path in house.data.rglob("*.log")
    )
    assert SECRET not in told
    assert KEY_ID not in told


def test_what_the_document_says_works_as_it_stands(house: RunningStack, s3: S3) -> None:
    text = (Path(__file__).parents[2] / "docs" / "buckets.md").read_text()
    s3.put(
        "digits/list.csv", next(each for each in examples(text) if not each.language).text.encode()
    )
    programs = str(Path(sys.executable).parent)
    environ = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PIXELMILL_DATA": str(house.data),
        "PIXELMILL_BUCKET_NETWORKS": LOOPBACK,
        "PIXELMILL_CONNECTION_KEY": CONNECTION_KEY,
        "PIXELMILL_URL": house.info["url"],
        "PIXELMILL_API_KEY": house.info["api_key"],
    }
    # The fixture has allowed the folder already.
    operate(house, "withdraw", operate(house, "list", s3=s3).split()[0], s3=s3)
    ran = 0
    for example in examples(text):
        if not example.language:
            continue
        code = example.text.replace("http://minio.lan:9000", s3.endpoint)
        code = code.replace("curl ", "curl --silent --show-error --fail-with-body ")
        shell = ["bash", "-e", "-c"] if example.language == "bash" else [sys.executable, "-c"]
        done = subprocess.run([*shell, code], env=environ, capture_output=True, text=True)
        assert done.returncode == 0, f"{example.place}: {done.stdout}{done.stderr}"
        ran += 1
    assert ran == 10
    with house.client() as client:
        outcomes = [job.outcome for job in client.jobs()]
    assert outcomes[:6] == ["succeeded"] * 6
    named = next(job for job in client_jobs(house) if job.raw["source"]["manifest"])
    with house.client() as client:
        rows = results_of(client, named.id)
    assert [row["custom_id"] for row in rows] == ["first", "second"]


def client_jobs(house: RunningStack) -> list[Job]:
    with house.client() as client:
        return [job for job in client.jobs() if job.raw["source"]]


def test_a_retry_reads_what_was_pinned(house: RunningStack, s3: S3, digits_folder: Path) -> None:
    good = sorted(digits_folder.iterdir())[0].read_bytes()
    s3.put("digits/again/broken.png", b"no picture at all")
    s3.put("digits/again/good.png", good)
    with house.client() as client:
        job = client.wait(client.submit("s3://photos/digits/again/", model="digits"), WAIT_S)
        assert job.outcome == "partial"
        again = client.wait(client.rerun(job, model="digits"), WAIT_S)
        assert [row["status"] for row in results_of(client, again.id)] == ["errored", "succeeded"]
        s3.put("digits/again/broken.png", good)
        retried = client.wait(client.retry(job), WAIT_S)
        (row,) = results_of(client, retried.id)
    assert row["custom_id"] == "broken.png"
    assert row["error"]["code"] == "input_changed"
    assert retried.raw["source"]["prefix"] == "s3://photos/digits/again/"
