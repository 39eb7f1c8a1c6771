"""Alerts and dashboard name metrics that exist, say what to do, and fire on what they are about.

Prometheus' own `promtool` checks and runs the rules where it is on PATH (Debian: `prometheus`).
"""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from jobs.metrics.declaring import DECLARED
from jobs.metrics.metrics import ITEMS

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy/prometheus/alerts.yml"
DASHBOARD = ROOT / "deploy/grafana/pixelmill.json"
OPERATIONS = ROOT / "docs/operations.md"

assert ITEMS, "the metrics are declared"
RULES: list[dict[str, Any]] = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not on PATH")

API = '{job="pixelmill-api",instance="a"}'
# For each alert: series that make it fire, and the labels that it then has beside its severity.
FIRES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "ApiDown": ({f"up{API}": "0x60"}, {"job": "pixelmill-api", "instance": "a"}),
    "WorkersDown": (
        {'up{job="pixelmill-io",instance="i"}': "0x60"},
        {"job": "pixelmill-io", "instance": "i"},
    ),
    "DatabaseAway": ({"pixelmill_database_up": "0x60"}, {}),
    "NoWorker": (
        {
            'pixelmill_queue_shards{pool="gpu",priority="low"}': "5x60",
            'pixelmill_workers{pool="gpu",state="draining"}': "1x60",
            'pixelmill_queue_shards{pool="cpu",priority="low"}': "5x60",
            'pixelmill_workers{pool="cpu",state="working"}': "1x60",
        },
        {"pool": "gpu"},
    ),
    "NoIoWorker": (
        {'pixelmill_jobs{status="validating"}': "2x60", 'pixelmill_workers{pool="cpu"}': "1x60"},
        {},
    ),
    "QueueStandsStill": (
        {'pixelmill_queue_standstill_seconds{pool="cpu",priority="normal"}': "0+60x60"},
        {"pool": "cpu", "priority": "normal"},
    ),
    "QueueOld": (
        {'pixelmill_queue_oldest_seconds{pool="cpu",priority="high"}': "4000x60"},
        {"pool": "cpu"},
    ),
    "LeasesExpire": ({"pixelmill_leases_expired_total": "0+1x60"}, {}),
    "WorkersDie": (
        {'pixelmill_worker_deaths_total{pool="cpu",how="crash"}': "0+1x60"}, {"pool": "cpu"},
    ),
    "ItemsFail": (
        {
            'pixelmill_items_total{task="detection",outcome="errored"}': "0+40x60",
            'pixelmill_items_total{task="detection",outcome="succeeded"}': "0+100x60",
            'pixelmill_items_total{task="segmentation",outcome="errored"}': "0+1x60",
            'pixelmill_items_total{task="segmentation",outcome="succeeded"}': "0+100x60",
        },
        {"task": "detection"},
    ),
    "DecodersDie": (
        {'pixelmill_decoder_processes_lost_total{kind="pictures",how="crashed"}': "0+5x60"},
        {"kind": "pictures", "how": "crashed"},
    ),
    "WebhooksFail": (
        {
            'pixelmill_webhook_deliveries_total{result="refused"}': "0+2x60",
            'pixelmill_webhook_deliveries_total{result="delivered"}': "0+1x60",
        },
        {},
    ),
    "DeliveriesOverdue": ({"pixelmill_deliveries_overdue_seconds": "700x60"}, {}),
    "ApiErrors": (
        {
            'pixelmill_http_requests_total{route="/v1/jobs",status="503"}': "0+10x60",
            'pixelmill_http_requests_total{route="/v1/jobs",status="200"}': "0+100x60",
        },
        {},
    ),
    "ApiSlow": (
        {
            'pixelmill_http_request_seconds_bucket{route="/v1/jobs",le="2.5"}': "0+50x60",
            'pixelmill_http_request_seconds_bucket{route="/v1/jobs",le="10"}': "0+100x60",
            'pixelmill_http_request_seconds_bucket{route="/v1/jobs",le="+Inf"}': "0+100x60",
        },
        {"route": "/v1/jobs"},
    ),
    "DeviceMemory": (
        {
            'pixelmill_device_memory_bytes{instance="w",place="gpu0",kind="used"}': "97x60",
            'pixelmill_device_memory_bytes{instance="w",place="gpu0",kind="total"}': "100x60",
        },
        {"instance": "w", "place": "gpu0"},
    ),
    "NetworksThrash": (
        {'pixelmill_networks_evicted_total{instance="w"}': "0+30x60"}, {"instance": "w"},
    ),
    "MixedVersions": (
        {
            'pixelmill_version_info{version="0.3.0"}': "1x80",
            'pixelmill_version_info{version="0.4.0"}': "1x80",
        },
        {},
    ),
}  # fmt: skip


