"""What the outgoing side may do, how it fails, and what a webhook's receiver answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from jobs.inputs.addresses import Network

EgressCode = Literal["url_not_allowed", "url_fetch_failed", "url_too_large", "url_timeout"]


@dataclass(frozen=True)
class EgressPolicy:
    """The operator's rule for outgoing requests.

    `allow_networks` name networks that may be called although they are private, at any port;
    all else must be public and at one of `ports`. `connect_timeout_s` is for TCP and TLS to one
    address; `total_timeout_s` for the whole exchange, name lookup to last byte, by the wall
    clock. `max_bytes` caps a body. `ca_file` is a PEM file of certificate authorities that are
    trusted besides the public ones.
    """

    allow_networks: tuple[Network, ...] = ()
    ports: frozenset[int] = frozenset({80, 443})
    connect_timeout_s: float = 5.0
    total_timeout_s: float = 30.0
    max_bytes: int = 64 * 1024 * 1024
    ca_file: str | None = None

    def __post_init__(self) -> None:
        for name in ("connect_timeout_s", "total_timeout_s", "max_bytes"):
            if not getattr(self, name) > 0:
                raise ValueError(f"EgressPolicy.{name} is {getattr(self, name)}; give more than 0.")


class EgressError(Exception):
    """A request was refused or failed.

    `status` is the HTTP status where one was received, and `retry_after_s` for how long the server
    then asked to be left alone, 0 for not at all. The message is for the tenant: it names
    the host as the tenant wrote it, and never an address that the name was resolved to.
    """

    def __init__(
        self,
        message: str,
        *,
        code: EgressCode,
        retryable: bool,
        status: int | None = None,
        retry_after_s: float = 0.0,
    ) -> None:
        super().__init__(message)
        self.code: EgressCode = code
        self.retryable = retryable
        self.status = status
        self.retry_after_s = retry_after_s


class GivenUp(Exception):
    """Whoever asked for an answer does not want it any more; the exchange was ended in between."""


@dataclass(frozen=True)
class Reply:
    """What a webhook's receiver answered, with any status.

    `headers` have lower-case names, repeated ones joined by ", "; `body` is the first 4 KiB, as
    sent; `elapsed_s` runs from before the name lookup to the end of that body.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    elapsed_s: float
