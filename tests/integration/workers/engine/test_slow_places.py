"""A job is slow in one of six places, and both the figures and its trace name that one."""

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import update

from jobs.base.bootstrap import Ground
from jobs.base.traces.otel import open_otel
from jobs.inputs.requests import Request
from jobs.metrics.declaring import REGISTRY
from jobs.queue.scheduling import ShardLease
from jobs.tables import Job, ModelVersion
from jobs.tenants.keys import NewKey
from tests.integration.jobs.builders import claim_one, submit_items
from tests.integration.workers.conftest import with_
from tests.integration.workers.fakes import FakeNetwork, manifest_of
from workers.app import policy_of
from workers.egress import Egress
from workers.engine.device.batcher import Batcher
from workers.engine.figures import batches_of
from workers.engine.seen import TRACED_ITEMS, seen
from workers.engine.shard import ShardRun
from workers.engine.stages import Stages
from workers.errands.delivery import Lines, deliver_next

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

# Longer than anything that is not slow on purpose takes, on a machine that has much to do.
SLOW_S = 1.5
CALLER = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"

# Of each way: the stage that is to be named.
WAYS = {
    "download": "fetch",
    "decode": "decode",
    "network": "infer",
    "commit": "commit",
    "queue": "queue",
    "webhook": "webhook",
}
STAGES = (
    *WAYS.values(), "prepare", "read", "batch_wait", "write",
)  # fmt: skip


