"""deploy/kubernetes says the same as docker-compose.yml, and names only what exists.

`kubectl` puts the files together where it is on PATH, and kubernetes-validate holds them against
the schemas of two versions of Kubernetes; resources of KEDA and of Prometheus' operator have none
there, and are held against what is used of them.
"""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from jobs.base.settings import Settings
from jobs.metrics.declaring import DECLARED
from jobs.metrics.metrics import QUEUE_SHARDS
from tests.compositions import ROOT, services

FOLDER = ROOT / "deploy/kubernetes"
DOCUMENT = ROOT / "docs/kubernetes.md"
KUBECTL = shutil.which("kubectl")
needs_kubectl = pytest.mark.skipif(KUBECTL is None, reason="kubectl is not on PATH")
# The oldest that the files are for, and the newest that there is a schema of.
VERSIONS = ("1.30", "1.37")

# Of each workload: its service in docker-compose.yml.
SERVICES = {
    "pixelmill-api": "api",
    "pixelmill-io": "io",
    "pixelmill-beat": "beat",
    "pixelmill-worker-cpu": "worker-cpu",
    "pixelmill-worker-gpu": "worker-gpu-0",
    "pixelmill-migrate": "migrate",
}
WITH_PORT = ("pixelmill-api", "pixelmill-io", "pixelmill-worker-cpu", "pixelmill-worker-gpu")
assert QUEUE_SHARDS, "the metrics are declared"


@cache
def resources() -> tuple[dict[str, Any], ...]:
    """Give what the files of the base, the migration and the components hold."""
    files = [path for path in sorted(FOLDER.glob("*/*.yaml")) if path.stem != "kustomization"]
    found = [each for path in files for each in yaml.safe_load_all(path.read_text())]
    return tuple(each for each in found if each is not None)


def kind(name: str) -> list[dict[str, Any]]:
    return [each for each in resources() if each["kind"] == name]


def workload(name: str) -> dict[str, Any]:
    """Give the spec of a workload's pods."""
    (found,) = (
        each for each in resources()
        if each["kind"] in ("Deployment", "Job") and each["metadata"]["name"] == name
    )  # fmt: skip
    pods: dict[str, Any] = found["spec"]["template"]
    return pods


def container(name: str) -> dict[str, Any]:
    (only,) = workload(name)["spec"]["containers"]
    assert only["name"] == "pixelmill", "the patch for every pod finds it by this name"
    return dict(only)


def variables(name: str) -> dict[str, Any]:
    return {
        each["name"]: each.get("value", each.get("valueFrom")) for each in container(name)["env"]
    }


