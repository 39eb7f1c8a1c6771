"""One request in Flask, taken in steps, so that no thread waits between them.

    begin ──► body wanted ──► feed … finish ──► answer, or Held ──► give ──► answer
      └────────────────── refused, or no body ────┘

Each step runs in a thread of the pool and in the request's own context, one after the other: what
`flask.g` and the log know of the request in one, they know in the next. Between them this is
`Flask.wsgi_app`.
"""

import contextvars
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Response
from flask.typing import ResponseReturnValue

from api.app import Application
from api.bodies.admission import feed
from api.bodies.intake import current_intake
from api.live.answer import Live
from api.web.waiting import Held, Wait

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Answer:
    """What is to be sent; `chunks` are made while they are taken, in the request's context."""

    status: int
    headers: list[tuple[str, str]]
    chunks: Iterator[bytes]
    # All of it, where it is there already.
    whole: bytes | None
    # What is followed once these chunks are sent, where the answer goes on.
    live: Live | None = None


class WantsBody:
    """The request was let in, and its body is to be fed."""


Outcome = Answer | Held | WantsBody


class Exchange:
    """A request and what becomes of it; its steps raise nothing that a caller caused."""

    def __init__(self, app: Application, environ: dict[str, Any]) -> None:
        self._app, self._environ = app, environ
        self._context = contextvars.copy_context()
        self._request = app.request_context(environ)
        self._is_open = False
        self._received = 0
        self._chunks: Any = None

    def inside(self, step: Callable[..., Result], *arguments: Any) -> Result:
        """Run something in the request's context."""
        return self._context.run(step, *arguments)

    def begin(self) -> Outcome:
        """Check all that can be told without the body, and answer if there is none to be read."""
        self._request.push()
        self._is_open = True
        return self._settle(self._checked)

    def feed(self, chunk: bytes) -> Answer | None:
        """Take in a piece of the body; gives the answer if it is refused."""
        self._received += len(chunk)
        try:
            self._take(chunk)
        except Exception as err:
            return self._caught(err)
        return None

    def finish(self, last: bytes) -> Outcome:
        """Take in the last piece, and answer."""

        def step() -> ResponseReturnValue:
            self._received += len(last)
            if last:
                self._take(last)
            intake = current_intake()
            assert intake is not None
            intake.finish()
            return self._app.call_view()

        return self._settle(step)

    def look(self, held: Held) -> Outcome | None:
        """Answer what was held, if what it waits for has come."""
        try:
            if not held.has_ended():
                return None
        except Exception as err:
            return self._caught(err)
        return self.give(held, held.wait)

    def give(self, held: Held, granted: Wait) -> Outcome:
        """Answer now what was held."""
        return self._settle(lambda: held.give(granted))

    def fail(self, err: Exception) -> Answer:
        """Answer with an error."""
        return self._caught(err)

    def close(self) -> None:
        """Leave nothing open, wherever the request stands; may be called again."""
        chunks, self._chunks = self._chunks, None
        if hasattr(chunks, "close"):
            chunks.close()
        if self._is_open:
            self._is_open = False
            self._request.pop()

    def _checked(self) -> ResponseReturnValue | WantsBody:
        refusal = self._app.preprocess_request()
        if refusal is not None:
            return refusal
        return self._app.call_view() if current_intake() is None else WantsBody()

    def _take(self, chunk: bytes) -> None:
        intake = current_intake()
        assert intake is not None
        feed(intake, chunk, self._received)

    def _settle(self, step: Callable[[], ResponseReturnValue | WantsBody]) -> Outcome:
        try:
            result = step()
            if isinstance(result, Held | WantsBody):
                return result
            return self._answer(self._app.finalize_request(result))
        except Exception as err:
            return self._caught(err)

    def _caught(self, err: Exception) -> Answer:
        try:
            response = self._app.finalize_request(self._app.handle_user_exception(err))
        except Exception as second:
            response = self._app.handle_exception(second)
        return self._answer(response)

    def _answer(self, response: Response) -> Answer:
        chunks, _, headers = response.get_wsgi_response(self._environ)
        self._chunks = chunks
        whole = b"".join(chunks) if response.is_sequence else None
        # As in WSGI: what makes the rest of an answer has left the request.
        self._is_open = False
        self._request.pop()
        live = response if isinstance(response, Live) else None
        return Answer(response.status_code, list(headers), iter(chunks), whole, live)
