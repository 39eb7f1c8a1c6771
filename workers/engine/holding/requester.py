"""For whom something is read, and how the one who reads stays in touch with it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Requester:
    """A tenant's shard that something is read for.

    `beat` is called while a slow server or store is waited for: that is no stall. Once `stopped` is
    set nothing more is asked of anybody.
    """

    tenant: str = ""
    beat: Callable[[], None] = lambda: None
    stopped: threading.Event = field(default_factory=threading.Event)
