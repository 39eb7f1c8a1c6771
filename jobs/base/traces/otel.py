"""Spans of OpenTelemetry, sent by OTLP over HTTP; the extra `traces` brings the library.

Sampling and limits are the library's, by its `OTEL_…` variables. Of a caller's headers only
`traceparent` is read: `tracestate` and `baggage` may hold anything.
"""

from collections.abc import Sequence

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from jobs.base.traces.spans import LONGEST, NO_SPAN, Kind, Said, Span, Traces

_HEADERS = TraceContextTextMapPropagator()
_KINDS = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
}


def open_otel(service: str, version: str, processor: SpanProcessor | None = None) -> Traces:
    """Give traces that go where `OTEL_EXPORTER_OTLP_ENDPOINT` says, or to a processor."""
    resource = Resource.create({"service.version": version})
    # What OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES says goes before our own name.
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: service}))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(processor or BatchSpanProcessor(OTLPSpanExporter()))
    return OtelTraces(provider)


class OtelTraces:
    """Where spans begin, by one provider."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("pixelmill")

    def begin_trace(self, name: str, caller: str | None, said: Said | None = None) -> Span:
        """Begin the span of a request, under the caller's `traceparent` if that is one."""
        return self._begin(name, _context_of(caller or ""), said, "server", None)

    def begin(
        self,
        name: str,
        parent: str | None,
        said: Said | None = None,
        *,
        kind: Kind = "internal",
        began_at: float | None = None,
    ) -> Span:
        """Begin a span below another one; without a parent nothing is recorded."""
        if parent is None:
            return NO_SPAN
        return self._begin(name, _context_of(parent), said, kind, began_at)

    def close(self) -> None:
        """Send what was not sent yet, for a few seconds at most."""
        self._provider.shutdown()

    def _begin(
        self, name: str, context: Context, said: Said | None, kind: Kind, began_at: float | None
    ) -> Span:
        began = self._tracer.start_span(
            name, context, _KINDS[kind], said, start_time=_nanoseconds(began_at)
        )
        return OtelSpan(self._tracer, began) if began.is_recording() else NO_SPAN


class OtelSpan(Span):
    """A span that is recorded."""

    def __init__(self, tracer: trace.Tracer, span: trace.Span) -> None:
        self._tracer, self._span = tracer, span

    @property
    def context(self) -> str:
        """Its `traceparent`."""
        found = self._span.get_span_context()
        return f"00-{found.trace_id:032x}-{found.span_id:016x}-{found.trace_flags:02x}"

    def say(self, said: Said) -> None:
        """Add what is known by now."""
        self._span.set_attributes(said)

    def part(
        self,
        name: str,
        began_at: float,
        ended_at: float,
        said: Said | None = None,
        links: Sequence[str] = (),
    ) -> None:
        """Add a part that is over, with times in seconds since 1970; `links` are contexts."""
        linked = [Link(_spanned(_context_of(each))) for each in links]
        above = trace.set_span_in_context(self._span, Context())
        self._tracer.start_span(
            name, above, attributes=said, links=linked, start_time=_nanoseconds(began_at)
        ).end(_nanoseconds(ended_at))

    def end(self, *, error: str | None = None, at: float | None = None) -> None:
        """End it, now or at a time; `error` is a code or the name of a class."""
        if error is not None:
            self._span.set_attribute("error.type", error)
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end(_nanoseconds(at))


def _context_of(traceparent: str) -> Context:
    """Give what a `traceparent` says; an empty context where it says nothing that holds."""
    if len(traceparent) > LONGEST:
        return Context()
    return _HEADERS.extract({"traceparent": traceparent}, Context())


def _spanned(context: Context) -> SpanContext:
    return trace.get_current_span(context).get_span_context()


def _nanoseconds(at: float | None) -> int | None:
    return None if at is None else int(at * 1e9)