class Server:
    """Serves an item at /item and takes webhooks; each after a while, if that is said."""

    def __init__(self, get_s: float, post_s: float) -> None:
        self.headers: list[dict[str, str]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                time.sleep(get_s)
                self.send_response(200)
                self.send_header("content-length", "1")
                self.end_headers()
                self.wfile.write(b"7")

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                server.headers.append({name.lower(): value for name, value in self.headers.items()})
                time.sleep(post_s)
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.root = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def here(ground: Ground, spans: InMemorySpanExporter) -> Ground:
    traces = open_otel("test", "0", SimpleSpanProcessor(spans))
    return dataclasses.replace(with_(ground, egress_allow="127.0.0.0/8"), traces=traces)


@pytest.fixture
def run_job(
    here: Ground,
    new_stages: Callable[..., Stages],
    tenant: NewKey,
    digits_model: ModelVersion,
    stack: ExitStack,
) -> Callable[[str], Server]:
    """Run a job from its request to its webhook, slow in one way; gives who served it."""

    def run(way: str) -> Server:
        server = Server(SLOW_S * (way == "download"), SLOW_S * (way == "webhook"))
        stack.callback(server.close)
        egress = Egress(policy_of(here.settings, "cpu"))
        stack.callback(egress.close)
        stages = new_stages(here, outside=egress)
        # One that tells what the engine's does.
        batcher = Batcher(0.003, stages.flight, tell=batches_of("cpu0", 1))
        stack.callback(batcher.close)
        stages = dataclasses.replace(stages, batcher=batcher)
        with here.traces.begin_trace("POST /v1/jobs", CALLER) as request:
            submit_items(
                here,
                tenant,
                digits_model,
                requests=(Request("n", url=f"{server.root}/item"),),
                webhook={"url": f"{server.root}/hook", "events": ["job.completed"]},
                traceparent=request.context,
            )
        if way == "queue":
            let_wait(here)
        lease = claim_one(here)
        with seen(here, lease) as timeline:
            shard = ShardRun(stages, lease, timeline)
            assert shard.run(slow_network(here, way, stack), manifest_of(here, lease))
        assert deliver_next(here, egress, Lines(1))
        return server

    return run


def let_wait(ground: Ground) -> None:
    """Make the job that waits wait for longer than it has."""
    with ground.database.write() as session:
        session.execute(update(Job).values(in_progress_at=Job.in_progress_at - SLOW_S))


def slow_network(ground: Ground, way: str, stack: ExitStack) -> Any:
    threads = stack.enter_context(ThreadPoolExecutor(1))

    def prepare(_: bytes) -> None:
        if way == "decode":
            time.sleep(SLOW_S)

    def forward(_: list[int]) -> None:
        if way == "network":
            time.sleep(SLOW_S)
        if way == "commit":
            is_held = threading.Event()
            threads.submit(hold_database, ground, is_held)
            assert is_held.wait(20)

    return FakeNetwork(on_prepare=prepare, on_forward=forward)


def hold_database(ground: Ground, is_held: threading.Event) -> None:
    """Write for a while, as a backup or another process may: SQLite has one writer at a time."""
    with ground.database.write() as session:
        session.connection()  # with which the transaction begins
        is_held.set()
        time.sleep(SLOW_S)


def seconds_by_stage() -> dict[str, float]:
    name = "pixelmill_stage_seconds_sum"
    return {each: REGISTRY.get_sample_value(name, {"stage": each}) or 0.0 for each in STAGES}


def length_s(span: ReadableSpan) -> float:
    assert span.start_time is not None
    assert span.end_time is not None
    return (span.end_time - span.start_time) / 1e9


@pytest.mark.parametrize("way", WAYS)
def test_figures_and_trace_name_the_place_where_a_job_is_slow(
    way: str, run_job: Callable[[str], Server], spans: InMemorySpanExporter
) -> None:
    # What is done for the first time pays for its imports.
    run_job("")
    spans.clear()
    before = seconds_by_stage()
    run_job(way)
    after = seconds_by_stage()
    spent = {stage: after[stage] - before[stage] for stage in STAGES}
    assert max(spent, key=spent.__getitem__) == WAYS[way], spent
    lengths = {span.name: length_s(span) for span in spans.get_finished_spans()}
    parts = {name: length for name, length in lengths.items() if name in STAGES}
    assert max(parts, key=parts.__getitem__) == WAYS[way], parts
    assert lengths["job"] + 0.01 >= max(lengths["shard"], parts["infer"])


def test_a_job_is_one_trace_below_its_callers_span(
    run_job: Callable[[str], Server], spans: InMemorySpanExporter
) -> None:
    server = run_job("")
    found = {span.name: span for span in spans.get_finished_spans()}
    assert len(found) == len(spans.get_finished_spans())
    ids = {span.context.span_id: name for name, span in found.items() if span.context}
    above = {name: span.parent and ids.get(span.parent.span_id) for name, span in found.items()}
    request = "POST /v1/jobs"
    assert above == {
        request: None,
        **dict.fromkeys(("prepare", "submit", "queue", "shard", "job", "webhook"), request),
        **dict.fromkeys(("fetch", "decode", "batch_wait", "infer", "write", "commit"), "shard"),
    }
    assert {f"{span.context.trace_id:032x}" for span in found.values() if span.context} == {
        "ab" * 16
    }
    assert found[request].parent is not None
    assert f"{found[request].parent.span_id:016x}" == "cd" * 8
    # Receivers are strangers to our traces.
    assert not {"traceparent", "tracestate", "baggage"} & set(server.headers[0])


def test_a_trace_says_nothing_that_a_caller_wrote(
    run_job: Callable[[str], Server], spans: InMemorySpanExporter
) -> None:
    server = run_job("")
    said = " ".join(span.to_json() for span in spans.get_finished_spans())
    for secret in (server.root, "127.0.0.1", "/item", "/hook", "acme", "digits", "whsec"):
        assert secret not in said, secret


def test_shards_whose_items_share_a_batch_are_linked_to_each_other(
    here: Ground,
    new_stages: Callable[..., Stages],
    tenant: NewKey,
    digits_model: ModelVersion,
    spans: InMemorySpanExporter,
) -> None:
    stages, network = new_stages(here, wait_s=20.0), FakeNetwork(2)
    leases = []
    for _ in range(2):
        with here.traces.begin_trace("request", None) as request:
            requests = (Request("n", data=b"1"),)
            context = request.context
            submit_items(here, tenant, digits_model, requests=requests, traceparent=context)
        leases.append(claim_one(here))

    def run(lease: ShardLease) -> None:
        with seen(here, lease) as timeline:
            assert ShardRun(stages, lease, timeline).run(network, manifest_of(here, lease))

    # Announced, so that the first batch waits for the second shard.
    stages.batcher.announce()
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(run, leases))
    stages.batcher.withdraw()
    assert network.batches == [2]
    infers = [span for span in spans.get_finished_spans() if span.name == "infer"]
    shards = {span.context.span_id for span in spans.get_finished_spans() if span.name == "shard"}
    linked = [{link.context.span_id for link in span.links} for span in infers]
    assert set.union(*linked) == shards
    for span, others in zip(infers, linked, strict=True):
        assert span.parent is not None
        assert others == shards - {span.parent.span_id}


def test_of_a_large_job_the_first_shards_are_traced_and_those_that_are_tried_again(
    here: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    submit_items(here, tenant, digits_model, traceparent=CALLER)
    lease = claim_one(here)
    late = dataclasses.replace(lease, first=TRACED_ITEMS)
    for each, is_traced in (
        (lease, True), (late, False), (dataclasses.replace(late, errors=1), True),
        (dataclasses.replace(lease, traceparent=None), False),
    ):  # fmt: skip
        with seen(here, each) as timeline:
            assert (timeline.context is not None) == is_traced


def test_without_a_caller_who_samples_nothing_is_recorded(
    here: Ground, spans: InMemorySpanExporter
) -> None:
    with here.traces.begin_trace("request", CALLER.removesuffix("01") + "00") as request:
        assert request.context is None
    with here.traces.begin("shard", None) as shard:
        assert shard.context is None
    assert spans.get_finished_spans() == ()


@pytest.mark.parametrize("forged", ["", "00-zz", CALLER + "-more" * 100, "00-" + "0" * 32])
def test_a_traceparent_that_is_none_begins_a_trace_of_our_own(
    forged: str, here: Ground, spans: InMemorySpanExporter
) -> None:
    with here.traces.begin_trace("request", forged):
        pass
    (span,) = spans.get_finished_spans()
    assert span.parent is None
