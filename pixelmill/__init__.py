"""Pixelmill: batch image inference as a service. This package is what callers import and type."""

from pixelmill.client.asynchronous import AsyncClient
from pixelmill.client.client import Client
from pixelmill.client.evaluations import Evaluation
from pixelmill.client.events.stream import Event
from pixelmill.client.inputs.skipping import Skipped
from pixelmill.client.records import Alias, Comparison, File, Job, Model, Result
from pixelmill.client.results.results import Results
from pixelmill.client.results.sharing import Share
from pixelmill.client.trainings import Training
from pixelmill.client.watches import Watch
from pixelmill.wire.errors import (
    ApiError,
    AuthenticationError,
    Conflict,
    ConnectionFailed,
    InvalidInput,
    InvalidRequest,
    JobFailed,
    NotConfigured,
    NotFound,
    PermissionDenied,
    PixelmillError,
    RateLimited,
    ServerError,
    TooLarge,
    UnexpectedAnswer,
    WaitTimeout,
)
from pixelmill.wire.retrying import RetryPolicy

__all__ = [
    "Alias",
    "ApiError",
    "AsyncClient",
    "AuthenticationError",
    "Client",
    "Comparison",
    "Conflict",
    "ConnectionFailed",
    "Evaluation",
    "Event",
    "File",
    "InvalidInput",
    "InvalidRequest",
    "Job",
    "JobFailed",
    "Model",
    "NotConfigured",
    "NotFound",
    "PermissionDenied",
    "PixelmillError",
    "RateLimited",
    "Result",
    "Results",
    "RetryPolicy",
    "ServerError",
    "Share",
    "Skipped",
    "TooLarge",
    "Training",
    "UnexpectedAnswer",
    "WaitTimeout",
    "Watch",
]
