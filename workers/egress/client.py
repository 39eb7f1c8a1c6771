"""GET an image or a video, POST a webhook: one exchange each, nothing followed, nothing kept."""

import io
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version

import h11
import httpx

from jobs.inputs.addresses import CheckedUrl, UrlNotAllowed, check_url
from workers.egress.addresses import Resolve, Resolver
from workers.egress.connections import Connection, IdleConnections, dial
from workers.egress.messages import (
    REPLY_BYTES,
    Answer,
    Outgoing,
    get_request,
    post_request,
    require_plain_success,
    too_large,
)
from workers.egress.policy import EgressError, EgressPolicy, Reply
from workers.egress.sockets import Deadline, Endpoint

# Called with the bytes that a body will have, or has so far; raises to have none of it.
Need = Callable[[int], None]

# What heads, chunk framing and trailers may take beside the body, in bytes.
_FRAMING = 256 * 1024


class Egress:
    """Calls out under one policy; several threads may use one. `close` ends it."""

    def __init__(self, policy: EgressPolicy, *, resolve: Resolve = socket.getaddrinfo) -> None:
        self._policy = policy
        self._resolver = Resolver(policy, resolve)
        self._idle = IdleConnections()
        self._tls = _tls_context(policy.ca_file)
        self._agent = f"Pixelmill/{_version()}"
        self._closed = False

    def check(self, url: str) -> None:
        """Judge what is written, without DNS.

        Raises:
            EgressError: `url_not_allowed`.

        """
        self._checked(url)

    def get(
        self,
        url: str,
        max_bytes: int | None = None,
        stopped: threading.Event | None = None,
        need: Need | None = None,
    ) -> bytes:
        """Fetch the body of a 2xx answer, at most `max_bytes` and the policy's, in its time.

        `need` is asked before bytes are kept; what it raises ends the exchange.

        Raises:
            GivenUp: `stopped` was set meanwhile.
            EgressError: in every other case.

        """
        most = self._policy.max_bytes
        most = most if max_bytes is None else min(most, max_bytes)
        # Gives its buffer away at the end, where joined pieces would take twice the room.
        body = io.BytesIO()
        for piece in self.stream(url, most, self._policy.total_timeout_s, stopped, need):
            body.write(piece)
        return body.getvalue()

    def stream(
        self,
        url: str,
        max_bytes: int,
        timeout_s: float,
        stopped: threading.Event | None = None,
        need: Need | None = None,
    ) -> Iterator[bytes]:
        """Fetch the body of a 2xx answer piece by piece, in bounded memory.

        `timeout_s` is for the whole exchange, what the caller does between two pieces included.
        `need` is told the body's length where the server says it, and how much has come.

        Raises:
            GivenUp: `stopped` was set meanwhile.
            EgressError: in every other case; what was given till then is not to be used.

        """
        target = self._checked(url)
        deadline = Deadline.after(timeout_s, stopped)
        request = get_request(target, self._agent)
        with self._answer(target, request, deadline, 2 * max_bytes) as answer:
            require_plain_success(answer, target.hostname)
            _allow(answer.declared_length(), max_bytes, target.hostname, need)
            received = 0
            for piece in answer.chunks:
                received += len(piece)
                _allow(received, max_bytes, target.hostname, need)
                yield piece

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Send the body and give the answer, whatever its status; 3xx is not followed.

        The connection is always new: on a kept one that breaks nobody could tell whether the
        receiver had got the message.

        Raises:
            EgressError: no answer came.
            ValueError: a header is not text for HTTP, or is one that only this room may set.

        """
        start = time.monotonic()
        target = self._checked(url)
        deadline = Deadline.after(self._policy.total_timeout_s)
        request = post_request(target, self._agent, body, headers)
        with self._answer(target, request, deadline, 2 * REPLY_BYTES, fresh=True) as answer:
            kept = answer.read(REPLY_BYTES)[:REPLY_BYTES]
            return Reply(answer.status, answer.headers, kept, time.monotonic() - start)

    def close(self) -> None:
        """Hang up idle connections and end the lookup threads; requests in flight go on."""
        self._closed = True
        self._idle.close()
        self._resolver.close()

    def _checked(self, url: str) -> CheckedUrl:
        rule = self._policy
        try:
            return check_url(url, allow_networks=rule.allow_networks, ports=rule.ports)
        except UrlNotAllowed as err:
            raise EgressError(str(err), code="url_not_allowed", retryable=False) from err

    @contextmanager
    def _answer(
        self,
        target: CheckedUrl,
        request: Outgoing,
        deadline: Deadline,
        body_budget: int,
        *,
        fresh: bool = False,
    ) -> Iterator[Answer]:
        """Give the answer with its body unread; keep the connection if it was read to its end."""
        if self._closed:
            raise RuntimeError("This Egress is closed; make a new one.")
        budget = body_budget + _FRAMING
        with _failures_told(target.hostname):
            found = self._resolver.addresses(target, deadline)
            endpoints = [Endpoint.of(target, address) for address in found]
            kept = None if fresh else self._on_kept(endpoints, request, deadline, budget)
            connection, answer = kept or self._on_new(endpoints, request, deadline, budget)
            try:
                yield answer
            finally:
                self._idle.give(connection)

    def _on_kept(
        self, endpoints: list[Endpoint], request: Outgoing, deadline: Deadline, budget: int
    ) -> tuple[Connection, Answer] | None:
        """Use a kept connection; None if there is none, or the server had just dropped it."""
        connection = self._idle.take(endpoints)
        if connection is None:
            return None
        try:
            return connection, connection.exchange(request, deadline, budget)
        except BaseException as err:
            connection.close()
            dropped = isinstance(err, (OSError, h11.RemoteProtocolError))
            if dropped and not isinstance(err, TimeoutError):
                return None
            raise

    def _on_new(
        self, endpoints: list[Endpoint], request: Outgoing, deadline: Deadline, budget: int
    ) -> tuple[Connection, Answer]:
        connection = self._dial_any(endpoints, deadline)
        try:
            return connection, connection.exchange(request, deadline, budget)
        except BaseException:
            connection.close()
            raise

    def _dial_any(self, endpoints: list[Endpoint], deadline: Deadline) -> Connection:
        """Connect to the first address that answers. All of them have been checked."""
        failure: OSError | None = None
        for endpoint in endpoints:
            try:
                soon = Deadline.after(min(self._policy.connect_timeout_s, deadline.left()))
                return dial(endpoint, self._tls, soon)
            except OSError as err:  # a TimeoutError is one too
                failure = err
        raise failure or OSError("no address to dial")


def _allow(size: int, max_bytes: int, host: str, need: Need | None) -> None:
    if size > max_bytes:
        raise too_large(host, max_bytes)
    if need is not None:
        need(size)


@contextmanager
def _failures_told(host: str) -> Iterator[None]:
    """Say in a tenant's words what went wrong; the system's own words could name addresses."""
    try:
        yield
    except ssl.SSLCertVerificationError as err:
        message = f"The certificate of {host} could not be verified: {err.verify_message}."
        raise EgressError(message, code="url_fetch_failed", retryable=False) from err
    except TimeoutError as err:
        message = f"The server of {host} did not answer in full in time; try again later."
        raise EgressError(message, code="url_timeout", retryable=True) from err
    except (OSError, h11.RemoteProtocolError) as err:
        message = (
            f"The server of {host} could not be reached, broke off or did not speak HTTP/1.1; "
            "check the URL or try again later."
        )
        raise EgressError(message, code="url_fetch_failed", retryable=True) from err


def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    context = httpx.create_ssl_context(trust_env=False)  # certifi's authorities
    context.set_alpn_protocols(["http/1.1"])
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


def _version() -> str:
    try:
        return version("pixelmill")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0"
