"""What goes wrong outside of a job is one line on stderr and no status that means a failed job."""

import os
import subprocess
import sys

import pytest

COMMAND = [sys.executable, "-m", "pixelmill"]


@pytest.fixture
def env(server, tmp_path):
    plain = {name: value for name, value in os.environ.items() if "PIXELMILL" not in name}
    data = {"PIXELMILL_DATA": str(tmp_path / "none")}
    return plain | {"PIXELMILL_URL": server.url, "PIXELMILL_API_KEY": "key"} | data


def outcome(env, *arguments, **more):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | more
    done = subprocess.run([*COMMAND, *arguments], env=env, timeout=60, check=False, **pipes)
    return done.returncode, (done.stderr or b"").decode()


def check_one_line(found, code, says):
    assert found[0] == code, found[1]
    assert found[1].count("\n") == 1, found[1]
    assert says in found[1]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("PIXELMILL_URL", "http://127.0.0.1:abc", "is no URL"),
        ("PIXELMILL_URL", "http://[::1", "is no URL"),
        ("PIXELMILL_API_KEY", "schlüssel", "PIXELMILL_API_KEY"),
    ],
)
def test_a_server_or_key_that_is_none(env, name, value, says):
    check_one_line(outcome(env | {name: value}, "jobs"), 2, says)


def test_a_proxy_that_is_not_spoken(env):
    env |= {"PIXELMILL_URL": "http://elsewhere.example", "ALL_PROXY": "socks5://127.0.0.1:1"}
    check_one_line(outcome(env, "jobs"), 2, "ALL_PROXY")


def test_a_dead_proxy_is_not_asked_for_this_machine(env, server, say):
    server.on("GET", "/v1/jobs/job_1", say.job())
    dead = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY"), "http://127.0.0.1:9")
    assert outcome(env | dead, "status", "job_1") == (0, "")


def test_a_stdout_that_lacks_a_letter(env, server, say):
    server.on("GET", "/v1/jobs/job_1/results", say.page([say.result(0, custom_id="日本.png")]))
    latin = env | {"PYTHONIOENCODING": "latin-1"}
    check_one_line(outcome(latin, "results", "job_1"), 2, "PYTHONIOENCODING=utf-8")
    assert outcome(latin, "results", "job_1", "--format", "json") == (0, "")


def test_a_stdout_that_is_closed(env):
    closed = " ".join([*COMMAND, "version", ">&-"])
    done = subprocess.run(["sh", "-c", closed], env=env, capture_output=True, check=False)
    check_one_line((done.returncode, done.stderr.decode()), 2, "stdout is closed")


def test_a_stdout_that_is_full(env, server, say):
    server.on("GET", "/v1/jobs/job_1", say.job())
    with open("/dev/full", "wb") as full:
        check_one_line(outcome(env, "status", "job_1", stdout=full), 2, "No space left")


@pytest.mark.parametrize("command", [("register", "digits"), ("keys", "create", "--tenant", "a")])
def test_operator_commands_without_a_stack_name_what_is_missing_and_make_nothing(
    env, tmp_path, command
):
    found = outcome(env, *command, cwd=tmp_path)
    check_one_line(found, 2, "no stack has run in")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [("register", "digits"), ("keys", "create", "--tenant", "a")])
@pytest.mark.parametrize(
    ("name", "value", "says"),
    [("PIXELMILL_GRACE_S", "abc", "PIXELMILL_GRACE_S='abc'"),
     ("PIXELMILL_GRACES", "1", "PIXELMILL_GRACE_S")],
)  # fmt: skip
def test_operator_commands_name_a_bad_setting(env, tmp_path, command, name, value, says):
    env |= {"PIXELMILL_DATABASE_URL": f"sqlite:///{tmp_path}/a.db", name: value}
    check_one_line(outcome(env, *command), 2, says)


@pytest.mark.parametrize(
    "module", [("pixelmill", "keys", "create", "--tenant", "a"), ("workers.register", "--shipped")]
)
def test_operator_commands_name_a_database_without_tables(env, tmp_path, module):
    env |= {"PIXELMILL_DATABASE_URL": f"sqlite:///{tmp_path}/a.db"}
    env |= {"PIXELMILL_STORAGE_URL": f"file://{tmp_path}/blobs"}
    command = [sys.executable, "-m", *module]
    done = subprocess.run(command, env=env, capture_output=True, timeout=60, check=False)
    check_one_line((done.returncode, done.stderr.decode()), 2, "migrations.upgrade")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [("PIXELMILL_RATE_LIMIT", "foo", "PIXELMILL_RATE_LIMIT='foo'"),
     ("PIXELMILL_GRACE_S", "abc", "PIXELMILL_GRACE_S='abc'"),
     ("PIXELMILL_RATELIMIT", "5/minute", "is PIXELMILL_RATE_LIMIT meant?")],
)  # fmt: skip
def test_a_stack_with_a_bad_setting_does_not_begin(env, tmp_path, name, value, says):
    command = [*COMMAND, "up", "--cpu", "--data", str(tmp_path), "--port", "0"]
    done = subprocess.run(command, env=env | {name: value}, capture_output=True, timeout=60)
    check_one_line((done.returncode, done.stdout.decode() + done.stderr.decode()), 2, says)


def test_a_fault_of_the_program_has_a_status_of_its_own(env, server, say):
    server.on("GET", "/v1/jobs/job_1", say.job(created_at="never"))
    code, said = outcome(env, "status", "job_1")
    assert code == 70
    assert "TypeError" in said
