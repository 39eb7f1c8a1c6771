"""Server-sent events as they come over the wire, event by event (the HTML standard, 9.2).

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MEDIA_TYPE = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Message:
    """One event; `id` is None where it names no place to resume after.

    What is silent is told as well, as a message without data: a comment, or a place alone.
    """

    event: str = "message"
    data: str = ""
    id: str | None = None
    retry_ms: int | None = None


def messages(lines: Iterable[str]) -> Iterator[Message]:
    """Read events; one that was broken off has no end, and is dropped."""
    event, data, place, retry_ms = "message", list[str](), None, None
    for line in lines:
        if not line:
            yield Message(event, "\n".join(data), place, retry_ms)
            event, data, place, retry_ms = "message", [], None, None
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            event = value
        elif name == "data":
            data.append(value)
        elif name == "id" and "\0" not in value:
            place = value
        elif name == "retry" and value.isascii() and value.isdecimal():
            retry_ms = int(value)
