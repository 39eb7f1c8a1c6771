"""The HTTP messages themselves: what a request says, and what an answer must not."""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import h11

from jobs.inputs.addresses import CheckedUrl
from workers.egress.policy import EgressError
from workers.egress.retry_after import retry_after_s

REPLY_BYTES = 4096  # of a webhook's answer; enough for its log

# A caller that set one of these could send the request elsewhere or change its framing.
_OURS = frozenset(
    {
        *("host", "user-agent", "accept-encoding", "connection", "keep-alive", "content-length"),
        *("transfer-encoding", "te", "trailer", "expect", "upgrade"),
        *("proxy-authorization", "proxy-connection"),
    }
)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_HEADER_VALUE = re.compile(r"(?:[!-~](?:[ -~]*[!-~])?)?")  # no space at its ends
_RETRYABLE_4XX = frozenset({408, 425, 429})
_LONGEST_RETRY_AFTER_S = 86_400.0


@dataclass(frozen=True)
class Outgoing:
    """A request that is ready to be sent."""

    head: h11.Request
    body: bytes


@dataclass(frozen=True)
class Answer:
    """The head of an answer, and its body, unread: pieces as sent, undecoded."""

    status: int
    headers: Mapping[str, str]  # lower-case names; repeated ones joined by ", " (RFC 9110, 5.3)
    chunks: Iterator[bytes]

    @classmethod
    def of(cls, head: h11.Response, chunks: Iterator[bytes]) -> Self:
        """Make it from h11's event."""
        headers: dict[str, str] = {}
        for raw_name, raw_value in head.headers:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return cls(head.status_code, headers, chunks)

    def declared_length(self) -> int:
        """Give the Content-Length in bytes, or 0; h11 has checked that it is one number."""
        return int(self.headers.get("content-length", 0))

    def read(self, enough: int) -> bytes:
        """Read the body to its end, or until there are `enough` bytes or a few more."""
        received = bytearray()
        for chunk in self.chunks:
            received += chunk
            if len(received) >= enough:
                break
        return bytes(received)


def get_request(target: CheckedUrl, agent: str) -> Outgoing:
    """Make the request for an image."""
    return _outgoing("GET", target, agent, {"Accept": "*/*"}, b"")


def post_request(
    target: CheckedUrl, agent: str, body: bytes, headers: Mapping[str, str]
) -> Outgoing:
    """Make the request that delivers a body.

    Raises:
        ValueError: a header is not text for HTTP, or is one that only this room may set.

    """
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _OURS:
            raise ValueError(f"The header {name!r} cannot be set by a caller; leave it out.")
        if not _HEADER_VALUE.fullmatch(value):
            raise ValueError(
                f"The header {name!r} has a value that is not trimmed, printable ASCII."
            )
    # Said in advance, since a body that was not read to its end ends the connection anyway.
    last = {"Content-Length": str(len(body)), "Connection": "close"}
    return _outgoing("POST", target, agent, {**headers, **last}, body)


def _outgoing(
    method: str, target: CheckedUrl, agent: str, headers: Mapping[str, str], body: bytes
) -> Outgoing:
    own = {"Host": target.host_header, "User-Agent": agent, "Accept-Encoding": "identity"}
    head = h11.Request(
        method=method, target=target.target, headers=list((own | {**headers}).items())
    )
    return Outgoing(head, body)


def require_plain_success(answer: Answer, host: str) -> None:
    """Refuse what is not a 2xx answer with a body as it is.

    Raises:
        EgressError: `url_fetch_failed`, with the status.

    """
    status = answer.status
    if 300 <= status < 400:
        raise EgressError(
            f"{host} answered {status}, a redirect; redirects are not followed. "
            "Give the URL at which the file lies.",
            code="url_fetch_failed",
            retryable=False,
            status=status,
        )
    if not 200 <= status < 300:
        raise EgressError(
            f"{host} answered {status} instead of the file; check that the URL opens for anyone.",
            code="url_fetch_failed",
            retryable=status >= 500 or status in _RETRYABLE_4XX,
            status=status,
            retry_after_s=retry_after_s(
                answer.headers.get("retry-after", ""), time.time(), _LONGEST_RETRY_AFTER_S
            ),
        )
    _require_undecoded(answer, host)


def _require_undecoded(answer: Answer, host: str) -> None:
    encoding = answer.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        # Not decoded at all, so no small body can become a large one.
        raise EgressError(
            f"{host} compressed the file although asked not to; serve it without "
            "Content-Encoding, or upload it.",
            code="url_fetch_failed",
            retryable=False,
            status=answer.status,
        )


def too_large(host: str, limit: int) -> EgressError:
    """Make the error for a body over the limit, which is in bytes."""
    return EgressError(
        f"The file at {host} is larger than {limit} bytes; give a smaller one.",
        code="url_too_large",
        retryable=False,
    )
