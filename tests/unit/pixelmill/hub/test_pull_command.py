"""`pixelmill pull`, in a process of its own, between a hub and a server that are played."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hub_server import TOKEN, FakeHub

VERSION = {"id": "my/small@1", "name": "my/small", "version": 1, "state": "ready"}
PATH = "/v1/models/my/small/versions"
PROXIES = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY"), "http://127.0.0.1:9")


@pytest.fixture
def environ(hub: FakeHub, server, tmp_path: Path) -> dict[str, str]:
    plain = {name: each for name, each in os.environ.items() if not name.startswith("HF_")}
    return {
        **plain,
        **PROXIES,
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "huggingface"),
        "HF_TOKEN": TOKEN,
        "PIXELMILL_URL": server.url,
        "PIXELMILL_API_KEY": "pm_live_test_secret",
    }


def run(environ: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120)


def sent(server) -> dict[str, object]:
    (seen,) = server.to("POST", PATH)
    return dict(json.loads(seen.body.split(b"\r\n\r\n")[1].split(b"\r\n")[0]))


def test_a_model_is_fetched_and_pushed_under_its_own_name(
    environ: dict[str, str], hub: FakeHub, server, say
) -> None:
    server.on("POST", PATH, say.answer(201, VERSION))
    done = run(environ, "-m", "pixelmill", "pull", "timm/small")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "my/small@1\n"
    commit = hub.repositories["timm/small"].commit
    (line,) = done.stderr.splitlines()
    assert line == f"timm/small at {commit[:12]}: 3 files, 0.8 MiB, licence apache-2.0"
    assert sent(server)["architecture"] == "timm/resnet18"
    assert sent(server)["provenance"]["source"] == f"Hugging Face: timm/small@{commit}"
    asked = {path for _, path, _ in hub.seen}
    assert {path.partition("/resolve/")[0].partition("/stored/")[0] for path in asked} == {
        "/api/models/timm/small",
        "/timm/small",
        "",
    }
    assert not [each for _, _, each in hub.seen if "torch" in each["user-agent"]]


def test_the_client_pulls_too(environ: dict[str, str], server, say) -> None:
    server.on("POST", PATH, say.answer(201, VERSION))
    call = "Client().pull('hf:own/vit', 'my/small', check=False)"
    program = f"from pixelmill import Client; print({call}.id)"
    done = run(environ, "-c", program)
    assert done.stdout == "my/small@1\n", done.stderr
    assert done.stderr == ""
    assert sent(server)["architecture"] == "huggingface/vit"


@pytest.mark.parametrize(
    ("arguments", "more", "says"),
    [
        (("hf:own/absent",), {}, "not to be found"),
        (("own/vit",), {}, "hf:OWNER/NAME"),
        (("hf:own/vit",), {"HF_TOKEN": "hf_wrongSecret"}, "does not take the token"),
        (("hf:own/vit",), {"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE"),
        (("hf:own/vit",), {"HF_ENDPOINT": "http://127.0.0.1:9"}, "http://127.0.0.1:9"),
        (("hf:own/vit",), {"HF_ENDPOINT": "http://[::1"}, "HF_ENDPOINT"),
        (("hf:own/vit",), {"HF_ENDPOINT": "elsewhere"}, "elsewhere"),
        (("hf:own/vit",), {"HF_HUB_ETAG_TIMEOUT": "soon"}, "begins with HF_"),
        (("hf:own/vit",), {"HF_HOME": "/proc/none"}, "HF_HOME"),
        (("hf:own/vit", "my/../x"), {}, "no model's name"),
    ],
)
def test_what_goes_wrong_is_one_line_without_a_token(
    environ: dict[str, str], server, arguments: tuple[str, ...], more: dict[str, str], says: str
) -> None:
    done = run(environ | more, "-m", "pixelmill", "pull", *arguments)
    assert done.returncode == 2, done.stderr
    (line,) = [each for each in done.stderr.splitlines() if " MiB, licence " not in each]
    assert says in line
    assert "ecret" not in line
    assert server.seen == []


def test_a_broken_download_shows_no_signed_address(
    environ: dict[str, str], hub: FakeHub, server, say
) -> None:
    server.on("POST", PATH, say.answer(201, VERSION))
    hub.breaks = [1000]
    done = run(environ, "-m", "pixelmill", "pull", "timm/small")
    assert done.returncode == 0, done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_nothing_is_imported_before_it_is_needed(environ: dict[str, str]) -> None:
    program = (
        "import sys, pixelmill, pixelmill.cli\n"
        "print([name for name in ('huggingface_hub', 'httpx2', 'torch') if name in sys.modules])"
    )
    assert run(environ, "-c", program).stdout == "[]\n"


def test_without_the_library_the_way_to_get_it_is_told(
    environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "huggingface_hub.py").write_text("raise ImportError('none')")
    path = os.pathsep.join([str(tmp_path), environ.get("PYTHONPATH", "")])
    done = run(environ | {"PYTHONPATH": path}, "-m", "pixelmill", "pull", "timm/small")
    assert done.returncode == 2
    assert "pip install 'pixelmill[hub]'" in done.stderr
