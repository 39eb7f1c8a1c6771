"""Traces are on where OpenTelemetry's variables say so, cost nothing elsewhere, and reach OTLP."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from jobs.base.traces.opening import is_wanted, open_traces
from jobs.base.traces.spans import NO_SPAN, NO_TRACES

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


class Collector:
    """Takes what is sent by OTLP over HTTP."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.requests: list[ExportTraceServiceRequest] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.paths.append(self.path)
                collector.requests.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def collector() -> Iterator[Collector]:
    opened = Collector()
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "x", "OTEL_TRACES_EXPORTER": "otlp"}, False),
        (ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"}, False),
        ({**ENDPOINT, "OTEL_SDK_DISABLED": "TRUE"}, False),
    ],
)
def test_an_endpoint_turns_traces_on_and_the_librarys_switches_turn_them_off(
    environ: dict[str, str], wanted: bool
) -> None:
    assert is_wanted(environ) is wanted


def test_a_protocol_that_is_not_spoken_is_told_and_ends_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    environ = {**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    assert open_traces("pixelmill-api", "1", environ) is NO_TRACES
    assert "http/protobuf" in capsys.readouterr().out


def test_nothing_that_makes_or_sends_spans_is_imported_while_traces_are_off() -> None:
    # Of the library itself, redis imports a part by itself where it is installed.
    program = (
        "import sys; import api.app, workers.app; "
        "from jobs.base.traces.opening import open_traces; open_traces('a', '1', {}); "
        "ours = ('opentelemetry.sdk.trace', 'opentelemetry.exporter', 'jobs.base.traces.otel'); "
        "print([name for name in sys.modules if name.startswith(ours)])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_without_the_library_the_remedy_is_told_and_work_goes_on() -> None:
    program = (
        "import sys; sys.modules['opentelemetry'] = None; "
        "from jobs.base.traces.opening import open_traces; "
        f"open_traces('a', '1', {ENDPOINT!r}).begin_trace('request', None).end()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "pip install 'pixelmill[traces]'" in done.stdout


def test_spans_that_nobody_records_take_all_that_is_said() -> None:
    with NO_TRACES.begin("shard", "a", {"b": 1}) as span:
        span.say({"c": 1})
        span.part("read", 0, 1)
        assert span is NO_SPAN
        assert span.context is None


def test_what_was_not_sent_yet_is_sent_at_the_end(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    traces = open_traces("pixelmill-api", "1.2.3")
    with traces.begin_trace("request", None) as span:
        span.part("submit", 1.0, 2.5)
    traces.close()
    assert set(collector.paths) == {"/v1/traces"}
    (resource,) = (each for sent in collector.requests for each in sent.resource_spans)
    said = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert (said["service.name"], said["service.version"]) == ("pixelmill-api", "1.2.3")
    spans = {span.name: span for scope in resource.scope_spans for span in scope.spans}
    assert spans["submit"].parent_span_id == spans["request"].span_id
    assert spans["submit"].end_time_unix_nano - spans["submit"].start_time_unix_nano == 1.5e9


def test_the_operators_own_name_for_a_service_goes_before_ours(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_SERVICE_NAME", "mill-1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    traces = open_traces("pixelmill-api", "1")
    traces.begin_trace("request", None).end()
    traces.close()
    (resource,) = (each for sent in collector.requests for each in sent.resource_spans)
    said = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert said["service.name"] == "mill-1"
