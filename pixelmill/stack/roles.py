"""One role of the local stack: a process that is started again when it dies, and its log lines."""

import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from functools import partial
from typing import IO

from pixelmill.stack.descendants import end_with_parent
from pixelmill.stack.log_lines import say

_LONG_LIFE_S = 10.0
_LONGEST_WAIT_S = 10.0


class Role:
    """A process with a name."""

    def __init__(
        self, name: str, command: list[str], environ: dict[str, str], keep: list[int]
    ) -> None:
        self._name, self._command, self._environ, self._keep = name, command, environ, keep
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._started_at = self._due_at = self._wait_s = 0.0

    @property
    def pid(self) -> int | None:
        """The id of the process that plays the role now."""
        return self._process.pid if self._process else None

    def has_died(self) -> bool:
        """Say whether the process has ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def look_after(self) -> None:
        """Start the process if there is none; after a death at once, after quick ones later."""
        now = time.monotonic()
        if self._process is not None and self._process.poll() is not None:
            quick = now - self._started_at < _LONG_LIFE_S
            self._wait_s = min(_LONGEST_WAIT_S, max(0.2, self._wait_s * 2)) if quick else 0.0
            self._due_at = now + self._wait_s
            say("stack", f"{self._name} ended with code {self._process.returncode}; starting again")
            self._end_group()
            self._join()
            self._process = None
        if self._process is None and now >= self._due_at:
            self._start()
            self._started_at = now

    def end(self, grace_s: float) -> None:
        """Ask the process to end; when it has, or the grace time is over, nothing of it is left."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(grace_s)
        except subprocess.TimeoutExpired:
            say("stack", f"{self._name} did not end within {grace_s:.0f} s and is killed")
        self._end_group()
        self._process.wait()
        self._join()

    def _start(self) -> None:
        self._process = subprocess.Popen(  # our own command lines
            self._command,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            pass_fds=self._keep,
            # Ctrl-C goes to the stack alone, which then ends its processes in order.
            start_new_session=True,
            preexec_fn=partial(end_with_parent, os.getpid()),
        )
        assert self._process.stdout is not None
        self._reader = threading.Thread(
            target=_copy, args=(self._name, self._process.stdout), daemon=True
        )
        self._reader.start()

    def _end_group(self) -> None:
        """Kill what the process has started and left behind, such as one that serves a peer."""
        assert self._process is not None
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _join(self) -> None:
        if self._reader is not None:
            # A grandchild may hold the pipe a little longer than the process lives.
            self._reader.join(2)


def _copy(name: str, lines: IO[str]) -> None:
    for line in lines:
        say(name, line.rstrip("\n"))
