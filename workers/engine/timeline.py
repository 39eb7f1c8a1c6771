"""When each stage of a shard was at work: for its summary, and as a part of its trace each."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from jobs.base.traces.spans import Span

# Other shards that a shard's batches are linked to.
_MOST_LINKS = 32


@dataclass(slots=True)
class _Stage:
    began_at: float
    ended_at: float
    busy_s: float = 0.0
    times: int = 0
    # In the order in which they were met.
    beside: dict[str, None] = field(default_factory=dict)


class Timeline:
    """The stages of one shard; safe to share between threads."""

    def __init__(self, context: str | None = None) -> None:
        """Begin one for a shard, whose span has this `context` if it is in a trace."""
        self.context = context
        self._stages: dict[str, _Stage] = {}
        self._lock = threading.Lock()

    def note(self, name: str, began_at: float, seconds: float, beside: Iterable[str] = ()) -> None:
        """Note that a stage has worked, from a time in seconds since 1970.

        `beside` are the contexts of other shards that it worked on together with this one.
        """
        ended_at = began_at + seconds
        with self._lock:
            stage = self._stages.setdefault(name, _Stage(began_at, ended_at))
            stage.began_at = min(stage.began_at, began_at)
            stage.ended_at = max(stage.ended_at, ended_at)
            stage.busy_s += seconds
            stage.times += 1
            for context in beside:
                if len(stage.beside) < _MOST_LINKS:
                    stage.beside[context] = None

    def seconds(self) -> dict[str, float]:
        """Give for how many seconds each stage was at work by now."""
        with self._lock:
            return {name: stage.busy_s for name, stage in self._stages.items()}

    def tell(self, span: Span) -> None:
        """Add each stage as a part of the shard's span."""
        with self._lock:
            stages = dict(self._stages)
        for name, stage in stages.items():
            said = {"pixelmill.busy_s": stage.busy_s, "pixelmill.times": stage.times}
            span.part(name, stage.began_at, stage.ended_at, said, list(stage.beside))
