"""An output in a bucket, by the client and on the command line."""

import json

import pytest

from pixelmill.wire.errors import InvalidInput, WaitTimeout

JOB = "/v1/jobs/job_1"
RESULTS = "s3://photos/results/"
MANIFEST = f"{RESULTS}job_1/_manifest.json"


def with_output(say, status, **members):
    answer = say.job(status="completed", completed=10)
    output = {"url": RESULTS, "format": "parquet", "status": status, "error": None}
    return say.answer(200, answer.body | {"output": output | members})


@pytest.fixture
def accepting(server, say):
    server.on("POST", "/v1/files", say.answer(201, {"id": "file_1"}))
    server.on("POST", "/v1/jobs", say.job())
    return server


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"png")
    return str(path)


def test_an_address_goes_to_the_server_and_no_file_is_written(accepting, run, image, tmp_path):
    done = run("submit", image, "-m", "digits", "-o", RESULTS, "--output-format", "ndjson")
    assert (done.exit_code, done.stdout) == (0, "job_1\n")
    assert accepting.seen[-1].json["output"] == {"url": RESULTS, "format": "ndjson"}
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("s3")] == []


def test_with_wait_the_manifest_is_printed_once_it_is_there(accepting, run, image, say):
    written = with_output(say, "written", manifest=MANIFEST)
    accepting.on("GET", JOB, with_output(say, "waiting"), with_output(say, "writing"), written)
    done = run("submit", image, "-m", "digits", "-o", RESULTS, "--wait")
    assert (done.exit_code, done.stdout) == (0, f"job_1\n{MANIFEST}\n"), done.stderr


def test_results_that_could_not_be_written_are_told(accepting, run, image, say):
    error = {"code": "bucket_gone", "message": "There is no such bucket."}
    accepting.on("GET", JOB, with_output(say, "failed", error=error))
    done = run("submit", image, "-m", "digits", "-o", RESULTS, "--wait", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["output"]["status"] == "failed"
    assert "There is no such bucket." in done.stderr
    assert "failed  s3://photos/results/: There is no such bucket." in run("status", "job_1").stdout


def test_what_goes_with_a_bucket_alone_is_refused_without_one(accepting, run, image):
    done = run("submit", image, "-m", "digits", "--output-connection", "lake")
    assert done.exit_code == 2
    assert "--output s3://" in done.stderr
    assert accepting.seen == []


@pytest.mark.parametrize("place", ["", "none/a.csv"])
def test_a_file_that_cannot_be_written_is_told_before_anything_is_sent(
    accepting, run, image, tmp_path, place
):
    done = run("submit", image, "-m", "digits", "-o", f"{tmp_path}/{place}")
    assert done.exit_code == 2
    assert "file://" in done.stderr if place == "" else "make it" in done.stderr
    assert accepting.seen == []


def test_who_waits_for_an_output_gives_up_in_time(server, say, client):
    server.on("GET", JOB, with_output(say, "waiting"))
    with pytest.raises(WaitTimeout):
        client.wait_for_output("job_1", 0)
    server.on("GET", JOB, say.job(status="completed", completed=10))
    with pytest.raises(InvalidInput, match="without one"):
        client.wait_for_output("job_1")
