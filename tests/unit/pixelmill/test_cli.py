"""The command line: what goes to stdout, what to stderr, and the exit status."""

import csv
import io
import json

import pytest

from tests.unit.pixelmill.cli_answers import RESULTS


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"png")
    return str(path)


@pytest.fixture
def accepting(server, say):
    server.on("POST", "/v1/files", say.answer(201, {"id": "file_1"}))
    server.on("POST", "/v1/jobs", say.job())
    return server


def test_submit_without_an_answer_says_how_to_find_the_job(server, say, run, image):
    server.on("POST", "/v1/files", say.answer(201, {"id": "file_1"}))
    server.on("POST", "/v1/jobs", say.answer(500))
    server.on("GET", "/v1/jobs", say.page([say.job().body], "job_1"))
    done = run("submit", image, "-m", "digits")
    key = server.seen[-1].headers["idempotency-key"]
    assert done.exit_code == 2
    assert f"pixelmill jobs --idempotency-key {key}" in done.stderr
    assert "job_1" in run("jobs", "--idempotency-key", key).stdout
    assert server.seen[-1].query["idempotency_key"] == key


def test_submit_prints_the_jobs_id_and_nothing_else(accepting, run, image):
    options = "-m digits --param top_k=3 --param mode=fast --metadata run=7 --priority high"
    done = run("submit", image, *options.split(), "--webhook-url", "http://h/")
    assert (done.exit_code, done.stdout) == (0, "job_1\n")
    assert accepting.seen[-1].json == {
        "model": "digits",
        "input_file_id": "file_1",
        "params": {"top_k": 3, "mode": "fast"},
        "metadata": {"run": "7"},
        "priority": "high",
        "webhook": {"url": "http://h/"},
    }


def test_submit_and_wait_prints_one_json_document(accepting, run, image, say):
    accepting.on("GET", "/v1/jobs/job_1", say.job(status="completed", completed=10))
    done = run("submit", image, "-m", "digits", "--wait", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["status"] == "completed"
    assert "10/10 images, 0 failed" in done.stderr


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ({"status": "in_progress"}, 0),
        ({"status": "completed", "completed": 10}, 0),
        ({"status": "completed", "completed": 9, "failed": 1}, 1),
        ({"status": "failed"}, 1),
        ({"status": "cancelled"}, 1),
        ({"status": "expired"}, 1),
    ],
)
def test_status_exits_with_what_became_of_the_job(server, run, say, state, code):
    server.on("GET", "/v1/jobs/job_1", say.job(**state))
    done = run("status", "job_1")
    assert done.exit_code == code
    assert f"status   {state['status']}" in done.stdout


SKIPPED = {"count": 12, "by_reason": {"system_file": 10, "symlink": 2}, "names": []}


def test_the_last_line_of_a_job_says_what_was_skipped(server, run, say):
    server.on("GET", "/v1/jobs/job_1", say.job(status="completed", completed=1, skipped=SKIPPED))
    told = "12 files skipped: 10 system_file, 2 symlink"
    assert run("status", "job_1").stdout.splitlines()[-1] == told
    server.on("GET", "/v1/jobs/job_2", say.job(status="completed", completed=1))
    assert "skipped" not in run("status", "job_2").stdout


def test_submit_says_what_it_did_not_send_and_at_last_what_the_server_skipped(
    accepting, run, say, tmp_path
):
    for name in ("a.png", "notes.txt", ".DS_Store"):
        (tmp_path / name).write_bytes(b"x")
    accepting.on("GET", "/v1/jobs/job_1", say.job(status="completed", completed=1, skipped=SKIPPED))
    done = run("submit", str(tmp_path), "--model", "digits", "--wait")
    assert done.stdout == "job_1\n"
    lines = done.stderr.splitlines()
    assert lines[0] == "not sent: 2 files skipped: 1 system_file, 1 not_media"
    assert lines[-1] == "12 files skipped: 10 system_file, 2 symlink"


def test_status_says_what_was_wrong_with_the_input(server, run, say):
    fault = {"code": "invalid_json", "message": "this is no JSON", "param": None, "line": 3}
    server.on("GET", "/v1/jobs/job_1", say.job(status="failed", errors={"data": [fault]}))
    assert "error    line 3: this is no JSON (invalid_json)\n" in run("status", "job_1").stdout


def test_submit_and_wait_says_why_a_manifest_was_refused(accepting, run, image, say):
    faults = [
        {"code": "invalid_request", "message": f"Line {n}: no", "param": None, "line": n}
        for n in range(2, 15)
    ]
    accepting.on("GET", "/v1/jobs/job_1", say.job(status="failed", errors={"data": faults}))
    done = run("submit", image, "-m", "digits", "--wait")
    assert (done.exit_code, done.stdout) == (1, "job_1\n")
    lines = done.stderr.splitlines()
    assert "error: Line 2: no (invalid_request)" in lines
    assert lines[-1] == "error: and 3 more; `pixelmill status job_1 --json` has them all"


