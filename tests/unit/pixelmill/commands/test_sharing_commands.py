"""What a job's answers come to, and links that show it, by the client and on the command line."""

import pytest
from typer.testing import CliRunner

from pixelmill import UnexpectedAnswer
from pixelmill.cli.commands import app

SHARES = "/v1/jobs/job_1/shares"
SUMMARY = "/v1/jobs/job_1/summary"

SHARE = {
    "id": "shr_1",
    "object": "share",
    "job_id": "job_1",
    "url": "/mills/shared/token",
    "created_at": 1_700_000_000,
    "expires_at": 1_700_086_400,
    "revoked_at": None,
}
OVER = SHARE | {"id": "shr_0", "url": None, "revoked_at": 1_700_000_001}
COUNTED = {
    "is_complete": True,
    "items": 5,
    "findings": 4,
    "classes": [{"class": "cat", "count": 3}],
    "other_classes": {"classes": 1, "count": 1},
    "confidences": [],
}


@pytest.fixture
def run(server, tmp_path):
    env = {
        "PIXELMILL_URL": server.url,
        "PIXELMILL_API_KEY": "key",
        "PIXELMILL_DATA": str(tmp_path / "none"),
    }
    return lambda *args: CliRunner().invoke(app, [*args], env=env)


def test_a_link_is_made_listed_and_taken_back_with_its_whole_address(server, say, client):
    server.on("POST", SHARES, say.answer(201, SHARE))
    server.on("GET", SHARES, say.answer(200, {"object": "list", "data": [SHARE, OVER]}))
    server.on("DELETE", f"{SHARES}/shr_1", say.answer(200, OVER))
    made = client.share("job_1", days=1)
    assert server.seen[-1].json == {"expires_in": 86_400}
    assert made.url == f"{server.url}/mills/shared/token", "the path has the prefix already"
    assert client.shares("job_1") == [made, client.revoke_share("job_1", made)]
    assert client.shares("job_1")[1].url is None


def test_links_on_the_command_line(server, say, run):
    server.on("POST", SHARES, say.answer(201, SHARE))
    server.on("GET", SHARES, say.answer(200, {"object": "list", "data": [SHARE, OVER]}))
    server.on("DELETE", f"{SHARES}/shr_1", say.answer(200, OVER))
    made = run("share", "job_1", "--days", "1")
    assert made.exit_code == 0
    assert made.stdout == f"{server.url}/mills/shared/token\n"
    assert "pixelmill unshare job_1 shr_1" in made.stderr
    lines = run("shares", "job_1").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["SHARE", "shr_1", "shr_0"]
    assert lines[2].endswith("over")
    assert run("unshare", "job_1", "shr_1").stdout == "shr_1 shows nothing any more\n"


def test_a_summary_names_the_classes_and_says_what_is_not_counted_yet(server, say, run):
    counting = COUNTED | {"is_complete": False}
    server.on("GET", SUMMARY, say.answer(200, COUNTED), say.answer(200, counting))
    shown = run("summary", "job_1", "--classes", "1")
    assert server.seen[-1].query == {"limit": "1"}
    assert shown.stdout == (
        "CLASS  FOUND\ncat    3\n1 of 1 classes beside these\n4 found in 5 items\n"
    )
    assert "ask again" not in shown.stderr
    assert "ask again" in run("summary", "job_1").stderr


def test_an_answer_that_is_no_link_is_told(server, say, client):
    server.on("POST", SHARES, say.answer(201, {"id": "shr_1"}))
    with pytest.raises(UnexpectedAnswer):
        client.share("job_1")
