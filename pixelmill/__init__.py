"""Pixelmill: batch image inference as a service. This package is what callers import and type."""

from pixelmill.client import Client
from pixelmill.errors import (
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
from pixelmill.records import Alias, Comparison, File, Job, Model, Result
from pixelmill.retrying import RetryPolicy
from pixelmill.skipping import Skipped
from pixelmill.trainings import Training

__all__ = [
    "Alias",
    "ApiError",
    "AuthenticationError",
    "Client",
    "Comparison",
    "Conflict",
    "ConnectionFailed",
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
    "RetryPolicy",
    "ServerError",
    "Skipped",
    "TooLarge",
    "Training",
    "UnexpectedAnswer",
    "WaitTimeout",
]