def test_submit_and_wait_says_why_a_job_failed(accepting, run, image, say):
    accepting.on("GET", "/v1/jobs/job_1", say.job(status="failed", status_reason="No."))
    assert "error: No.\n" in run("submit", image, "-m", "digits", "--wait").stderr


def test_refusals_exit_3_with_the_servers_words_on_stderr(server, run, say):
    done = run("status", "job_2")
    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr == "error: there is no such thing\n"


def test_wrong_usage_and_missing_configuration_exit_2(server, say, run, image, tmp_path):
    server.on("GET", "/v1/models", say.page([]))
    assert run("submit", image).exit_code == 2
    assert run("submit", image, "-m", "digits", "--param", "top_k").exit_code == 2
    assert "exclude each other" in run("up", "--cpu", "--gpus", "0").stderr
    assert run("submit", str(tmp_path / "none"), "-m", "digits").exit_code == 2
    lost = run("status", "job_1", PIXELMILL_URL="")
    assert lost.exit_code == 2
    assert "pixelmill up" in lost.stderr


def test_a_wait_that_is_too_long_exits_4_and_says_how_to_resume(server, run, say):
    server.on("GET", "/v1/jobs/job_1", say.job())
    done = run("status", "job_1", "--wait", "--timeout", "0", "--json")
    assert done.exit_code == 4
    assert "pixelmill status job_1 --wait" in done.stderr
    assert json.loads(done.stdout)["id"] == "job_1"


def test_submit_writes_the_results_that_it_waited_for(server, run, say, image, tmp_path):
    server.on("POST", "/v1/files", say.answer(201, {"id": "file_1", "bytes": 1}))
    server.on("POST", "/v1/jobs", say.job())
    over = say.job(status="completed", outcome="succeeded")
    server.on("GET", "/v1/jobs/job_1", over)
    server.on("GET", "/v1/jobs/job_1/results", say.page([say.result(0)]))
    done = run("submit", image, "-m", "digits", "-o", str(tmp_path / "labels.csv"))
    assert (done.exit_code, done.stdout) == (0, "job_1\n")
    assert (tmp_path / "labels.csv").read_text().splitlines()[1].startswith("0,")
    assert run("submit", image, "-m", "digits", "-o", str(tmp_path / "labels.xyz")).exit_code == 2


def test_predict_prints_what_was_found(server, run, say, image):
    accepted = say.job()
    accepted.status = 202
    answers = [say.answer(200, row) for row in (say.result(0), say.result(0, "errored"))]
    server.on("POST", "/v1/predictions", *answers, accepted)
    predict = ("predict", image, "-m", "digits")
    good, bad, late = run(*predict), run(*predict), run(*predict)
    assert (good.exit_code, good.stdout) == (0, "7 0.998\n")
    assert (bad.exit_code, bad.stdout) == (1, "undecodable: no image\n")
    assert late.exit_code == 4
    assert "pixelmill status job_1 --wait" in late.stderr


@pytest.fixture
def two_results(server, say):
    rows = [say.result(0), say.result(1, "errored", custom_id='=HYPERLINK("http://x")')]
    server.on("GET", RESULTS, say.page(rows, "c2"))
    return rows


def test_results_in_each_form(run, two_results):
    assert json.loads(run("results", "job_1", "--format", "json").stdout) == two_results
    lines = run("results", "job_1", "--format", "jsonl").stdout.splitlines()
    assert [json.loads(line) for line in lines] == two_results
    table = run("results", "job_1").stdout.splitlines()
    assert table[1].split() == ["0", "succeeded", "0.png", "7", "0.998"]
    assert table[2].endswith("undecodable: no image")


def test_no_results_are_still_a_document(server, run, say):
    server.on("GET", RESULTS, say.page([]))
    assert json.loads(run("results", "job_1", "--format", "json").stdout) == []
    assert run("results", "job_1", "--format", "csv").stdout.startswith("index,custom_id,")


def test_csv_holds_no_formula(server, run, say):
    starts = ["=1", "+1", "-1", "@x", "\tx", "\r\n=x", "plain"]
    rows = [say.result(i, custom_id=start) for i, start in enumerate(starts)]
    rows.append(say.result(7, "errored", error={"code": "x", "message": "=cmd|'/C calc'!A0"}))
    server.on("GET", RESULTS, say.page(rows, "c8"))
    text = run("results", "job_1", "--format", "csv").stdout_bytes.decode()
    cells = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["custom_id"] for row in cells[:7]] == ["'" + s for s in starts[:6]] + ["plain"]
    assert cells[7]["error_message"].startswith("'=")
    assert json.loads(cells[0]["predictions"])[0]["confidence"] == 0.998


def test_the_suffix_of_a_file_is_the_form_of_results(run, two_results, tmp_path):
    begins = {"a.csv": "index,custom_id,", "a.json": "[\n", "a.NDJSON": '{"index"', "a": "   INDEX"}
    for name, begin in begins.items():
        assert run("results", "job_1", "-o", str(tmp_path / name)).exit_code == 0
        assert (tmp_path / name).read_text().startswith(begin), name
    asked = ("results", "job_1", "-f", "jsonl", "-o", str(tmp_path / "b.dat"))
    assert run(*asked).exit_code == 0
    refused = run("results", "job_1", "-o", str(tmp_path / "x.xlsx"))
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
    assert ".csv" in refused.stderr
    assert not (tmp_path / "x.xlsx").exists()


