"""The contestants' side of the protocol (see the package)."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.works import Work

# Pictures that everybody infers before saying that it is ready.
WARM_UP = 128
_WARM_UP_BYTES = 32 * 1024**2


def few(items: Sequence[bytes]) -> Sequence[bytes]:
    """Take the pictures to warm up with: fewer of large ones."""
    total, count = 0, 0
    for item in items[:WARM_UP]:
        total, count = total + len(item), count + 1
        if total > _WARM_UP_BYTES:
            break
    return items[:count]


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
