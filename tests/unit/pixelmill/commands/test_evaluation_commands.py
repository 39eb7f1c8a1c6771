"""`pixelmill evaluate`: what is sent, in which order, and what is printed."""

import io
import json
import tarfile

import pytest
from typer.testing import CliRunner

from pixelmill.cli.commands import app
from pixelmill.cli.models.evaluation_commands import evaluation_lines
from pixelmill.client.evaluations import Evaluation
from tests.unit.pixelmill.conftest import Answer, job_raw

CATS = {"id": "my/cats@3", "name": "my/cats", "version": 3, "task": "classification",
        "labels": ["cat", "dog"]}  # fmt: skip
READY = {
    "object": "evaluation",
    "job_id": "job_1",
    "model": "my/cats@3",
    "status": "ready",
    "failure": None,
    "items": 5,
    "evaluated": 4,
    "failed": 1,
    "measure": "the share",
    "figures": {"accuracy": 0.75},
    "per_class": [
        {"class": "cat", "support": 2, "precision": 1.0, "recall": 0.5},
        {"class": "dog", "support": 2, "precision": None, "recall": 1.0},
    ],
    "confusion": {
        "labels": ["cat", "dog"],
        "counts": [[1, 1], [0, 2]],
        "mistakes": [{"true": "cat", "found": "dog", "count": 1}],
        "mistakes_left_out": 0,
    },
    "unanswered": [{"index": 4, "custom_id": "cat/4.jpg", "code": "image_decode_failed",
                    "message": "It is broken."}],
    "completed_at": 1,
}  # fmt: skip
WAITING = {**READY, "status": "waiting", "figures": None, "per_class": None, "unanswered": None}


@pytest.fixture
def run(server):
    env = {"PIXELMILL_URL": server.url, "PIXELMILL_API_KEY": "pm_live_test_secret"}
    return lambda *args: CliRunner().invoke(app, list(map(str, args)), env=env)


@pytest.fixture
def folder(tmp_path):
    for name in ("cat/1.jpg", "dog/2.jpg"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"picture")
    return tmp_path


@pytest.fixture
def served(server):
    server.on("GET", "/v1/models/my/cats", Answer(body=CATS))
    server.on("POST", "/v1/files", Answer(201, {"id": "file_1"}), Answer(201, {"id": "file_2"}))
    server.on("POST", "/v1/evaluations", Answer(202, job_raw("validating")))
    server.on("GET", "/v1/jobs/job_1", Answer(body=job_raw("completed", completed=9, failed=1)))
    server.on("GET", "/v1/jobs/job_1/evaluation", Answer(body=WAITING), Answer(body=READY))
    return server


def test_pictures_go_up_and_the_version_that_was_looked_at_is_named(served, run, folder):
    done = run("evaluate", "my/cats", folder, "--param", "top_k=2")
    assert (done.exit_code, done.stdout) == (0, "job_1\n"), done.output
    (sent,) = served.to("POST", "/v1/evaluations")
    assert sent.json == {
        "model": "my/cats@3", "params": {"top_k": 2}, "input_file_id": "file_1",
    }  # fmt: skip
    assert sent.headers["idempotency-key"]
    (upload,) = served.to("POST", "/v1/files")
    with tarfile.open(fileobj=io.BytesIO(upload.body)) as tar:
        assert tar.getnames() == ["cat/1.jpg", "dog/2.jpg"]


def test_a_class_that_is_none_is_refused_before_anything_is_sent(served, run, folder):
    (folder / "dog").rename(folder / "dgo")
    done = run("evaluate", "my/cats", folder)
    assert done.exit_code == 2
    assert "'dgo' is no class of my/cats@3; did you mean 'dog'" in done.stderr
    assert [seen.method for seen in served.seen] == ["GET"]


def test_boxes_go_up_as_lines_before_their_pictures(served, run, tmp_path):
    served.on("GET", "/v1/models/my/cats", Answer(body=CATS | {"task": "detection"}))
    (tmp_path / "a.jpg").write_bytes(b"picture")
    content = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [{"image_id": 1, "category_id": 1, "bbox": [0, 0, 2, 2]}],
    }
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    done = run("evaluate", "my/cats", tmp_path)
    assert done.exit_code == 0, done.output
    truth, pictures = served.to("POST", "/v1/files")
    assert truth.query["filename"] == "truth.jsonl"
    box = {"x": 0.0, "y": 0.0, "width": 2.0, "height": 2.0}
    assert json.loads(truth.body) == {
        "custom_id": "a.jpg", "boxes": [{"class": "cat", "box": box}],
    }  # fmt: skip
    with tarfile.open(fileobj=io.BytesIO(pictures.body)) as tar:
        assert tar.getnames() == ["a.jpg"]
    (sent,) = served.to("POST", "/v1/evaluations")
    assert (sent.json["truth_file_id"], sent.json["input_file_id"]) == ("file_1", "file_2")


def test_figures_are_waited_for_printed_and_written(served, run, folder, tmp_path):
    out = tmp_path / "figures.json"
    done = run("evaluate", "my/cats", folder, "-o", out)
    assert done.exit_code == 1, "an item failed"
    lines = done.stdout.splitlines()
    assert lines[0] == "job_1"
    assert lines[1] == "my/cats@3 on 4 of 5 items, 1 failed and are in no figure"
    words = [line.split() for line in lines]
    assert ["accuracy", "0.7500"] in words
    assert ["dog", "2", "-", "1.0000"] in words
    assert ["cat", "1", "1"] in words
    assert "failed: cat/4.jpg: It is broken. (image_decode_failed)" in done.stderr
    assert json.loads(out.read_text()) == READY


def test_an_evaluation_is_shown_again_and_one_that_waits_is_no_failure(served, run):
    waiting = run("evaluation", "job_1")
    assert waiting.exit_code == 4
    assert "not counted yet" in waiting.stderr
    done = run("evaluation", "job_1", "--json")
    assert (done.exit_code, json.loads(done.stdout)) == (0, READY)


def test_one_that_came_to_nothing_says_why(server, run):
    failed = WAITING | {"status": "failed", "failure": "The job was cancelled."}
    server.on("GET", "/v1/jobs/job_1/evaluation", Answer(body=failed))
    done = run("evaluation", "job_1")
    assert done.exit_code == 1
    assert "The job was cancelled." in done.stderr


def test_of_many_classes_the_mistakes_are_printed_instead_of_a_table():
    confusion = {"labels": None, "counts": None, "mistakes_left_out": 0,
                 "mistakes": [{"true": "cat", "found": None, "count": 3}]}  # fmt: skip
    text = evaluation_lines(Evaluation.from_raw(READY | {"confusion": confusion}))
    assert ["cat", "-", "3"] in [line.split() for line in text.splitlines()]
    assert "TRUE \\ FOUND" not in text
