"""A process before the stack that outlives it by a moment, so that nothing of it is left.

    terminal ─► guard ─► stack ─► roles

The guard passes signals on and waits. When the stack is killed, its roles become the guard's
children, who ends them; when the guard is killed, the stack is told and ends itself in order.
"""

import os
import signal
import time
from collections.abc import Callable

from pixelmill.stack.descendants import adopt_orphans, children, end_orphans, end_with_parent
from pixelmill.stack.log_lines import say

_LOOK_S = 0.05


def run_guarded(run: Callable[[], int], orphans_s: float) -> int:
    """Run a function in a child process; gives its exit code, 2 when the child was killed.

    SIGTERM, SIGINT and SIGHUP reach the child as SIGTERM. What a killed child leaves behind has
    `orphans_s` seconds to end by itself. To be called before any thread is started.
    """
    adopt_orphans()
    guard = os.getpid()
    passed_on = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup sets it
        passed_on.append(signal.SIGHUP)
    # Kept back until there is a child to pass them on to.
    signal.pthread_sigmask(signal.SIG_BLOCK, passed_on)
    child = os.fork()
    if child == 0:
        # Ctrl-C goes to the guard alone, which passes it on once.
        os.setsid()
        _become(run, passed_on, guard)
    for number in passed_on:
        signal.signal(number, lambda *_: os.kill(child, signal.SIGTERM))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, passed_on)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    for number in passed_on:
        signal.signal(number, signal.SIG_IGN)
    _end_all(orphans_s)
    if code < 0:
        say("stack", f"the stack's process was ended by signal {-code}; all that it ran has ended")
        return 2
    return code


def _become(run: Callable[[], int], passed_on: list[signal.Signals], guard: int) -> None:
    """Run the function in this process, which has just been forked, and end with it."""
    code = 1
    try:
        for number in passed_on:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, passed_on)
        end_with_parent(guard)
        code = run()
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def _end_all(orphans_s: float) -> None:
    """Give orphans, who were all told that their parent died, some time; then kill them."""
    deadline = time.monotonic() + orphans_s
    while children() and time.monotonic() < deadline:
        time.sleep(_LOOK_S)
        _bury()
    end_orphans(set())


def _bury() -> None:
    while children():
        pid, _ = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
