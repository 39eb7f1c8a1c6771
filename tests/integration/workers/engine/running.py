"""What the tests of the engine run, and by which parameters."""

from collections.abc import Callable

from jobs.base.storage import Storage, StorageError
from workers.engine.engine import Engine

PARAMS = {"top_k": 3, "min_confidence": 0.0}

NewEngine = Callable[..., Engine]


class Moody(Storage):
    """Fails a number of times at each thing that a worker does with it."""

    def __init__(self, url: str, times: int) -> None:
        super().__init__(url)
        self.left = dict.fromkeys(("get", "ranges", "create", "open"), times)

    def fail(self, what: str) -> None:
        if self.left[what]:
            self.left[what] -= 1
            raise StorageError(f"{what} does not work at this moment")

    def get(self, name: str) -> bytes:
        self.fail("get")
        return super().get(name)

    def ranges(self, *arguments):
        self.fail("ranges")
        return super().ranges(*arguments)

    def create(self, name: str):
        self.fail("create")
        return super().create(name)

    def open(self, name: str):
        self.fail("open")
        return super().open(name)
