"""No test of this folder may reach a network: whatever tries is an error."""

import shutil
import socket

import pytest

from benchmarks.parity.hugging_face.tinies import TINIES
from benchmarks.parity.hugging_face.tiny import network_of, read
from models.runtime import weights as weights_file
from tests.unit.models.huggingface.towers import KINDS, pictures
from tests.unit.models.huggingface.two_towers import (
    TASK,
    save,
)


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


@pytest.fixture(scope="module")
def towers(tmp_path_factory):
    """Saved folders; made once."""
    return {kind: save(kind, tmp_path_factory.mktemp(kind), pictures()) for kind in KINDS}


@pytest.fixture(scope="module")
def networks(towers):
    return {kind: network_of(each.folder, task=TASK) for kind, each in towers.items()}


@pytest.fixture
def sent(towers, tmp_path, request):
    """A record and tensors as a caller sends them, to be spoilt."""
    record, weights = read(towers[getattr(request, "param", "clip")].folder, task=TASK)
    return record, weights_file.read(weights)
