"""Whether traces are wanted: OpenTelemetry's own variables say so, and nothing else does.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

import os
from collections.abc import Mapping

import structlog

from jobs.base.traces.spans import NO_TRACES, Traces

log = structlog.get_logger(__name__)

# Either says where spans go; without one nobody waits for any.
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_SPOKEN = "http/protobuf"


def open_traces(service: str, version: str, environ: Mapping[str, str] = os.environ) -> Traces:
    """Give where this process's spans go; `service` is its name unless OTEL_SERVICE_NAME is set.

    What cannot be had is told in the log, and the process goes on without traces.
    """
    if not is_wanted(environ):
        return NO_TRACES
    protocol = next((environ[name] for name in _PROTOCOLS if environ.get(name)), _SPOKEN)
    if protocol != _SPOKEN:
        log.error("traces_off", why=f"{protocol!r} is not spoken", remedy=f"use {_SPOKEN}")
        return NO_TRACES
    try:
        from jobs.base.traces.otel import open_otel
    except ImportError as err:
        log.error("traces_off", why=str(err), remedy="pip install 'pixelmill[traces]'")
        return NO_TRACES
    return open_otel(service, version)


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Say whether an endpoint is named, and nothing turns traces off."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if environ.get("OTEL_TRACES_EXPORTER", "otlp").strip() != "otlp":
        return False
    return any(environ.get(name) for name in _ENDPOINTS)
