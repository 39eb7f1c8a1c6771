"""deploy/systemd runs what docker-compose.yml runs, with few rights, and systemd reads it.

The commands of its document need a machine that systemd has started.
"""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.base.settings import OTHER_VARIABLES, Settings
from tests.compositions import ROOT, services

FOLDER = ROOT / "deploy/systemd"
DOCUMENT = ROOT / "docs/systemd.md"
UNITS = sorted(path.name for path in FOLDER.glob("*.service"))
PYTHON = "/opt/pixelmill/bin/python"
ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not on PATH")
# What `systemd-analyze security` calls OK ends at 4; a service without these options has 9.6.
MOST_EXPOSED = 2.0

# Of each unit: its service in docker-compose.yml.
SERVICES = {
    "pixelmill-api.service": "api",
    "pixelmill-beat.service": "beat",
    "pixelmill-io.service": "io",
    "pixelmill-migrate.service": "migrate",
    "pixelmill-worker-gpu@.service": "worker-gpu-0",
    "pixelmill-worker.service": "worker-cpu",
}


def options(unit: str) -> dict[str, list[str]]:
    """Give what a unit says, by option: several lines of one are a list."""
    found: dict[str, list[str]] = {}
    for line in (FOLDER / unit).read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def only(unit: str, name: str) -> str:
    (value,) = options(unit)[name]
    return value


def test_there_is_a_unit_for_every_role_and_no_other() -> None:
    assert set(UNITS) == set(SERVICES)
    for unit in UNITS:
        assert only(unit, "WantedBy") == "pixelmill.target"


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_runs_what_its_service_runs(unit: str) -> None:
    commands = [command.split() for command in options(unit)["ExecStart"]]
    compose = " ".join(services()[SERVICES[unit]]["command"])
    for interpreter, flag, module, *arguments in commands:
        assert interpreter == PYTHON
        assert flag == "-m"
        assert importlib.util.find_spec(module) is not None
        assert f"-m {module}" in compose.replace("python ", "")
        assert {each for each in arguments if each.startswith("--")} <= set(
            re.findall(r"--[\w-]+", compose)
        )


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_ends_later_than_its_processes_hand_back_what_they_hold(unit: str) -> None:
    if unit == "pixelmill-migrate.service":
        return
    grace_s = Settings.model_fields["grace_s"].default
    assert int(only(unit, "TimeoutStopSec")) >= grace_s + 15
    # The launcher tells its processes itself; a signal to all would be their second.
    assert only(unit, "KillMode") == "mixed"
    assert only(unit, "Restart") == "always"
    assert "pixelmill-migrate.service" in only(unit, "Requires")


def test_all_roles_of_a_machine_keep_the_names_of_launchers_in_one_place() -> None:
    places = {each for unit in UNITS for each in options(unit)["Environment"] if "TMPDIR" in each}
    assert places == {"TMPDIR=/var/lib/pixelmill/tmp PYTHONUNBUFFERED=1"}
    assert all("pixelmill/tmp" in only(unit, "StateDirectory") for unit in UNITS)


def test_the_file_of_settings_has_settings_that_there_are_and_no_secrets() -> None:
    known = {f"PIXELMILL_{name.upper()}" for name in Settings.model_fields}
    known |= {f"PIXELMILL_{name}" for name in OTHER_VARIABLES}
    lines = (FOLDER / "pixelmill.env").read_text().splitlines()
    named = {line.split("=")[0] for line in lines if line and not line.startswith("#")}
    assert named <= known
    assert not any(re.search("TOKEN|PASSWORD|_KEY", name) for name in named)


def test_the_document_names_every_unit() -> None:
    text = DOCUMENT.read_text()
    assert [unit for unit in UNITS if unit.removesuffix(".service") not in text] == []


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The units with an interpreter that is there."""
    folder = tmp_path_factory.mktemp("units")
    for path in FOLDER.iterdir():
        text = path.read_text().replace(PYTHON, sys.executable)
        (folder / path.name).write_text(text)
    return folder


@needs_systemd
def test_systemd_reads_the_units_without_a_word(here: Path) -> None:
    assert ANALYZE is not None
    files = [str(path) for path in here.iterdir() if path.suffix in (".service", ".target")]
    done = subprocess.run([ANALYZE, "verify", *files], capture_output=True, text=True)
    said = [line for line in (done.stdout + done.stderr).splitlines() if "pixelmill" in line]
    assert said == []


@needs_systemd
@pytest.mark.parametrize("unit", UNITS)
def test_systemd_finds_a_unit_little_exposed(unit: str, here: Path) -> None:
    assert ANALYZE is not None
    done = subprocess.run(
        [ANALYZE, "security", "--offline=true", str(here / unit)], capture_output=True, text=True
    )
    found = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    assert found is not None, done.stdout + done.stderr
    assert float(found[1]) <= MOST_EXPOSED


@needs_systemd
def test_what_processes_and_their_walls_call_is_among_the_calls_that_are_left() -> None:
    """Decoders confine themselves, and lower their own priority, within the unit's filter."""
    allowed = calls_of("@system-service") - calls_of("@privileged")
    needed = {
        "prctl", "memfd_create", "pidfd_open", "pidfd_send_signal", "setpriority", "prlimit64",
        "mmap", "futex", "clone", "clone3", "execve", "flock", "sendmsg", "recvmsg", "ppoll",
        "epoll_wait", "statfs", "sched_getaffinity", "kill", "wait4",
    }  # fmt: skip
    assert needed - allowed == set()


def calls_of(group: str) -> set[str]:
    """Give the calls of one of systemd's groups, and of those that it is made of."""
    assert ANALYZE is not None
    done = subprocess.run([ANALYZE, "syscall-filter", group], capture_output=True, text=True)
    lines = {line.strip() for line in done.stdout.splitlines()[1:]}
    names = {line for line in lines if line and not line.startswith(("#", "@"))}
    parts = [calls_of(line) for line in lines if line.startswith("@")]
    return names.union(*parts)
