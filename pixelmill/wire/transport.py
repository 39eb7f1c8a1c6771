"""One request to the server: sent, repeated while that is safe, its refusal turned into an error.

Call ──► httpx ──► answer ok? ──yes──► response
           ▲           │no
           └── pause ◄─┴─ transient and repeatable ──else──► ApiError, ConnectionFailed
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import urljoin

import httpx

from pixelmill.wire.abandoning import check_wanted, while_wanted
from pixelmill.wire.connection import Connection
from pixelmill.wire.errors import (
    ApiError,
    ConnectionFailed,
    NotConfigured,
    UnexpectedAnswer,
    error_class,
)
from pixelmill.wire.retrying import (
    STILL_RUNNING,
    TRANSIENT_STATUSES,
    RetryPolicy,
    parse_retry_after,
)

# The contract: no server holds an answer for longer.
LONGEST_HOLD_S = 50.0
# What passes while bytes are on their way: also a body that came too slowly, and its checksum.
_PASSING_STATUSES = TRANSIENT_STATUSES | {408, 460}
# A proxy gave a held answer up: the next is held for a part of that.
_LESS_HOLD = 0.25

Params = Mapping[str, str | int | None]


def installed_version() -> str:
    """Give this package's version."""
    try:
        return version("pixelmill")
    except PackageNotFoundError:
        return "unknown"


@dataclass(frozen=True, slots=True)
class Call:
    """One request.

    `body` makes the bytes anew for each try; `hold_s` is how long the server may keep the answer
    back (None: as it likes); `silent_s` is how long it may say nothing at all (None: as long as the
    transport allows); `repeatable` says that sending it twice does no harm.
    """

    method: str
    path: str
    params: Params = field(default_factory=dict)
    json: Any = None
    body: Callable[[], Iterator[bytes]] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = False
    hold_s: float | None = None
    silent_s: float | None = None


class Transport:
    """Sends calls to one server over a pool of connections."""

    def __init__(
        self,
        connection: Connection,
        timeout_s: float,
        policy: RetryPolicy,
        sleep: Callable[[float], None] = time.sleep,
        rand: Callable[[], float] = random.random,
    ) -> None:
        self._connection = connection
        self._timeout_s = timeout_s
        self._policy = policy
        self._sleep = sleep
        self._rand = rand
        self._longest_hold_s = LONGEST_HOLD_S
        self._http = _open(connection)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def address_of(self, path: str) -> str:
        """Give the whole address of what the server names by its path."""
        return urljoin(self._connection.url, path)

    def send(self, call: Call) -> httpx.Response:
        """Send a call and read the whole answer; raises ApiError or ConnectionFailed."""
        return self._try_until_answered(call, stream=False)

    @contextmanager
    def stream(self, call: Call) -> Iterator[httpx.Response]:
        """Send a call and leave the answer's body to be read piece by piece."""
        response = self._try_until_answered(call, stream=True)
        try:
            yield response
        except httpx.TransportError as err:
            raise self._unreachable(err) from err
        finally:
            response.close()

    def may_pass(self, err: ApiError | ConnectionFailed) -> bool:
        """Say whether the same request may be answered in another way a little later."""
        return not isinstance(err, ApiError) or err.status in _PASSING_STATUSES

    def pause(self, err: ApiError | ConnectionFailed, failures: int, patience: int) -> None:
        """Wait before something larger than a request goes on; raises `err` when it is given up.

        That is after `patience` failures; whoever wants no request repeated wants none of this.
        """
        attempts = patience if self._policy.attempts > 1 else 1
        retry_after = err.retry_after if isinstance(err, ApiError) else None
        delay = replace(self._policy, attempts=attempts).delay(failures, retry_after, self._rand)
        if delay is None:
            raise err
        self._sleep(delay)

    def _try_until_answered(self, call: Call, *, stream: bool) -> httpx.Response:
        for attempt in range(1, self._policy.attempts + 1):
            try:
                return self._try_once(call, stream=stream)
            except (ApiError, ConnectionFailed) as err:
                self._hold_less(call, err)
                pause = self._pause_before_retry(call, err, attempt)
                if pause is None:
                    err.idempotency_key = _key_in_doubt(call, err)
                    raise
            self._sleep(pause)
        raise AssertionError("the last attempt either answers or raises")

    def _hold_less(self, call: Call, err: ApiError | ConnectionFailed) -> None:
        if isinstance(err, ApiError) and err.status == HTTPStatus.GATEWAY_TIMEOUT and call.hold_s:
            self._longest_hold_s = _LESS_HOLD * min(call.hold_s, self._longest_hold_s)

    def _pause_before_retry(
        self, call: Call, err: ApiError | ConnectionFailed, attempt: int
    ) -> float | None:
        if not call.repeatable:
            return None
        retry_after = None
        if isinstance(err, ApiError):
            if err.status not in TRANSIENT_STATUSES and err.code != STILL_RUNNING:
                return None
            retry_after = err.retry_after
        return self._policy.delay(attempt, retry_after, self._rand)

    def _try_once(self, call: Call, *, stream: bool) -> httpx.Response:
        check_wanted()
        try:
            response = self._http.send(self._request(call), stream=stream)
            if response.status_code < 400 and not response.has_redirect_location:
                return response
            response.read()
        except httpx.TransportError as err:
            raise self._unreachable(err) from err
        response.close()
        raise self._refusal(response)

    def _request(self, call: Call) -> httpx.Request:
        headers = dict(call.headers)
        hold_s = min(call.hold_s or 0.0, self._longest_hold_s)
        if call.hold_s is not None:
            headers["Prefer"] = f"wait={int(hold_s)}"
        return self._http.build_request(
            call.method,
            call.path,
            params={name: value for name, value in call.params.items() if value is not None},
            json=call.json,
            content=while_wanted(call.body()) if call.body else None,
            headers=headers,
            timeout=httpx.Timeout(self._timeout_s, read=call.silent_s or self._timeout_s + hold_s),
        )

    def _unreachable(self, err: httpx.TransportError) -> ConnectionFailed:
        where, source = self._connection.url, self._connection.source
        return ConnectionFailed(
            f"no answer from {where} (from {source}): {err or type(err).__name__}. "
            "Is the server running, and is that its address?"
        )

    def _refusal(self, response: httpx.Response) -> Exception:
        if response.has_redirect_location:
            # Not followed: the key must not travel to a place that an answer names.
            return UnexpectedAnswer(
                f"{self._connection.url} redirects to {response.headers['location']}; "
                "set the URL to where the server really is."
            )
        return error_from(response)


