"""What becomes of a process whose device is lost."""

import signal
import subprocess
import sys

_CODE = """
import sys
from workers.engine.device.networks import end_if_device_lost
end_if_device_lost("cats", RuntimeError("the shapes differ"))
print("lives", flush=True)
end_if_device_lost("cats", RuntimeError("CUDA error: unspecified launch failure"))
"""


def test_a_process_ends_when_its_device_is_lost_and_for_no_other_error() -> None:
    ended = subprocess.run([sys.executable, "-c", _CODE], stdout=subprocess.PIPE, timeout=120)
    assert ended.stdout.startswith(b"lives")
    assert ended.returncode == -signal.SIGABRT
