"""A whole stack as its operator sees it: checked, scraped, drained under a running job, killed."""

import json
import os
import shutil
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

from tests.documents import examples
from tests.e2e.conftest import many_digits_zip
from tests.e2e.stacks import RunningStack, running_stack, wait_for

ALERTS = Path(__file__).parents[2] / "deploy/prometheus/alerts.yml"
TOKEN = "a-token-of-the-operator"
WAIT_S = 120


class Operated:
    """A stack of two workers, and what its operator has of it."""

    def __init__(self, stack: RunningStack, worker_port: int) -> None:
        self.stack, self.client, self.worker_port = stack, stack.client(), worker_port

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        environ = {**os.environ, "PIXELMILL_DATA": str(self.stack.data)}
        command = [sys.executable, "-m", "pixelmill", *arguments]
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120)

    def of_workers(self, name: str, **labels: str) -> float:
        answer = httpx.get(f"http://127.0.0.1:{self.worker_port}/metrics", trust_env=False)
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
    # The whole machine, then one after the other.
    drained = operated.command("admin", "drain", socket.gethostname(), "--wait")
    first, second = drained.stdout.split()
    assert [row["shards"] for row in operated.inference_workers()] == [[], []], drained.stderr
    operated.command("admin", "resume", socket.gethostname())
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

    wait_for(lambda: "drained" in why(), WAIT_S, "the reason")
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


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="Prometheus is not on PATH")
def test_prometheus_itself_reads_both_roles_and_judges_by_our_rules(
    operated: Operated, tmp_path: Path
) -> None:
    port, api = free_port(), operated.stack.info["url"].removeprefix("http://")
    token = tmp_path / "token"
    token.write_text(TOKEN)
    auth = f"{{credentials_file: {token}}}"
    (tmp_path / "prometheus.yml").write_text(
        f"global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n"
        f"rule_files: ['{ALERTS}']\n"
        f"scrape_configs:\n"
        f"  - {{job_name: pixelmill-api, authorization: {auth},"
        f" static_configs: [{{targets: ['{api}']}}]}}\n"
        f"  - {{job_name: pixelmill-worker,"
        f" static_configs: [{{targets: ['127.0.0.1:{operated.worker_port}']}}]}}\n"
        f"  - {{job_name: pixelmill-io, static_configs: [{{targets: ['127.0.0.1:1']}}]}}\n"
    )
    process = subprocess.Popen(
        [
            "prometheus", f"--config.file={tmp_path / 'prometheus.yml'}",
            f"--storage.tsdb.path={tmp_path / 'tsdb'}", f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ],
    )  # fmt: skip

    def asked(what: str, **query: str) -> Any:
        try:
            url = f"http://127.0.0.1:{port}/api/v1/{what}"
            return httpx.get(url, params=query, trust_env=False).json()["data"]
        except (httpx.HTTPError, KeyError):
            return {}

    def value(expression: str) -> float:
        found = asked("query", query=expression).get("result", [])
        return float(found[0]["value"][1]) if found else 0.0

    try:
        wait_for(lambda: value('up{job="pixelmill-api"}') == 1, WAIT_S, "a scrape of the API")
        wait_for(lambda: value('up{job="pixelmill-worker"}') == 1, WAIT_S, "one of the launcher")
        assert value('pixelmill_workers{pool="cpu",state="working"}') >= 1
        assert value("sum(pixelmill_items_total)") > 0
        # Nobody serves figures of io here, and the rule has seen it.
        wait_for(
            lambda: any(
                alert["labels"]["alertname"] == "PixelmillWorkersDown"
                for alert in asked("alerts").get("alerts", [])
            ),
            WAIT_S, "the alert",
        )  # fmt: skip
    finally:
        process.terminate()
        process.wait(30)


def test_the_figures_are_read_as_the_document_says(operated: Operated) -> None:
    """The curl commands of docs/metrics.md, at the ports of this stack."""
    text = (ALERTS.parents[2] / "docs/metrics.md").read_text()
    (block,) = [each.text for each in examples(text) if each.text.startswith("curl ")]
    script = block.replace("http://127.0.0.1:8080", operated.stack.info["url"])
    script = script.replace(":9108", f":{operated.worker_port}").replace("curl ", "curl -sSf ")
    done = subprocess.run(
        ["sh", "-euc", script],
        env={**os.environ, "PIXELMILL_METRICS_TOKEN": TOKEN},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "pixelmill_queue_shards" in done.stdout
    assert "pixelmill_network_load_seconds_sum" in done.stdout