def _key_in_doubt(call: Call, err: ApiError | ConnectionFailed) -> str | None:
    """Give the Idempotency-Key of a call that may have been heard, although it had no answer."""
    if isinstance(err, ApiError) and err.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return None
    return call.headers.get("Idempotency-Key")


def _open(connection: Connection) -> httpx.Client:
    headers = {
        "Authorization": f"Bearer {connection.api_key}",
        "User-Agent": f"pixelmill-python/{installed_version()}",
    }
    if connection.is_local:
        # Compressing takes longer than the way through this machine.
        headers["Accept-Encoding"] = "identity"
    try:
        return httpx.Client(
            base_url=connection.url,
            headers=headers,
            # A proxy of the environment cannot reach this machine's own loopback.
            trust_env=not connection.is_local,
        )
    except (ImportError, ValueError, OSError, httpx.InvalidURL) as err:
        # What httpx reads of the environment: a proxy that it does not speak, certificates.
        raise NotConfigured(
            f"{connection.url} cannot be called as the environment wants it: {err} Mend or unset "
            "HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE or SSL_CERT_DIR."
        ) from err


def error_from(response: httpx.Response) -> ApiError:
    """Turn a refusal into its error; copes with answers of proxies that are no problem+json."""
    problem = _json_object(response)
    inner = problem.get("error")
    details = inner if isinstance(inner, dict) else {}
    message = details.get("message") or problem.get("detail") or problem.get("title")
    return error_class(response.status_code)(
        str(message or f"the server answered {response.status_code} {response.reason_phrase}"),
        status=response.status_code,
        code=details.get("code"),
        param=details.get("param"),
        request_id=response.headers.get("X-Request-Id") or problem.get("request_id"),
        retry_after=parse_retry_after(response.headers.get("Retry-After")),
    )


def json_object(response: httpx.Response) -> dict[str, Any]:
    """Give the answer's JSON object; raises UnexpectedAnswer if it is something else."""
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise UnexpectedAnswer(
            f"{response.request.url} answered {response.status_code} with something that is no "
            "JSON object; is the URL that of a Pixelmill server?"
        )
    return answer


def _json_object(response: httpx.Response) -> dict[str, Any]:
    try:
        return json_object(response)
    except UnexpectedAnswer:
        return {}
