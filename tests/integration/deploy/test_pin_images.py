"""The images of others are pinned to what their tags stand for; a local server plays registry."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.compositions import ROOT
from tests.integration.deploy.registries import registry_of

FILES = ("docker-compose.yml", "Dockerfile")
IMAGES = (
    "library/postgres:18",
    "library/redis:8",
    "library/python:3.12-slim",
    "prom/prometheus:v3.5.0",
    "grafana/grafana:12.1.0",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def pin(folder: Path, registry: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "deploy/pin_images.py", "--registry", registry]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


def texts(folder: Path) -> list[str]:
    return [(folder / name).read_text() for name in FILES]


def test_each_foreign_image_gets_its_digest_and_ours_stay(folder: Path) -> None:
    with registry_of(*IMAGES) as registry:
        done = pin(folder, registry.url)
        assert done.returncode == 0, done.stderr
        services = yaml.safe_load((folder / "docker-compose.yml").read_text())["services"]
        assert services["postgres"]["image"] == f"postgres:18@{registry.digest(IMAGES[0])}"
        assert services["redis"]["image"] == f"redis:8@{registry.digest(IMAGES[1])}"
        assert services["api"]["image"] == "pixelmill-api"
        base = f"FROM python:3.12-slim@{registry.digest(IMAGES[2])} AS base"
        assert base in (folder / "Dockerfile").read_text().splitlines()
        assert "FROM base AS tools" in (folder / "Dockerfile").read_text().splitlines()


def test_a_second_time_moves_on_to_the_new_digest(folder: Path) -> None:
    with registry_of(*IMAGES) as registry:
        assert pin(folder, registry.url).returncode == 0
        before = texts(folder)
        assert pin(folder, registry.url).returncode == 0
        assert texts(folder) == before
        old = registry.digest(IMAGES[0])
        registry.manifests[IMAGES[0]] = b"{}"
        assert pin(folder, registry.url).returncode == 0
        assert old not in "".join(texts(folder))
        assert registry.digest(IMAGES[0]) in "".join(texts(folder))


def test_an_image_that_the_registry_does_not_know_leaves_all_as_it_was(folder: Path) -> None:
    before = texts(folder)
    with registry_of(*IMAGES[:2], *IMAGES[3:]) as registry:
        done = pin(folder, registry.url)
    assert done.returncode == 1
    assert "python:3.12-slim" in done.stderr
    assert "404" in done.stderr
    assert texts(folder) == before


def test_a_manifest_that_is_not_what_was_announced_is_refused(folder: Path) -> None:
    before = texts(folder)
    with registry_of(*IMAGES) as registry:
        registry.announced = "sha256:" + "0" * 64
        done = pin(folder, registry.url)
    assert done.returncode == 1
    assert "grafana/grafana:12.1.0" in done.stderr
    assert texts(folder) == before


@pytest.mark.parametrize("registry", ["", "registry.example"])
def test_a_registry_without_an_address_is_told_what_to_say(folder: Path, registry: str) -> None:
    done = pin(folder, registry)
    assert done.returncode == 1
    assert done.stderr == "Say where images without a host come from: REGISTRY=https://…\n"