def name_of(rule: dict[str, Any]) -> str:
    return str(rule["alert"]).removeprefix("Pixelmill")


def metrics_in(expression: str) -> set[str]:
    """Give the metrics that an expression names, without what a histogram adds to its name."""
    named = re.findall(r"\bpixelmill_\w+", expression)
    return {
        found if found in DECLARED else re.sub("_(bucket|sum|count)$", "", found) for found in named
    }


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_an_alert_says_what_to_do_and_where_it_is_written(rule: dict[str, Any]) -> None:
    summary, where = rule["annotations"]["summary"], rule["annotations"]["runbook_url"]
    assert summary.endswith(".")
    assert len(re.findall(r"[.!?;:,]", summary)) >= 2, "what it is, and what to do"
    heading = f"### {rule['alert']}\n"
    assert heading in OPERATIONS.read_text()
    assert where == f"docs/operations.md#{rule['alert'].lower()}"
    assert rule["labels"]["severity"] in ("critical", "warning", "info")


def test_the_document_has_no_alert_that_there_is_not() -> None:
    written = re.findall(r"^### (Pixelmill\w+)$", OPERATIONS.read_text(), re.MULTILINE)
    assert written == [rule["alert"] for rule in RULES]


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_an_alert_names_metrics_and_labels_that_exist(rule: dict[str, Any]) -> None:
    named = metrics_in(rule["expr"])
    assert named <= set(DECLARED)
    labels = {label for name in named for label in DECLARED[name].labels}
    asked = set(re.findall(r"(\w+)(?:=~|!=|=)\"", rule["expr"]))
    grouped = re.findall(r"(?:by|on|ignoring) \(([\w, ]*)\)", rule["expr"])
    asked |= {label for group in grouped for label in re.split(", *", group) if label}
    assert asked <= labels | {"job", "instance", "le"}


def test_the_dashboard_names_metrics_that_exist_and_each_panel_has_its_place() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    expressions = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    assert len(expressions) > 20
    assert set().union(*map(metrics_in, expressions)) <= set(DECLARED)
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells)), "two panels lie over each other"


@needs_promtool
def test_prometheus_reads_its_configuration_and_its_rules() -> None:
    assert PROMTOOL is not None
    for command in (
        ["check", "config", "--syntax-only", "deploy/prometheus/prometheus.yml"],
        ["check", "rules", "deploy/prometheus/alerts.yml"],
    ):
        done = subprocess.run([PROMTOOL, *command], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_an_alert_fires_on_what_it_is_about_and_on_nothing_else(
    rule: dict[str, Any], tmp_path: Path
) -> None:
    series, labels = FIRES[name_of(rule)]
    summary = rule["annotations"]["summary"]
    for name, value in labels.items():
        summary = summary.replace(f"{{{{ $labels.{name} }}}}", value)
    fired = {
        "exp_labels": {**labels, **rule["labels"]},
        "exp_annotations": {**rule["annotations"], "summary": summary},
    }
    inputs = [{"series": name, "values": values} for name, values in series.items()]
    quiet = [{**each, "values": "0x80"} for each in inputs if not each["series"].startswith("up")]
    asked = {"eval_time": "65m" if rule["for"] == "1h" else "45m", "alertname": rule["alert"]}
    loud = asked | {"exp_alerts": [fired]}
    cases: list[dict[str, Any]] = [
        {"interval": "1m", "input_series": inputs, "alert_rule_test": [loud]},
        {"interval": "1m", "input_series": [], "alert_rule_test": [asked]},
    ]
    # A database that answers, and one version, are no zeros.
    if name_of(rule) not in ("DatabaseAway", "MixedVersions"):
        cases.append({"interval": "1m", "input_series": quiet, "alert_rule_test": [asked]})
    path = tmp_path / "alerts_test.yml"
    path.write_text(yaml.safe_dump({"rule_files": [str(ALERTS)], "tests": cases}))
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, "test", "rules", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