def common() -> dict[str, str]:
    """Give what stands in settings.env."""
    lines = (FOLDER / "settings/settings.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize("name", SERVICES)
def test_a_pod_runs_what_its_service_runs(name: str) -> None:
    said = services()[SERVICES[name]]
    command = [re.sub(r"\$\{\w+:-(\w+)\}", r"\1", part) for part in said["command"]]
    if name == "pixelmill-migrate":
        # There the folder of state is a volume, and is there.
        command[-1] = command[-1].removeprefix("mkdir -p .pixelmill && ")
    assert container(name)["command"] == command
    assert container(name)["image"] == said["image"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_pod_is_given_variables_that_its_service_is_given_and_no_others(name: str) -> None:
    given = set(services()[SERVICES[name]]["environment"])
    assert set(variables(name)) <= given
    # What opens a door is a secret's, and never stands in a file.
    for variable in variables(name):
        if re.search("PASSWORD|_KEY|TOKEN|CREDENTIALS|DATABASE_URL|REDIS_URL", variable):
            assert "secretKeyRef" in variables(name)[variable], variable


def test_the_settings_of_all_are_settings_and_no_secrets() -> None:
    known = {f"PIXELMILL_{name.upper()}" for name in Settings.model_fields}
    given = set().union(*(set(each["environment"]) for each in services().values()))
    for name in common():
        assert name in known or name in given, name
        assert not re.search("PASSWORD|SECRET|TOKEN|CONNECTION_KEY", name), name


def test_each_role_has_a_secret_of_its_own_and_the_document_makes_each() -> None:
    named = {
        (name, each["secretKeyRef"]["name"], each["secretKeyRef"]["key"])
        for name in SERVICES
        for each in variables(name).values()
        if isinstance(each, dict)
    }
    for name, secret, _ in named:
        role = re.sub("-(cpu|gpu)$", "", name)
        assert secret in (role, "pixelmill-storage", "pixelmill-buckets", "pixelmill-figures")
    text = DOCUMENT.read_text()
    for _, secret, key in named:
        assert f"`{secret}`" in text, secret
        assert f"`{key}`" in text, key


@pytest.mark.parametrize("name", WITH_PORT)
def test_a_port_is_the_one_that_the_process_is_told(name: str) -> None:
    (port,) = container(name)["ports"]
    (bind,) = (
        value for variable, value in variables(name).items()
        if variable in ("PIXELMILL_BIND", "PIXELMILL_IO_METRICS", "PIXELMILL_WORKER_METRICS")
    )  # fmt: skip
    assert bind == f"0.0.0.0:{port['containerPort']}"


def test_probes_ask_what_is_served() -> None:
    routes = (ROOT / "api/system/health.py").read_text()
    for name in SERVICES:
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            asked = container(name).get(probe, {}).get("httpGet")
            if asked is None:
                continue
            (port,) = container(name)["ports"]
            assert asked["port"] == port["name"]
            served = asked["path"] == "/metrics" or f'"{asked["path"]}"' in routes
            assert served, asked
    assert container("pixelmill-api")["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container("pixelmill-api")["livenessProbe"]["httpGet"]["path"] == "/healthz"


@pytest.mark.parametrize("name", [each for each in SERVICES if each != "pixelmill-migrate"])
def test_a_pod_that_ends_has_time_to_hand_back_what_it_holds(name: str) -> None:
    first = container(name).get("lifecycle", {}).get("preStop", {}).get("sleep", {})
    needed = float(common()["PIXELMILL_GRACE_S"]) + first.get("seconds", 0)
    assert workload(name)["spec"]["terminationGracePeriodSeconds"] >= needed + 15


@pytest.mark.parametrize("folder", ["base", "migrate"])
def test_no_pod_has_rights_or_a_place_to_write_but_what_is_named(folder: str) -> None:
    pod = yaml.safe_load((FOLDER / folder / "every-pod.yaml").read_text())["spec"]["template"][
        "spec"
    ]
    inside = pod["containers"][0]["securityContext"]
    assert inside == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001, "as the Dockerfile makes it"
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    # Otherwise a service's address would be told in variables that look like settings.
    assert pod["enableServiceLinks"] is False


def test_who_is_not_needed_for_an_answer_may_be_evicted_one_at_a_time() -> None:
    budgets = {each["metadata"]["name"]: each["spec"] for each in kind("PodDisruptionBudget")}
    assert set(budgets) == set(SERVICES) - {"pixelmill-beat", "pixelmill-migrate"}
    for name, budget in budgets.items():
        assert (
            budget["selector"]["matchLabels"].items()
            <= workload(name)["metadata"]["labels"].items()
        )
        if "minAvailable" in budget:
            (replicas,) = (
                each["spec"]["replicas"]
                for each in kind("Deployment")
                if each["metadata"]["name"] == name
            )
            assert replicas > budget["minAvailable"], "a node could never be emptied"


@pytest.mark.parametrize("server", ["postgres", "redis"])
def test_a_server_is_reached_by_those_that_reach_it_in_compose(server: str) -> None:
    def roles(policy: str, side: str) -> set[str]:
        (found,) = (each for each in kind("NetworkPolicy") if each["metadata"]["name"] == policy)
        selector = found["spec"]["podSelector"]
        if side == "from":
            selector = found["spec"]["ingress"][0]["from"][0]["podSelector"]
        return set(selector["matchExpressions"][0]["values"])

    networks = set(services()[server]["networks"])
    reach = {
        workload(name)["metadata"]["labels"]["role"]
        for name, service in SERVICES.items()
        if networks & set(services()[service]["networks"])
    }
    assert roles(server, "to") == reach
    assert roles(f"into-{server}", "from") == reach


def test_gpus_are_asked_for_where_the_launcher_is_told_of_one() -> None:
    pod = workload("pixelmill-worker-gpu")["spec"]
    assert container("pixelmill-worker-gpu")["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert pod["tolerations"][0]["key"] == "nvidia.com/gpu"
    assert "tolerations" not in workload("pixelmill-worker-cpu")["spec"]


@pytest.mark.parametrize("pool", ["cpu", "gpu"])
def test_workers_are_counted_by_metrics_and_labels_that_exist(pool: str) -> None:
    (scaled,) = (
        each for each in kind("ScaledObject")
        if each["metadata"]["name"] == f"pixelmill-worker-{pool}"
    )  # fmt: skip
    assert scaled["spec"]["scaleTargetRef"]["name"] in SERVICES
    assert scaled["spec"]["minReplicaCount"] < scaled["spec"]["maxReplicaCount"]
    query = scaled["spec"]["triggers"][0]["metadata"]["query"]
    named = re.findall(r"\bpixelmill_\w+", query)
    assert named
    assert set(named) <= set(DECLARED)
    assert set(re.findall(r'(\w+)="(\w+)"', query)) == {("pool", pool)}
    assert all("pool" in DECLARED[each].labels for each in named)


def test_pods_are_scraped_under_the_names_that_the_alerts_know() -> None:
    alerts = (ROOT / "deploy/prometheus/alerts.yml").read_text()
    jobs = {each["metadata"]["name"] for each in kind("PodMonitor")}
    assert jobs == {"pixelmill-api", "pixelmill-io", "pixelmill-worker"}
    assert 'job="pixelmill-api"' in alerts
    assert 'job=~"pixelmill-(worker|io)"' in alerts
    ports = {
        (workload(name)["metadata"]["labels"]["role"], container(name)["ports"][0]["name"])
        for name in WITH_PORT
    }
    for each in kind("PodMonitor"):
        (endpoint,) = each["spec"]["podMetricsEndpoints"]
        assert (each["spec"]["selector"]["matchLabels"]["role"], endpoint["port"]) in ports
        assert endpoint["relabelings"][0]["replacement"] == each["metadata"]["name"]


@needs_kubectl
@pytest.mark.parametrize("parts", [(), ("shared-folder", "scaling", "monitoring")])
@pytest.mark.parametrize("base", ["base", "migrate"])
def test_the_files_go_together_and_hold_against_kubernetes_schemas(
    base: str, parts: tuple[str, ...], tmp_path: Path
) -> None:
    copied = tmp_path / "kubernetes"
    shutil.copytree(FOLDER, copied)
    if base == "migrate":
        parts = tuple(part for part in parts if part == "shared-folder")
    (copied / "mine").mkdir()
    mine = {"resources": [f"../{base}"], "components": [f"../{part}" for part in parts]}
    (copied / "mine/kustomization.yaml").write_text(yaml.safe_dump(mine))
    assert KUBECTL is not None
    done = subprocess.run(
        [KUBECTL, "kustomize", copied / "mine"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    made = list(yaml.safe_load_all(done.stdout))
    for each in made:
        if each["apiVersion"].split("/")[0] in ("keda.sh", "monitoring.coreos.com"):
            continue
        for version in VERSIONS:
            kubernetes_validate.validate(each, version, strict=True)
    pods = [each for each in made if each["kind"] in ("Deployment", "Job")]
    for each in pods:
        spec = each["spec"]["template"]["spec"]
        (only,) = spec["containers"]
        assert only["securityContext"]["readOnlyRootFilesystem"], "the patch has found its pods"
        places = {mount["name"] for mount in only["volumeMounts"]}
        assert places == {volume["name"] for volume in spec["volumes"]}
        if "scaling" in parts and each["metadata"]["name"].startswith("pixelmill-worker"):
            assert "replicas" not in each["spec"]
    mounts = {
        (each["metadata"]["name"], mount["mountPath"]): mount
        for each in pods
        for mount in each["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    }
    if "shared-folder" in parts and base == "base":
        for pool in ("cpu", "gpu"):
            assert mounts[f"pixelmill-worker-{pool}", "/data/blobs/inputs"]["readOnly"] is True
        assert ("pixelmill-beat", "/data/blobs") not in mounts


@needs_kubectl
@pytest.mark.parametrize("folder", ["base", "migrate"])
def test_a_command_of_the_document_that_needs_no_cluster_runs(folder: str) -> None:
    command = f"kubectl kustomize deploy/kubernetes/{folder}"
    assert command in DOCUMENT.read_text()
    done = subprocess.run(command.split(), cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
