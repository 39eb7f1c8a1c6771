"""docker-compose.yml gives each service what it needs and no more, as docs/containers.md says."""

import re
from pathlib import Path
from typing import Any

import pytest

from jobs.base.settings import Settings
from jobs.tables import Table
from migrations.grants import API, GRANTS, IO, ROLES, WORKER
from tests.compositions import ROOT, compose, environ_of_service, make_passwords, services

OURS = ("migrate", "api", "io", "beat", "worker-cpu", "worker-gpu-0", "worker-gpu-1")
WORKERS = ("worker-cpu", "worker-gpu-0", "worker-gpu-1")
SERVERS = ("postgres", "redis")
MONITORS = ("prometheus", "grafana")

# In which packages a service's settings are read.
READERS = {
    "api": ("api", "jobs"),
    "io": ("workers", "jobs"),
    "beat": ("workers", "jobs"),
    "worker-cpu": ("workers", "jobs"),
}


def variables(name: str) -> set[str]:
    return set(services()[name]["environment"])


def text_of(name: str, variable: str) -> str:
    return str(services()[name]["environment"].get(variable, ""))


def networks(name: str) -> set[str]:
    return set(services()[name]["networks"])


def mounts(name: str) -> list[tuple[str, bool]]:
    """Give the targets of a service's mounts, and whether it may write there."""
    return [_mount(each) for each in services()[name].get("volumes", ())]


def _mount(mount: str | dict[str, Any]) -> tuple[str, bool]:
    if isinstance(mount, dict):
        return mount["target"], not mount.get("read_only", False)
    _, target, *mode = mount.split(":")
    return target, mode != ["ro"]


@pytest.mark.parametrize("name", [*OURS, *SERVERS, *MONITORS])
def test_a_service_can_take_no_rights_and_write_nothing_but_what_is_named(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert "cap_add" not in service


@pytest.mark.parametrize("name", [*OURS, *SERVERS, *MONITORS])
def test_a_service_has_limits_of_memory_and_processes_and_its_log_ends(name: str) -> None:
    service = services()[name]
    assert re.fullmatch(r"(\$\{\w+:-)?\d+[mg]\}?", service["mem_limit"])
    assert 0 < service["pids_limit"] <= 2048
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_that_is_not_ours_does_not_run_as_root(name: str) -> None:
    assert services()[name]["user"] == name


def test_no_two_services_share_a_network_on_which_they_could_speak() -> None:
    apart = compose()["networks"]
    (open_network,) = (name for name, said in apart.items() if not said.get("internal"))
    assert apart[open_network]["driver_opts"] == {"com.docker.network.bridge.enable_icc": "false"}
    for name in (*OURS, *SERVERS):
        assert networks(name) <= set(apart), name
    for name in SERVERS:
        assert open_network not in networks(name), name
    for network in set(apart) - {open_network}:
        members = {name for name in OURS if network in networks(name)}
        assert len(members) <= 1 or members == set(WORKERS), network


def test_who_reads_figures_reaches_no_database() -> None:
    for name in MONITORS:
        for server in SERVERS:
            assert not networks(name) & networks(server), (name, server)


def test_a_service_reaches_the_servers_that_it_has_a_password_of_and_no_others() -> None:
    for name in OURS:
        for server, variable in (
            ("postgres", "PIXELMILL_DATABASE_URL"), ("redis", "PIXELMILL_REDIS_URL"),
        ):  # fmt: skip
            reaches = bool(networks(name) & networks(server))
            assert reaches == (f"@{server}:" in text_of(name, variable)), (name, server)


def test_each_service_has_a_role_and_a_password_of_its_own() -> None:
    roles, passwords = {}, {}
    for name in OURS:
        role = re.match(r"postgresql://(\w+)@", text_of(name, "PIXELMILL_DATABASE_URL"))
        if role:
            roles[name] = role[1]
            passwords.setdefault(role[1], set()).add(text_of(name, "PGPASSWORD"))
    assert roles == {
        "migrate": "pixelmill_migrate", "api": API, "io": IO, **dict.fromkeys(WORKERS, WORKER),
    }  # fmt: skip
    assert all(len(each) == 1 for each in passwords.values())
    assert len(set.union(*passwords.values())) == len(passwords)


def test_who_writes_no_results_into_buckets_can_have_credentials_that_only_read(
    tmp_path: Path,
) -> None:
    name, passwords = "PIXELMILL_BUCKET_CREDENTIALS", make_passwords(tmp_path / ".env")
    writing = {name: '{"gs": {}}'}
    both = {**writing, "READING_BUCKET_CREDENTIALS": '{"s3": {}}'}
    for environ, read in ((both, '{"s3": {}}'), (writing, '{"gs": {}}')):
        given = {
            each: environ_of_service(services()[each], passwords | environ)[name]
            for each in ("api", "io", *WORKERS)
        }
        assert given == {**dict.fromkeys(("api", *WORKERS), read), "io": '{"gs": {}}'}


def test_no_service_gets_all_of_the_environment_file() -> None:
    assert not any("env_file" in service for service in services().values())


def test_every_password_that_is_asked_for_is_made(tmp_path: Path) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    made = make_passwords(tmp_path / ".env")
    assert set(re.findall(r"\$\{(\w+):\?", text)) == set(made)
    assert all(re.fullmatch("[0-9a-f]{48}", password) for password in made.values())
    assert len(set(made.values())) == len(made)


def test_every_setting_reaches_a_service_that_reads_it() -> None:
    settings = {f"PIXELMILL_{name.upper()}" for name in Settings.model_fields}
    given = set().union(*(variables(name) for name in OURS))
    assert settings - given == set()


@pytest.mark.parametrize("name", READERS)
def test_a_service_is_given_only_settings_that_its_code_reads(name: str) -> None:
    paths = [path for package in READERS[name] for path in (ROOT / package).rglob("*.py")]
    code = "\n".join(path.read_text() for path in paths if path.name != "settings.py")
    for setting in Settings.model_fields:
        if f"PIXELMILL_{setting.upper()}" in variables(name):
            assert re.search(rf"\.{setting}\b", code), setting


def test_who_needs_no_blobs_has_none_and_workers_do_not_write_what_was_uploaded() -> None:
    assert not mounts("beat")
    assert not any("blobs" in str(services()[name].get("volumes")) for name in SERVERS)
    for name in WORKERS:
        assert ("/data/blobs/inputs", False) in mounts(name)
    for name in SERVERS:
        scripts = [each for each in mounts(name) if each[0].endswith((".sql", ".sh"))]
        assert scripts
        assert not any(may_write for _, may_write in scripts)


def test_a_folder_that_a_mount_names_is_in_the_image() -> None:
    (made,) = re.findall(r"install -d .*", (ROOT / "Dockerfile").read_text())
    assert "/data/blobs/inputs" in made.split()


def test_every_table_says_what_each_role_may_do_with_it() -> None:
    assert set(GRANTS) == {*Table.metadata.tables, "alembic_version"}
    assert all(len(rights) == len(ROLES) for rights in GRANTS.values())


def test_what_monitors_is_given_files_that_are_there() -> None:
    for name in MONITORS:
        for mount in services()[name]["volumes"]:
            source = mount.split(":")[0]
            assert source in compose()["volumes"] or (ROOT / source).exists(), mount
