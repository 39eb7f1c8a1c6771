"""Watched folders by the client and on the command line."""

import pytest
from typer.testing import CliRunner

from pixelmill import UnexpectedAnswer
from pixelmill.cli.commands import app
from pixelmill.client.watches import Backlog

WATCHES = "/v1/watches"
ONE = f"{WATCHES}/wat_1"
FOLDER = "s3://photos/path/"

WATCH = {
    "id": "wat_1",
    "object": "watch",
    "state": "active",
    "last_error": None,
    "source": {"prefix": FOLDER},
    "model": "digits",
    "interval_seconds": 30,
    "objects_seen": 7,
    "jobs_created": 2,
    "backlog": {"objects": 1, "items": 3},
    "skipped": {"count": 2, "by_reason": {"not_media": 2}, "names": []},
    "last_listed_at": 1_700_000_000,
    "next_listing_at": 1_700_000_030,
    "created_at": 1_700_000_000,
}
FAILING = WATCH | {"state": "failing", "last_error": "The store refuses."}


@pytest.fixture
def run(server, tmp_path):
    env = {
        "PIXELMILL_URL": server.url,
        "PIXELMILL_API_KEY": "key",
        "PIXELMILL_DATA": str(tmp_path / "none"),
    }
    return lambda *args: CliRunner().invoke(app, [*args], env=env)


def test_a_watch_is_made_with_what_was_given(server, say, client):
    server.on("POST", WATCHES, say.answer(201, WATCH))
    made = client.watches.create(FOLDER, model="digits", include=("*.png",), webhook="https://a/b")
    assert (made.id, made.prefix, made.backlog) == ("wat_1", FOLDER, Backlog(1, 3))
    assert made.skipped.count == 2
    asked = server.seen[-1]
    assert asked.json == {
        "prefix": FOLDER,
        "model": "digits",
        "include": ["*.png"],
        "webhook": {"url": "https://a/b"},
    }
    assert len(asked.headers["idempotency-key"]) == 36


def test_a_watch_is_paused_resumed_and_deleted_by_itself_or_its_id(server, say, client):
    paused = WATCH | {"state": "paused", "next_listing_at": None}
    server.on("GET", ONE, say.answer(200, WATCH))
    server.on("POST", f"{ONE}/pause", say.answer(200, paused))
    server.on("POST", f"{ONE}/resume", say.answer(200, WATCH))
    server.on("DELETE", ONE, say.answer(200, {"id": "wat_1", "deleted": True}))
    watch = client.watches.get("wat_1")
    assert client.watches.pause(watch).state == "paused"
    assert client.watches.resume("wat_1") == watch
    client.watches.delete(watch)
    assert server.seen[-1].method == "DELETE"


def test_the_jobs_of_a_watch_are_asked_for(server, say, client):
    page = {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
    server.on("GET", "/v1/jobs", say.answer(200, page))
    assert list(client.jobs(watch="wat_1")) == []
    assert server.seen[-1].query["watch"] == "wat_1"


def test_an_answer_that_is_no_watch_is_told(server, say, client):
    server.on("GET", ONE, say.answer(200, {"id": "wat_1"}))
    with pytest.raises(UnexpectedAnswer):
        client.watches.get("wat_1")


def test_adding_prints_the_id_alone(server, say, run):
    server.on("POST", WATCHES, say.answer(201, WATCH))
    done = run("watches", "add", FOLDER, "-m", "digits", "--param", "top_k=2", "--every", "60")
    assert "only_new" not in server.seen[-1].json
    assert (done.exit_code, done.stdout) == (0, "wat_1\n")
    assert server.seen[-1].json["params"] == {"top_k": 2}
    assert server.seen[-1].json["interval_seconds"] == 60


def test_a_list_has_the_backlog_and_why_one_is_failing(server, say, run):
    page = {"object": "list", "data": [FAILING]}
    server.on("GET", WATCHES, say.answer(200, page))
    done = run("watches", "list")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[1].split()[:5] == ["wat_1", "failing", "7", "2", "4"]
    assert "The store refuses." in done.stderr


@pytest.mark.parametrize("word", ["show", "pause", "resume"])
def test_how_far_a_watch_is_is_shown(server, say, run, word):
    method, path = ("GET", ONE) if word == "show" else ("POST", f"{ONE}/{word}")
    server.on(method, path, say.answer(200, WATCH))
    done = run("watches", word, "wat_1")
    assert done.exit_code == 0
    assert "7 in 2 jobs" in done.stdout
    assert "1 objects, 3 items in jobs" in done.stdout


def test_removing_says_so(server, say, run):
    server.on("DELETE", ONE, say.answer(200, {"id": "wat_1", "deleted": True}))
    assert run("watches", "remove", "wat_1").stdout == "wat_1 deleted\n"
