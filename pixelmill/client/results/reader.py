"""What a job reads its rows by, without holding on to its client."""

from collections.abc import Callable
from typing import Any


class Reader:
    """What a job reads its results, or its events, by: its client's own call.

    A copy has the same one, and a job that goes to another process leaves it behind.
    """

    def __init__(self, read: Callable[..., Any]) -> None:
        self.read = read

    def __deepcopy__(self, _memo: dict[int, Any]) -> "Reader":
        return self

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        return type(None), ()
