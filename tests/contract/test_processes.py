"""The Procfile, the compose file, the Dockerfile and the code speak of the same processes."""

import re
import shlex
from typing import get_args

import pytest
import yaml

from jobs.base.hints import CPU, GPU, IO, POOLS
from jobs.base.settings import Settings
from tests.compositions import ROOT, as_shell, command_of_service, services

PACKAGES = ("pixelmill", "api", "workers", "models", "jobs", "migrations")

# Which line of the Procfile each service runs.
LINES = {
    "migrate": "release",
    "api": "api",
    "io": "io",
    "beat": "beat",
    "worker-cpu": "worker",
    "worker-gpu-0": "worker-gpu",
    "worker-gpu-1": "worker-gpu",
}
GPU_SERVICES = ("worker-gpu-0", "worker-gpu-1")
FOREIGN_SERVICES = {"postgres", "redis", "prometheus", "grafana"}


def procfile() -> dict[str, str]:
    lines = (ROOT / "Procfile").read_text().splitlines()
    return dict(line.split(": ", 1) for line in lines if line and not line.startswith("#"))


def command_of_line(line: str, environ: dict[str, str]) -> list[str]:
    return shlex.split(as_shell(line, environ))


def images() -> dict[str, list[str]]:
    """Give each target of the Dockerfile with its lines, those that go on joined."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    stages = re.split(r"^FROM .* AS (\S+)$", text, flags=re.MULTILINE)[1:]
    return {
        name: [line.strip() for line in body.splitlines() if line.strip()]
        for name, body in zip(stages[::2], stages[1::2], strict=True)
    }


def pool_of(command: list[str]) -> str | None:
    """Say which pool a launcher's command line serves."""
    if command[1:3] != ["-m", "workers.launcher"] or "--beat" in command:
        return None
    return IO if "--io" in command else GPU if "--gpus" in command else CPU


def known_variables() -> set[str]:
    """Give each PIXELMILL_… variable that the code reads."""
    settings = {f"PIXELMILL_{name.upper()}" for name in Settings.model_fields}
    code = [path.read_text() for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return settings | set(re.findall(r"\.get\(\"(PIXELMILL_\w+)\"", "\n".join(code)))


def test_every_service_of_ours_is_a_line_of_the_procfile() -> None:
    assert set(services()) - FOREIGN_SERVICES == set(LINES)
    assert set(LINES.values()) == set(procfile())


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("environ", [{}, {"WORKERS": "3"}], ids=["defaults", "set"])
def test_a_service_runs_what_the_procfile_runs(name: str, environ: dict[str, str]) -> None:
    service = services()[name]
    inside = {key: str(value) for key, value in service["environment"].items() if value}
    line = command_of_line(procfile()[LINES[name]], {**inside, **environ})
    assert command_of_service(service, environ) == line


@pytest.mark.parametrize(("target", "name"), [("api", "api"), ("worker", "worker-cpu")])
def test_an_image_runs_by_itself_what_its_service_runs(target: str, name: str) -> None:
    (command,) = [line for line in images()[target] if line.startswith("CMD ")]
    assert yaml.safe_load(command.removeprefix("CMD ")) == command_of_service(services()[name], {})
    assert services()[name]["build"]["target"] == target


@pytest.mark.parametrize("target", ["api", "worker"])
def test_an_image_does_not_run_as_root(target: str) -> None:
    users = [line for line in images()[target] if line.startswith("USER ")]
    assert users == ["USER pixelmill"]


def test_only_the_workers_images_have_torch() -> None:
    targets = {name: services()[name]["build"]["target"] for name in LINES}
    with_networks = {name for name, target in targets.items() if target == "worker"}
    assert with_networks == {"worker-cpu", *GPU_SERVICES}
    assert not any("worker.txt" in line for line in images()["api-dependencies"])


def test_every_queue_has_a_line_and_a_service_that_serve_it() -> None:
    by_procfile = {pool_of(command_of_line(line, {})) for line in procfile().values()}
    by_compose = {pool_of(command_of_service(services()[name], {})) for name in LINES}
    assert by_procfile - {None} == by_compose - {None} == set(POOLS)
    assert set(get_args(Settings.model_fields["pool_for_jobs"].annotation)) < set(POOLS)


def test_each_gpu_service_has_one_device_of_its_own() -> None:
    devices = []
    for name in GPU_SERVICES:
        assert services()[name]["profiles"] == ["gpu"]
        (wanted,) = services()[name]["deploy"]["resources"]["reservations"]["devices"]
        assert wanted["driver"] == "nvidia"
        assert wanted["capabilities"] == ["gpu"]
        devices.append(wanted["device_ids"])
    assert devices == [["0"], ["1"]]
    others = set(LINES) - set(GPU_SERVICES)
    assert not any("deploy" in services()[name] for name in others)


def test_every_service_has_a_host_name_that_tells_it_in_a_log() -> None:
    names = [services()[name].get("hostname") for name in LINES if name != "migrate"]
    assert None not in names
    assert len(set(names)) == len(names)


def test_nothing_starts_before_the_migrations_are_done() -> None:
    for name in set(LINES) - {"migrate"}:
        waits_for = services()[name]["depends_on"]
        assert waits_for["migrate"] == {"condition": "service_completed_successfully"}, name
    assert services()["migrate"]["restart"] == "no"


def test_a_stopping_service_has_longer_than_the_process_in_it_takes() -> None:
    grace_s = Settings.model_fields["grace_s"].default
    for name in ("io", "worker-cpu", *GPU_SERVICES):
        assert int(services()[name]["stop_grace_period"].removesuffix("s")) > grace_s + 5


@pytest.mark.parametrize("file", ["Procfile", "docker-compose.yml", "Dockerfile"])
def test_every_variable_that_is_set_is_one_that_the_code_reads(file: str) -> None:
    named = set(re.findall(r"\bPIXELMILL_\w+", (ROOT / file).read_text()))
    assert named <= known_variables()


def test_no_secret_is_written_into_what_is_committed() -> None:
    text = "".join((ROOT / name).read_text() for name in ("docker-compose.yml", "Dockerfile"))
    for line in re.findall(r"^.*(?:PASSWORD|SECRET|TOKEN).*$", text, re.MULTILINE):
        # A name without a value is passed on from .env.
        assert line.lstrip().startswith("#") or "${" in line or line.endswith(":"), line
