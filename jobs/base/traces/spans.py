"""A span as the house sees it: one that does nothing, until traces are opened.

A span is named by its W3C `traceparent`, which a row can keep and another process goes on from.
What is said of one are ids of ours, counts, seconds and codes: never a name, an address, a query, a
key or a message, for nobody knows who reads traces.

https://www.w3.org/TR/trace-context/#traceparent-header
"""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Literal, Protocol, Self

Said = Mapping[str, str | int | float | bool]
Kind = Literal["internal", "server", "client"]

# What a `traceparent` has at most, in characters, in the version of it that there is.
LONGEST = 55


class Span:
    """A piece of work that lasts from its beginning to its `end`; safe to share between threads.

    This one is not recorded: nothing that is said of it goes anywhere.
    """

    @property
    def context(self) -> str | None:
        """Its `traceparent`; None where it is not recorded, and nothing below it would be."""
        return None

    def say(self, said: Said) -> None:
        """Add what is known by now."""

    def part(
        self,
        name: str,
        began_at: float,
        ended_at: float,
        said: Said | None = None,
        links: Sequence[str] = (),
    ) -> None:
        """Add a part that is over, with times in seconds since 1970; `links` are contexts."""

    def end(self, *, error: str | None = None, at: float | None = None) -> None:
        """End it, now or at a time; `error` is a code or the name of a class."""

    def __enter__(self) -> Self:
        """Begin a block that it lasts for."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """End it with the block."""
        # The error's name alone: what it says may be a caller's.
        self.end(error=kind.__name__ if kind is not None else None)


NO_SPAN = Span()


class Traces(Protocol):
    """Where spans begin."""

    def begin_trace(self, name: str, caller: str | None, said: Said | None = None, /) -> Span:
        """Begin the span of a request, under the caller's `traceparent` if that is one."""

    def begin(
        self,
        name: str,
        parent: str | None,
        said: Said | None = None,
        /,
        *,
        kind: Kind = "internal",
        began_at: float | None = None,
    ) -> Span:
        """Begin a span below another one; without a parent nothing is recorded."""

    def close(self) -> None:
        """Send what was not sent yet, for a few seconds at most."""


class NoTraces:
    """Traces are off."""

    def begin_trace(self, *_: object) -> Span:
        """Give the span that does nothing."""
        return NO_SPAN

    def begin(self, *_: object, **__: object) -> Span:
        """Give the span that does nothing."""
        return NO_SPAN

    def close(self) -> None:
        """Do nothing."""


NO_TRACES = NoTraces()
