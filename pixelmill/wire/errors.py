"""Every error that the client raises.

PixelmillError
├── NotConfigured          no server or no key is known
├── InvalidInput           what was given to submit cannot be sent
├── ConnectionFailed       the server did not answer
├── UnexpectedAnswer       something answered that does not speak Pixelmill's contract
├── JobFailed              a job ended with less than all its items succeeded
├── WaitTimeout            a job is not over yet; it goes on
└── ApiError               the server refused; the status says which
    ├── InvalidRequest     400, 415, 422
    ├── AuthenticationError 401
    ├── PermissionDenied   403
    ├── NotFound           404
    ├── Conflict           409
    ├── TooLarge           413
    ├── RateLimited        429
    └── ServerError        5xx
"""

import copyreg
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pixelmill.client.records import Job


class PixelmillError(Exception):
    """Something went wrong that the caller can understand; the message says what to do.

    `idempotency_key` is that of a submission of which nobody knows whether it was stored:
    `Client.jobs(idempotency_key=…)` tells.
    """

    idempotency_key: str | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Let other processes have it: Exception's own way would call `__init__` by position."""
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]  # typeshed lacks it


class NotConfigured(PixelmillError):
    """Neither an argument, nor the environment, nor a local stack says which server to use."""


class InvalidInput(PixelmillError):
    """What was given cannot be read or cannot be sent; nothing was submitted."""


class ConnectionFailed(PixelmillError):
    """The server did not answer, or the connection broke."""


class UnexpectedAnswer(PixelmillError):
    """The answer is not what the contract says: perhaps the URL is not Pixelmill's."""


class JobFailed(PixelmillError):
    """A job ended, but not with all its items succeeded; `job` is its last state."""

    def __init__(self, job: "Job") -> None:
        reason = f": {job.status_reason}" if job.status_reason else ""
        super().__init__(
            f"job {job.id} ended {job.outcome or job.status} with {job.request_counts.failed} of "
            f"{job.request_counts.total} items failed{reason}; its results say why, item by item."
        )
        self.job = job


class WaitTimeout(PixelmillError):
    """The time to wait is over and the job is not; `job` is its last known state."""

    def __init__(self, job: "Job", timeout_s: float) -> None:
        counts = job.request_counts
        super().__init__(
            f"job {job.id} is still {job.status} after {timeout_s:g} s ({counts.finished} of "
            f"{counts.total} items done). It goes on: wait again, or cancel it."
        )
        self.job = job


class ApiError(PixelmillError):
    """The server refused a request.

    `status` is the HTTP status, `code` the machine-readable reason, `param` the member at fault,
    `retry_after` the seconds after which the server would have the request again.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str | None = None,
        param: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.param = param
        self.request_id = request_id
        self.retry_after = retry_after

    def __str__(self) -> str:
        """Give the message, what it is about, and the id that finds it in the server's log."""
        about = f" (at {self.param})" if self.param else ""
        request = f" [request {self.request_id}]" if self.request_id else ""
        return f"{self.message}{about}{request}"


class InvalidRequest(ApiError):
    """The request does not say what it must; `param` names the member."""


class AuthenticationError(ApiError):
    """No key, or one that the server does not know."""


class PermissionDenied(ApiError):
    """The key is known but may not do this."""


class NotFound(ApiError):
    """No such job, file or model, or it belongs to another tenant."""


class Conflict(ApiError):
    """The thing is in a state in which this cannot be done."""


class TooLarge(ApiError):
    """More bytes than the server takes."""


class RateLimited(ApiError):
    """More requests than the key's share; `retry_after` says when to come again."""


class ServerError(ApiError):
    """The server could not answer properly; the same request may work later."""


_BY_STATUS: dict[int, type[ApiError]] = {
    400: InvalidRequest,
    401: AuthenticationError,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    415: InvalidRequest,
    422: InvalidRequest,
    429: RateLimited,
}


def error_class(status: int) -> type[ApiError]:
    """Give the class of error that an HTTP status stands for."""
    return ServerError if status >= 500 else _BY_STATUS.get(status, ApiError)
