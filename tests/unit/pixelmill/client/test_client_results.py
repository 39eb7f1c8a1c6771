"""Pages and live results: nothing lost, nothing repeated."""

import pytest

from pixelmill import ConnectionFailed, Job, Result, UnexpectedAnswer

RESULTS = "/v1/jobs/job_1/results"


class Store:
    """A job's results as the server keeps them: rows only ever join the end."""

    def __init__(self, say, rows=0, page=7):
        self.rows = [say.result(index) for index in range(rows)]
        self.say, self.page = say, page

    def __call__(self, seen):
        # The cursor is opaque: that it is a number is this server's affair.
        start = int(seen.query.get("after", "c0")[1:])
        end = min(start + self.page, len(self.rows))
        last_id = f"c{end}" if end > start else None
        return self.say.page(self.rows[start:end], last_id, has_more=end < len(self.rows))


def test_all_pages_are_read_through_failures(server, client, say):
    store = Store(say, rows=50)
    busy = say.answer(503)
    server.on("GET", RESULTS, store, busy, store, say.drop, store)
    assert [result.index for result in client.results("job_1")] == list(range(50))
    assert server.seen[0].query["limit"] == "1000"


def test_a_result_says_what_its_predictions_leave_out(server, client, say):
    store = Store(say, rows=2)
    store.rows[1]["warnings"] = [{"code": "video_damaged", "message": "Half of it."}]
    server.on("GET", RESULTS, store)
    whole, damaged = client.results("job_1")
    assert whole.warnings == ()
    assert [(each.code, each.message) for each in damaged.warnings] == [
        ("video_damaged", "Half of it.")
    ]


def test_a_job_without_results_gives_none(server, client, say):
    server.on("GET", RESULTS, Store(say))
    assert list(client.results("job_1")) == []


def test_following_gives_rows_as_they_come_until_the_job_is_over(server, client, say):
    store = Store(say, rows=3)
    added = iter([range(3, 20), range(20, 20), range(20, 31)])

    def poll(_):
        for index in next(added, ()):
            store.rows.append(say.result(index))
        over = len(store.rows) == 31
        return say.job(status="completed" if over else "in_progress", completed=len(store.rows))

    server.on("GET", RESULTS, store)
    server.on("GET", "/v1/jobs/job_1", say.job(), poll)
    assert [result.index for result in client.results("job_1", follow=True)] == list(range(31))


def test_rows_written_just_before_the_end_are_not_missed(server, client, say):
    store = Store(say, rows=2)

    def last_page_then_end(seen):
        answer = store(seen)
        # What a commit does right after the page was read, and before the job is asked for.
        if len(store.rows) == 2:
            store.rows.append(say.result(2))
        return answer

    server.on("GET", RESULTS, last_page_then_end)
    server.on("GET", "/v1/jobs/job_1", say.job(), say.job(status="completed"))
    assert [result.index for result in client.results("job_1", follow=True)] == [0, 1, 2]


def test_a_server_that_promises_more_without_a_cursor_is_no_endless_loop(server, client, say):
    server.on("GET", RESULTS, say.page([], None, has_more=True))
    with pytest.raises(UnexpectedAnswer, match="no cursor"):
        list(client.results("job_1"))


def test_results_can_be_asked_for_by_status(server, client, say):
    server.on("GET", RESULTS, Store(say))
    list(client.results("job_1", status="errored"))
    assert server.seen[0].query["status"] == "errored"


def test_the_raw_stream_gives_the_bytes_as_they_are(server, client, say):
    lines = b'{"index": 0}\n{"index": 1}\n'
    server.on("GET", RESULTS, say.answer(200, lines))
    assert b"".join(client.results_ndjson("job_1")) == lines
    assert server.seen[0].query == {"format": "ndjson"}


def test_a_raw_stream_that_breaks_off_is_an_error_and_no_short_answer(server, client, say):
    server.on("GET", RESULTS, say.answer(200, b'{"index": 0}\n', drop=True))
    with pytest.raises(ConnectionFailed):
        list(client.results_ndjson("job_1"))


@pytest.mark.parametrize("told", ["3", "2"])
def test_a_raw_stream_with_fewer_rows_than_were_told_is_an_error(server, client, say, told):
    # As behind a proxy that speaks HTTP/1.0: the end of the connection says nothing.
    lines = b'{"index": 0}\n{"index": 1}\n'
    server.on("GET", RESULTS, say.answer(200, lines, {"Pixelmill-Rows": told}))
    if told == "2":
        assert b"".join(client.results_ndjson("job_1")) == lines
        return
    with pytest.raises(ConnectionFailed, match="2 of 3 rows"):
        list(client.results_ndjson("job_1"))


def test_jobs_are_read_page_by_page_as_they_are_needed(server, client, say):
    first = say.page([{"id": "job_3", "status": "completed"}], "job_3", has_more=True)
    second = say.page([{"id": "job_2", "status": "completed"}], "job_2")
    server.on("GET", "/v1/jobs", first, second)
    found = client.jobs(status="completed", model="digits")
    assert next(found).id == "job_3"
    assert len(server.seen) == 1
    assert [job.id for job in found] == ["job_2"]
    assert server.seen[1].query == {"status": "completed", "model": "digits", "after": "job_3"}


def test_a_prediction_is_a_result_or_a_job_that_goes_on(server, client, say, tmp_path):
    accepted = say.job()
    accepted.status = 202
    server.on("POST", "/v1/predictions", say.answer(200, say.result(0)), accepted)
    (tmp_path / "a.png").write_bytes(b"png")
    first = client.predict(tmp_path / "a.png", model="digits", wait=7)
    assert isinstance(first, Result)
    assert server.seen[0].json == {"model": "digits", "input": {"data": "cG5n"}}
    assert server.seen[0].headers["prefer"] == "wait=7"
    assert isinstance(client.predict("https://example.org/a.png", model="digits"), Job)
    assert server.seen[1].json["input"] == {"url": "https://example.org/a.png"}


@pytest.mark.parametrize(("wait", "asked"), [(0, "wait=0"), (900, "wait=50")])
def test_the_wait_for_a_prediction_is_kept_to_the_contract(server, client, say, wait, asked):
    server.on("POST", "/v1/predictions", say.answer(200, say.result(0)))
    client.predict(b"png", model="digits", wait=wait)
    assert server.seen[0].headers["prefer"] == asked


def test_models_are_listed(server, client, say):
    row = {"id": "digits@1", "name": "digits", "version": 1, "task": "classification"}
    server.on("GET", "/v1/models", say.page([row | {"aliases": {"production": 1}}]))
    (model,) = client.models()
    assert (model.id, model.name, model.version) == ("digits@1", "digits", 1)
    assert (model.task, model.aliases) == ("classification", {"production": 1})
