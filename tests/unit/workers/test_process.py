"""Which threads of a worker go first."""

import os
import sys
import threading
from pathlib import Path

import pytest

from workers.process import Process


@pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere threads have no priority of their own"
)
def test_a_thread_that_steps_back_goes_behind_the_others_and_changes_nothing_for_them(
    tmp_path: Path,
) -> None:
    process = Process(
        "node-1", "cpu", cores=1, decode_threads=2, lanes=1, flight=tmp_path / "flight"
    )
    mine = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    theirs: list[int] = []

    def decode() -> None:
        process.step_back()
        theirs.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    thread = threading.Thread(target=decode)
    thread.start()
    thread.join()
    assert theirs == [min(mine + 5, 19)]
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == mine
