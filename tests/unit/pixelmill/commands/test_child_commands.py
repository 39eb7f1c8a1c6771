"""Rerun, compare, retry and overlays: what is sent, printed and saved."""

import pytest
from typer.testing import CliRunner

from pixelmill.cli.child_commands import comparison_lines
from pixelmill.cli.commands import app
from pixelmill.client.records import Comparison
from tests.unit.pixelmill.conftest import Answer

JOB = "/v1/jobs/job_1"
CHILD = "/v1/jobs/job_2"


def side(model, device_s):
    return {
        "model": model,
        "device_s_per_item": device_s,
        "items_per_s": 100.0,
        "ran_s": 0.5,
        "waited_s": 0.1,
    }


READY = {
    "object": "comparison",
    "job_id": "job_2",
    "parent_id": "job_1",
    "status": "ready",
    "failure": None,
    "report": {
        "measure": "same_first_class",
        "same_from": 1.0,
        "agreement": 0.75,
        "similarity": 0.75,
        "items": {
            "total": 5,
            "compared": 4,
            "same": 3,
            "changed": 2,
            "errored_both": 0,
            "errored_before": 1,
            "errored_after": 0,
            "left_out": 0,
        },
        "confusion": [
            {"before": "7", "after": "7", "count": 3},
            {"before": "7", "after": None, "count": 1},
        ],
        "confusion_left_out": 0,
        "before": side("digits@1", 0.001),
        "after": side("digits@2", None),
    },
}
WAITING = {**READY, "status": "waiting", "report": None}


def test_a_comparison_of_nothing_says_so_instead_of_a_figure():
    report = READY["report"] | {"agreement": None, "similarity": None}
    text = comparison_lines(Comparison.from_raw(READY | {"report": report}))
    assert "nothing to compare" in text
    assert "agreement" not in text


@pytest.fixture
def run(server, tmp_path):
    env = {"PIXELMILL_URL": server.url, "PIXELMILL_API_KEY": "pm_live_test_secret"}
    return lambda *args: CliRunner().invoke(app, list(map(str, args)), env=env)


def child(**members):
    counts = {"total": 5, "completed": 5}
    return {"id": "job_2", "status": "completed", "request_counts": counts, **members}


def test_a_rerun_is_waited_for_and_its_comparison_printed(server, run):
    server.on("POST", f"{JOB}/rerun", Answer(202, child(status="validating")))
    server.on("GET", CHILD, Answer(body=child()))
    server.on("GET", f"{CHILD}/comparison", Answer(body=WAITING), Answer(body=READY))
    done = run("rerun", "job_1", "digits@2", "--param", "top_k=3", "--wait")
    assert done.exit_code == 0, done.output
    (sent,) = server.to("POST", f"{JOB}/rerun")
    assert sent.json == {"model": "digits@2", "params": {"top_k": 3}}
    assert sent.headers["idempotency-key"]
    lines = done.stdout.splitlines()
    assert lines[0] == "job_2"
    assert lines[1] == "4 of 5 items compared: 3 the same, 2 changed"
    assert ["errored", "1", "0"] in [line.split() for line in lines]
    assert ["7", "-", "1"] in [line.split() for line in lines]
    assert ["7", "7", "3"] not in [line.split() for line in lines]


def test_a_comparison_that_is_not_there_yet_is_no_failure_of_the_job(server, run):
    server.on("GET", f"{CHILD}/comparison", Answer(body=WAITING))
    done = run("compare", "job_2")
    assert done.exit_code == 4
    assert "not compared yet" in done.stderr


def test_a_retry_prints_the_new_jobs_id(server, run):
    server.on("POST", f"{JOB}/retry", Answer(202, child(status="validating")))
    done = run("retry", "job_1")
    assert (done.exit_code, done.stdout) == (0, "job_2\n")
    assert server.to("POST", f"{JOB}/retry")[0].body == b""


