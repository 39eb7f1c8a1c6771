"""The command line as a process: interrupted, unread, and what it imports."""

import json
import os
import signal
import subprocess
import sys

from tests.unit.pixelmill.cli_answers import COMMAND, RESULTS, process_env, start


def test_interrupting_a_wait_leaves_the_job_alone(server, env, say):
    server.on("GET", "/v1/jobs/job_1", say.job())
    waiting = start(env, "status", "job_1", "--wait")
    server.wait_for("GET", "/v1/jobs/job_1", count=3)
    waiting.send_signal(signal.SIGINT)
    _, err = waiting.communicate(timeout=10)
    assert waiting.returncode == 130
    assert "pixelmill status job_1 --wait" in err
    assert "Traceback" not in err
    assert {seen.method for seen in server.seen} == {"GET"}


def test_a_reader_that_leaves_early_is_no_error(server, env, say):
    rows = [say.result(index) for index in range(1000)]
    # Endless: what ends it is the reader who is gone.
    server.on(
        "GET",
        RESULTS,
        lambda seen: say.page(rows, "c" + seen.query.get("after", ""), has_more=True),
    )
    reading = start(env, "results", "job_1", "--format", "jsonl")
    assert json.loads(reading.stdout.readline())["index"] == 0
    reading.stdout.close()
    err = reading.stderr.read()
    assert (reading.wait(timeout=10), err) == (0, "")
    reading.stderr.close()


def test_a_short_answer_to_a_reader_that_is_gone_is_quiet_too(server, env, say):
    server.on("GET", "/v1/jobs/job_1", say.job())
    left, right = os.pipe()
    os.close(left)
    pipes = {"stdout": right, "stderr": subprocess.PIPE}
    command = [*COMMAND, "status", "job_1"]
    done = subprocess.run(command, env=process_env(env), check=False, **pipes)
    os.close(right)
    assert (done.returncode, done.stderr) == (0, b"")


def test_operator_commands_start_their_processes_with_their_arguments(env, tmp_path):
    for package, module in (("workers", "register"), ("flask", "__main__")):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
        (tmp_path / package / f"{module}.py").write_text(
            "import sys, os\nprint(sys.argv[1:], os.environ['PIXELMILL_DATABASE_URL'])\n"
            "print(os.environ['PIXELMILL_STORAGE_URL'])\nsys.exit(7)\n"
        )
    data = tmp_path / "my stack?"
    data.mkdir()
    (data / "pixelmill.db").touch()
    env |= {"PIXELMILL_DATA": str(data)}
    register = start(env, "register", "digits", "--weights", "w.safetensors", cwd=tmp_path)
    out, _ = register.communicate(timeout=20)
    database = f"sqlite:///{tmp_path}/my stack%3F/pixelmill.db"
    passed = ["digits", "--weights", "w.safetensors"]
    assert out == f"{passed} {database}\nfile://{tmp_path}/my%20stack%3F/blobs\n"
    assert register.returncode == 7
    env |= {"PIXELMILL_DATABASE_URL": "postgresql://h/d", "PIXELMILL_STORAGE_URL": "s3://b"}
    keys = start(env, "keys", "create", "--tenant", "lab", "--weight", "2", cwd=tmp_path)
    out, _ = keys.communicate(timeout=20)
    passed = ["--app", "api.wsgi", "keys", "create", "--tenant", "lab", "--weight", "2.0"]
    assert out == f"{passed} postgresql://h/d\ns3://b\n"


def test_the_client_imports_none_of_the_server(env):
    code = (
        "import sys, pixelmill, pixelmill.cli.commands\n"
        "print({'api', 'jobs', 'models', 'workers', 'torch', 'cv2', 'flask'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
