"""A span as the house sees it, and the one that does nothing.

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


class Span(Protocol):
    """A piece of work that lasts from its beginning to its `end`; safe to share between threads."""

    @property
    def context(self) -> str | None:
        """Its `traceparent`; None where it is not recorded, and nothing below it would be."""

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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """End it with the block."""


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


class NoSpan:
    """Nothing is recorded."""

    context = None

    def say(self, said: Said) -> None:
        """Do nothing."""

    def part(
        self,
        name: str,
        began_at: float,
        ended_at: float,
        said: Said | None = None,
        links: Sequence[str] = (),
    ) -> None:
        """Do nothing."""

    def end(self, *, error: str | None = None, at: float | None = None) -> None:
        """Do nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return


NO_SPAN = NoSpan()


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