def test_results_go_to_a_file_complete_or_not_at_all(server, run, say, two_results, tmp_path):
    target = tmp_path / "out.jsonl"
    assert run("results", "job_1", "-f", "jsonl", "-o", str(target)).stdout == ""
    assert len(target.read_text().splitlines()) == 2
    target.write_text("before")
    broken = say.page([say.result(0)], "c1", has_more=True)
    server.on("GET", RESULTS, broken, say.problem(404, "not_found", "erased"))
    assert run("results", "job_1", "-f", "jsonl", "-o", str(target)).exit_code == 3
    assert target.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]
    assert run("results", "job_1", "-o", str(tmp_path / "no" / "x")).exit_code == 2


def test_following_results_exits_with_what_became_of_the_job(server, run, say, two_results):
    server.on("GET", "/v1/jobs/job_1", say.job(status="completed", completed=9, failed=1))
    done = run("results", "job_1", "--follow", "--format", "jsonl")
    assert done.exit_code == 1
    assert len(done.stdout.splitlines()) == 2


def test_names_of_others_cannot_move_the_cursor(server, run, say):
    server.on("GET", RESULTS, say.page([say.result(0, custom_id="\x1b[2Jevil")], "c1"))
    assert "\x1b" not in run("results", "job_1").stdout
    server.on("GET", "/v1/jobs/job_1", say.problem(403, "x", "\x1b]0;evil\x07"))
    assert "\x1b" not in run("status", "job_1").stderr


def test_lists_show_whole_ids_or_one_json_document(server, run, say):
    server.on("GET", "/v1/jobs", say.page([say.job(id=f"job_{i}").body for i in range(5)]))
    server.on("GET", "/v1/models", say.page([{"id": "digits@1", "aliases": {"production": 1}}]))
    assert [line.split()[0] for line in run("jobs", "--limit", "2").stdout.splitlines()] == [
        "JOB", "job_0", "job_1",
    ]  # fmt: skip
    assert len(json.loads(run("jobs", "--json").stdout)) == 5
    assert "production" in run("models").stdout
    assert json.loads(run("models", "--json").stdout)[0]["id"] == "digits@1"


def test_jobs_are_told_apart_by_what_their_callers_noted_and_more_of_them_are_told_of(
    server, run, say
):
    rows = [say.job(id=f"job_{i}", metadata={"run": str(i)}).body for i in range(3)]
    rows.append(say.job(id="job_3", kind="rerun", parent_id="job_0").body)
    server.on("GET", "/v1/jobs", say.page(rows))
    lines = run("jobs").stdout.splitlines()
    assert [line.split()[-1] for line in lines[1:4]] == ["run=0", "run=1", "run=2"]
    assert lines[4].endswith("rerun of job_0")
    assert run("jobs").stderr == ""
    assert "--limit N" in run("jobs", "--limit", "3").stderr


@pytest.mark.parametrize(("erased_at", "said"), [(1, "held erased"), (None, "is being erased")])
def test_delete_prints_whether_all_is_gone(server, run, say, erased_at, said):
    receipt = {"id": "job_1", "object": "job", "deleted": True, "erased_at": erased_at}
    server.on("DELETE", "/v1/jobs/job_1", say.answer(200, receipt))
    assert said in run("delete", "job_1").stdout
    assert json.loads(run("delete", "job_1", "--json").stdout) == receipt


def test_cancel_prints_the_job(server, run, say):
    server.on("POST", "/v1/jobs/job_1/cancel", say.job(status="cancelling"))
    assert "cancelling" in run("cancel", "job_1").stdout


def test_the_help_lists_the_exit_statuses(run):
    words = " ".join(run("--help").stdout.split())
    for said in ("0 ok", "1 the job has failed", "2 wrong usage", "3 not found", "4 timed out"):
        assert said in words
    assert "130 interrupted" in words


def test_version(run):
    assert run("version").stdout.strip()


def test_a_job_is_named_and_found_by_its_name(accepting, run, say, image):
    done = run("submit", image, "-m", "digits", "--name", "Monday", "--metadata", "run=7")
    assert done.exit_code == 0, done.output
    sent = accepting.to("POST", "/v1/jobs")[0].json
    assert sent["metadata"] == {"run": "7", "name": "Monday"}
    accepting.on("GET", "/v1/jobs", say.page([say.job().body]))
    assert "job_1" in run("jobs", "--name", "mond").stdout
    assert accepting.to("GET", "/v1/jobs")[0].query["text"] == "mond"


def test_a_job_has_one_name(accepting, run, image):
    twice = run("submit", image, "-m", "digits", "--name", "a", "--metadata", "name=b")
    assert twice.exit_code == 2
    assert "say the same" in twice.output
    assert accepting.seen == []
