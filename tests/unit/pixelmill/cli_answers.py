"""What a server answers to the command line."""

import os
import signal
import subprocess
import sys

RESULTS = "/v1/jobs/job_1/results"

COMMAND = [sys.executable, "-c", "from pixelmill.cli.commands import main; main()"]


def process_env(env):
    # Buffered, as users have it: that is what makes a late write to a closed pipe hard.
    return {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"} | env


def start(env, *args, **more):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # A shell starts background jobs deaf to Ctrl-C, and children inherit that.
    hearing = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    return subprocess.Popen([*COMMAND, *args], env=process_env(env), **pipes, **hearing, **more)
