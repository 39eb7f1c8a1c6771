"""`pixelmill events`: a line for each thing, and the exit status of the job at the end."""

import json

from tests.unit.pixelmill.client.test_client_events import EVENTS, event, told
from tests.unit.pixelmill.client.test_client_waiting import JOB


def test_a_job_is_printed_line_by_line(server, run, say):
    texts = event("progress", completed=4, rate=2.0), event("completed", 3, completed=10)
    server.on("GET", EVENTS, told(say, *texts))
    server.on("GET", JOB, say.job(status="completed", completed=10, outcome="succeeded"))
    done = run("events", "job_1")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "2026-11-30T00:00:00Z  job_1  job.progress  4/10 images, 0 failed  2.0 images/s",
        "2026-11-30T00:00:00Z  job_1  job.completed  10/10 images, 0 failed",
    ]


def test_scripts_read_a_document_a_line(server, run, say):
    server.on("GET", EVENTS, told(say, event("failed", 3)))
    server.on("GET", JOB, say.job(status="failed"))
    done = run("events", "job_1", "--json", "--after", "2")
    assert done.exit_code != 0
    assert server.seen[0].headers["last-event-id"] == "2"
    (line,) = done.stdout.splitlines()
    assert (json.loads(line)["id"], json.loads(line)["type"]) == ("3", "job.failed")


def test_names_of_others_move_no_cursor(server, run, say):
    text = event("failed", 3).replace("job.failed", "job.failed\\u001b[2J")
    server.on("GET", "/v1/events", told(say, text), say.answer(403))
    done = run("events")
    assert "\x1b" not in done.stdout
    assert "job.failed" in done.stdout
