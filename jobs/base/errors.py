"""Every error that a caller can be told of.

    PixelmillError                     code                    status  retry helps
    ├── Unauthenticated                invalid_api_key         401     no
    ├── NotAllowed                     insufficient_scope      403     no
    ├── NotFound                       not_found               404     no
    │   └── UnknownModel               model_not_found         404     no
    ├── Conflict                       conflict                409     no
    │   ├── ModelNotReady              model_not_ready         409     no
    │   └── BeingMade                  being_made              409     yes
    ├── Gone                           gone                    410     no
    ├── PreconditionFailed             precondition_failed     412     no
    ├── TooLarge                       body_too_large          413     no
    ├── UnsupportedContentType         unsupported_media_type  415     no
    ├── InvalidRequest                 invalid_request         422     no
    │   ├── IdempotencyMismatch        idempotency_key_reused  422     no
    │   └── InvalidInput               invalid_input           422     no
    ├── ChecksumMismatch               checksum_mismatch       460     no
    ├── TooManyRequests                rate_limit_exceeded     429     yes
    └── Unavailable                    temporarily_unavailable 503     yes

    IllegalTransition(RuntimeError): a bug of ours, never shown to a caller as such.

The message of an error is a finished sentence: what was wrong, where, and what to do.
"""

from collections.abc import Sequence
from typing import ClassVar, TypedDict


class LineError(TypedDict):
    """One fault of a manifest, in the shape of the OpenAI Batch API's `errors.data`."""

    code: str
    message: str
    param: str | None
    line: int | None


class PixelmillError(Exception):
    """Something went wrong that the caller can understand."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param


class Unauthenticated(PixelmillError):
    """No key, or one that is not known here."""

    code = "invalid_api_key"
    status = 401


class NotAllowed(PixelmillError):
    """The key is known but may not do this."""

    code = "insufficient_scope"
    status = 403


class NotFound(PixelmillError):
    """No such thing, or it belongs to another tenant: the two are not told apart."""

    code = "not_found"
    status = 404


class UnknownModel(NotFound):
    """The model, version or alias is not registered."""

    code = "model_not_found"


class Conflict(PixelmillError):
    """The thing is in a state in which this cannot be done."""

    code = "conflict"
    status = 409


class ModelNotReady(Conflict):
    """The version is there but cannot be run: it is still being tried out, or was refused."""

    code = "model_not_ready"


class BeingMade(Conflict):
    """It is made because somebody has just asked for it, and will be there in a moment."""

    code = "being_made"
    retryable = True


class Gone(PixelmillError):
    """It was there, and its time is over."""

    code = "gone"
    status = 410


class BytesMissing(PixelmillError):
    """What was stored, and never erased, is not in the storage: it is not the one that it was."""

    code = "storage_incomplete"
    status = 503
    retryable = True

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} are not in the storage, although nobody has erased them. Tell the operator: a "
            "folder may not be mounted, or objects may have been deleted by hand."
        )


class PreconditionFailed(PixelmillError):
    """The caller speaks a version of a protocol that is not spoken here."""

    code = "precondition_failed"
    status = 412


class ChecksumMismatch(PixelmillError):
    """The bytes that came are not those that were sent; the status is the tus protocol's own."""

    code = "checksum_mismatch"
    status = 460


class TooLarge(PixelmillError):
    """More bytes than the limit allows."""

    code = "body_too_large"
    status = 413


class UnsupportedContentType(PixelmillError):
    """The body is of a content type that this call does not read."""

    code = "unsupported_media_type"
    status = 415


class InvalidRequest(PixelmillError):
    """The request does not say what it must; `param` names the member."""

    code = "invalid_request"
    status = 422


class IdempotencyMismatch(InvalidRequest):
    """The Idempotency-Key was used before with another body."""

    code = "idempotency_key_reused"


class InvalidInput(InvalidRequest):
    """The items of a job cannot be listed; `lines` holds each fault that was found."""

    code = "invalid_input"

    def __init__(
        self,
        message: str,
        *,
        code: str = "invalid_input",
        param: str | None = None,
        lines: Sequence[LineError] = (),
    ) -> None:
        super().__init__(message, param=param)
        self.reason = code
        self.lines = list(lines)


class TooManyRequests(PixelmillError):
    """The tenant asked for more than its share of requests."""

    code = "rate_limit_exceeded"
    status = 429
    retryable = True


class Unavailable(PixelmillError):
    """Database or storage does not answer; nothing was stored, and the call may be repeated."""

    code = "temporarily_unavailable"
    status = 503
    retryable = True


class IllegalTransition(RuntimeError):
    """A state change that the diagram in `jobs.base.states` does not have."""
