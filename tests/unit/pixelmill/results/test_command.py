"""`pixelmill results` in the forms that the server writes."""

import pytest
from typer.testing import CliRunner

from pixelmill.cli.commands import app
from tests.unit.pixelmill.results.test_wholeness import FILES

RESULTS = "/v1/jobs/job_1/results"
HEADERS = {"Pixelmill-Rows": "3"}


@pytest.fixture
def run(server):
    env = {"PIXELMILL_URL": server.url, "PIXELMILL_API_KEY": "pm_live_test_secret"}
    return lambda *args: CliRunner().invoke(app, list(map(str, args)), env=env)


@pytest.mark.parametrize("form", ["parquet", "coco", "yolo", "label-studio", "geojson"])
def test_a_form_goes_to_a_file_or_to_stdout_as_it_is(server, run, say, tmp_path, form):
    server.on("GET", RESULTS, say.answer(200, FILES[form], HEADERS))
    assert run("results", "job_1", "-f", form).stdout_bytes == FILES[form]
    path = tmp_path / "out"
    assert run("results", "job_1", "-f", form, "-o", path).exit_code == 0
    assert path.read_bytes() == FILES[form]


def test_the_suffix_of_a_file_is_its_form(server, run, say, tmp_path):
    names = {
        "a.parquet": "parquet", "a.coco.json": "coco", "a.zip": "yolo", "a.geojson": "geojson",
        "a.label-studio.json": "label-studio",
    }  # fmt: skip
    for name, form in names.items():
        server.on("GET", RESULTS, say.answer(200, FILES[form], HEADERS))
        assert run("results", "job_1", "-o", tmp_path / name).exit_code == 0
        assert server.seen[-1].query == {"format": form}
        assert (tmp_path / name).read_bytes() == FILES[form]


@pytest.mark.parametrize(
    ("written", "meant"), [("parqet", "parquet"), ("lable-studio", "label-studio"), ("CSV", "csv")]
)
def test_a_misspelt_form_is_told_the_right_one(server, run, written, meant):
    done = run("results", "job_1", "-f", written)
    assert done.exit_code == 2
    assert f"did you mean '{meant}'?" in done.stderr
    assert "table, json, jsonl, csv, parquet, coco, yolo, label-studio, geojson" in done.stderr
    assert server.seen == []


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
@pytest.mark.parametrize(
    ("options", "status"), [(["--failed"], "errored"), (["--status", "expired"], "expired")]
)
def test_items_are_chosen_by_their_status(server, run, say, form, options, status):
    answer = say.answer(200, FILES["parquet"], HEADERS) if form == "parquet" else say.page([])
    server.on("GET", RESULTS, answer)
    assert run("results", "job_1", "-f", form, *options).exit_code == 0
    assert server.seen[-1].query["status"] == status


def test_two_statuses_at_once_are_refused(server, run):
    done = run("results", "job_1", "--failed", "--status", "succeeded")
    assert (done.exit_code, server.seen) == (2, [])


def test_a_form_of_a_job_that_is_followed_is_written_when_it_is_over(server, run, say, tmp_path):
    server.on("GET", RESULTS, say.answer(200, FILES["parquet"], HEADERS))
    server.on("GET", "/v1/jobs/job_1", say.job(), say.job(status="completed"))
    assert run("results", "job_1", "--follow", "-o", tmp_path / "a.parquet").exit_code == 0
    paths = [each.path for each in server.seen]
    assert paths == ["/v1/jobs/job_1"] * 2 + [RESULTS, "/v1/jobs/job_1"]


def test_a_form_that_the_job_has_not_is_said_in_the_servers_words(server, run, say, tmp_path):
    problem = say.problem(422, "invalid_request", "This job has json, csv.", "format")
    server.on("GET", RESULTS, problem)
    done = run("results", "job_1", "-o", tmp_path / "a.coco.json")
    assert (done.exit_code, "This job has json, csv." in done.stderr) == (3, True)
    assert list(tmp_path.iterdir()) == []
