"""The contestants' side of the protocol (see the package)."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.works import Work

# Pictures that everybody infers before saying that it is ready.
WARM_UP = 128


def given_work() -> Work:
    """Read from the command line which work it is."""
    return Work(Path(sys.argv[1]))


def take_turns(run: Callable[[Mapping[str, Any]], tuple[float, Sequence[int]]]) -> None:
    """Say that all is ready, then run whenever asked; `run` gives (seconds, labels)."""
    _say({"ready": True})
    for line in sys.stdin:
        seconds, labels = run(json.loads(line))
        _say({"seconds": seconds, "labels": list(labels)})


def _say(what: Mapping[str, Any]) -> None:
    print(json.dumps(what), flush=True)
