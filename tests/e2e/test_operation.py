"""A whole stack as its operator sees it: checked, scraped, drained under a running job, killed."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.conftest import many_digits_zip
from tests.e2e.stacks import RunningStack, running_stack, wait_for

TOKEN = "a-token-of-the-operator"
WAIT_S = 120


class Operated:
    """A stack of two workers, and what its operator has of it."""

    def __init__(self, stack: RunningStack, worker_port: int) -> None:
        self.stack, self.client, self._worker_port = stack, stack.client(), worker_port

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        environ = {**os.environ, "PIXELMILL_DATA": str(self.stack.data)}
        command = [sys.executable, "-m", "pixelmill", *arguments]
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120)

    def of_workers(self, name: str, **labels: str) -> float:
        answer = httpx.get(f"http://127.0.0.1:{self._worker_port}/metrics", trust_env=False)
        return total(answer.text, name, labels)

    def of_api(self, name: str, **labels: str) -> float:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        url = f"{self.stack.info['url']}/metrics"
        return total(httpx.get(url, headers=headers, trust_env=False).text, name, labels)

    def inference_workers(self) -> list[dict[str, Any]]:
        rows = json.loads(self.command("admin", "workers", "--json").stdout)
        return [row for row in rows if row["pool"] == "cpu"]


def total(text: str, name: str, labels: dict[str, str]) -> float:
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def operated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operated]:
    port = free_port()
    with running_stack(
        tmp_path_factory.mktemp("operated"), "--workers", "2",
        PIXELMILL_METRICS_TOKEN=TOKEN,
        PIXELMILL_WORKER_METRICS=str(port),
    ) as stack:  # fmt: skip
        yield Operated(stack, port)


def test_a_stack_that_runs_is_sound(operated: Operated) -> None:
    wait_for(lambda: len(operated.inference_workers()) == 2, WAIT_S, "both workers")
    done = operated.command("doctor")
    wrong = [line for line in done.stdout.splitlines() if line.startswith("FAULT")]
    assert [line for line in wrong if "disk" not in line] == [], done.stdout
    assert f"{operated.stack.info['url']} answers" in done.stdout


def test_a_job_under_which_workers_are_drained_one_by_one_loses_and_doubles_nothing(
    operated: Operated, tmp_path: Path
) -> None:
    count = 3000
    many_digits_zip(tmp_path / "digits.zip", count)
    before = operated.of_workers("pixelmill_items_total", outcome="succeeded")
    job = operated.client.submit(tmp_path / "digits.zip", model="digits")
    first, second = (row["id"] for row in operated.inference_workers())
    drained = operated.command("admin", "drain", first, "--wait", "--timeout", "60")
    assert drained.stdout.split() == [first], drained.stderr
    (row,) = (row for row in operated.inference_workers() if row["id"] == first)
    assert (row["state"], row["shards"]) == ("drained", [])
    operated.command("admin", "resume", first)
    operated.command("admin", "drain", second)
    done = operated.client.wait(job, timeout=WAIT_S)
    assert done.request_counts.completed == count
    assert len({result.index for result in operated.client.results(job)}) == count
    operated.command("admin", "resume", second)
    counted = operated.of_workers("pixelmill_items_total", outcome="succeeded") - before
    # Each committed item is counted once, whichever of the workers it was.
    assert counted == count
    assert operated.of_workers("pixelmill_stage_seconds_count", stage="infer") > 0
    assert operated.of_api("pixelmill_http_requests_total", route="/v1/jobs", status="202") >= 1


def test_a_job_waits_for_drained_workers_and_is_told_so(
    operated: Operated, digits_folder: Path
) -> None:
    launcher = operated.inference_workers()[0]["id"].partition("/")[0]
    operated.command("admin", "drain", launcher, "--wait")
    job = operated.client.submit(digits_folder, model="digits")

    def why() -> str:
        rows = json.loads(operated.command("admin", "jobs", "--json").stdout)
        return next((row["why"] for row in rows if row["id"] == job.id), "")

    wait_for(lambda: "are drained" in why(), WAIT_S, "the reason")
    assert operated.of_api("pixelmill_queue_shards", pool="cpu") >= 1
    assert "FAULT drained" in operated.command("doctor").stdout
    operated.command("admin", "resume", launcher)
    assert operated.client.wait(job, timeout=WAIT_S).succeeded


def test_figures_outlive_the_process_that_counted_them(operated: Operated) -> None:
    before = operated.of_workers("pixelmill_items_total")
    assert before > 0
    os.kill(operated.stack.pids["worker-0"], signal.SIGKILL)
    wait_for(lambda: operated.of_workers("pixelmill_worker_deaths_total") == 1, WAIT_S, "a death")
    assert operated.of_workers("pixelmill_items_total") == before
