"""No test of this folder may reach a network: whatever tries is an error."""

import shutil
import socket

import pytest

from benchmarks.parity.hugging_face.tinies import TINIES


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("something wants to reach a network")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(scope="session")
def saved_vit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "vit"
    TINIES[0].save(folder)
    return folder


@pytest.fixture
def vit(saved_vit, tmp_path):
    """A folder with a tiny ViT that tells five classes, to be spoilt."""
    return shutil.copytree(saved_vit, tmp_path / "vit")