def test_an_overlay_is_saved_where_it_is_to_be(server, run, tmp_path):
    server.on("GET", f"{JOB}/results/3/overlay", Answer(body=b"\xff\xd8picture"))
    assert run("overlay", "job_1", 3, "-o", tmp_path / "three.jpg").exit_code == 0
    assert (tmp_path / "three.jpg").read_bytes() == b"\xff\xd8picture"


def test_overlays_are_called_after_their_items(server, run, tmp_path):
    names = ["a.png", "cats/b.png", "cats_b.png", "../../etc/passwd", "A.PNG", "..", "", "é" * 300]
    rows = [
        {"index": index, "status": "succeeded", "custom_id": name}
        for index, name in enumerate(names)
    ]
    server.on("GET", f"{JOB}/results", Answer(body={"data": rows, "has_more": False}))
    for index in range(len(names)):
        server.on("GET", f"{JOB}/results/{index}/overlay", Answer(body=f"{index}".encode()))
    done = run("overlays", "job_1", "-d", tmp_path / "new")
    assert done.exit_code == 0, done.output
    assert {path.read_text(): path.name for path in (tmp_path / "new").iterdir()} == {
        "0": "a.png.jpg",
        "1": "cats_b.png.jpg",
        "2": "cats_b.png-2.jpg",
        "3": "_.._etc_passwd.jpg",
        "4": "A.PNG-4.jpg",
        "5": "5.jpg",
        "6": "6.jpg",
        "7": "é" * 100 + ".jpg",
    }


def test_overlays_without_names_are_saved_all_the_same_and_a_missing_one_stops_no_other(
    server, run, tmp_path
):
    rows = [{"index": index, "status": "succeeded"} for index in range(3)]
    server.on("GET", f"{JOB}/results", Answer(body={"data": rows, "has_more": False}))
    for index in (0, 2):
        server.on("GET", f"{JOB}/results/{index}/overlay", Answer(body=f"{index}".encode()))
    problem = {"error": {"message": "Item 1 of job job_1 is not drawn.", "code": "not_found"}}
    server.on("GET", f"{JOB}/results/1/overlay", Answer(404, problem))
    done = run("overlays", "job_1", "-d", tmp_path / "new")
    assert done.exit_code == 0, done.output
    assert {path.name: path.read_text() for path in (tmp_path / "new").iterdir()} == {
        "0.jpg": "0", "2.jpg": "2",
    }  # fmt: skip
    assert "is not drawn" in done.stderr
    assert "2 pictures" in done.stdout


SHADOW = {
    "model": "my/digits",
    "alias": "production",
    "version": 2,
    "percent": 25,
    "jobs": 3,
    "items": {"compared": 90, "same": 81},
    "agreement": 0.9,
    "latency_ratio": 1.5,
    "error_rate_before": 0.0,
    "error_rate_after": 0.1,
    "device_s_per_item_before": 0.002,
    "device_s_per_item_after": 0.003,
}
SHADOW_PATH = "/v1/models/my/digits/aliases/production/shadow"


def test_a_version_is_tried_in_the_shadow_and_its_figures_are_shown(server, run):
    server.on("PUT", SHADOW_PATH, Answer(body=SHADOW))
    server.on("GET", SHADOW_PATH, Answer(body=SHADOW))
    server.on("DELETE", SHADOW_PATH, Answer(body={"deleted": True}))
    put = run("shadow", "my/digits", "production", 2, "--percent", 25)
    assert put.exit_code == 0, put.output
    assert server.to("PUT", SHADOW_PATH)[0].json == {"version": 2, "percent": 25}
    shown = run("shadow", "my/digits", "production")
    assert shown.stdout == put.stdout
    assert "90 items compared, 81 the same" in shown.stdout
    assert ["device", "ms/item", "2", "3"] in [line.split() for line in shown.stdout.splitlines()]
    assert run("shadow", "my/digits", "production", "--end").exit_code == 0
    assert run("shadow", "my/digits", "production", 2, "--end").exit_code == 2
