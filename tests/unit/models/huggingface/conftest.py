"""No test of this folder may reach a network: whatever tries is an error."""

import socket

import pytest

from tests.unit.models.huggingface.folders import TINIES


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("something wants to reach a network")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def vit(tmp_path):
    """A folder with a tiny ViT that tells five classes."""
    TINIES[0].save(tmp_path / "vit")
    return tmp_path / "vit"
