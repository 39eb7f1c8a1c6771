"""Modules of an operator's own are taken as a whole, or refused in one line that says why."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from models.extensions import Architecture
from models.extensions.loading import EXTENSIONS
from models.records.errors import ExtensionNotLoaded, RecordError, UnknownArchitecture
from models.records.record import ModelRecord
from models.runtime import weights as weights_file
from models.runtime.network import ImageNetwork
from models.runtime.registry import load
from models.runtime.torch_runtime import build, extend
from tests.model_files.own_modules import Means, NewModule, prepare

PREPROCESS = {"resize": 8, "crop": 8, "channels": 3, "mean": [0.0] * 3, "std": [1.0] * 3}


def record(architecture: str, **more: Any) -> ModelRecord:
    plain = {"preprocess": PREPROCESS, "labels": ("a", "b"), "task": "classification", **more}
    return ModelRecord(name="mine", architecture=architecture, **plain)


def refusal(name: str) -> str:
    (fault,) = extend([name])
    assert isinstance(fault, ExtensionNotLoaded)
    assert str(fault) == EXTENSIONS.refused[name]
    assert "\n" not in str(fault)
    return str(fault)


def test_a_builder_alone_runs_as_it_always_did(new_module: NewModule) -> None:
    assert extend([new_module("old", {"old/means": Means})]) == []
    torch.manual_seed(0)
    module = build(record("old/means"))
    network = load(record("old/means"), weights_file.write(module.state_dict()))
    assert type(network) is ImageNetwork
    network.warm_up()


def test_a_module_that_is_not_there_costs_itself_and_nothing_else(new_module: NewModule) -> None:
    good = new_module("good", {"good/means": Means})
    (fault,) = extend(["no.such.module", good])
    for word in ("'no.such.module'", "cannot be imported", "ModuleNotFoundError", "workers run"):
        assert word in str(fault)
    assert isinstance(build(record("good/means")), Means)
    with pytest.raises(ExtensionNotLoaded, match=r"'its/net'.*'no\.such\.module'") as raised:
        build(record("its/net"))
    assert raised.value.retryable


def test_a_module_that_raises_is_told_in_one_line(
    tmp_path: Path, new_module: NewModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "angry_module.py").write_text("raise ValueError('first\\nsecond')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "ValueError: first second" in refusal("angry_module")


@pytest.mark.parametrize(
    ("architectures", "words"),
    [
        ({}, ["ARCHITECTURES"]),
        ({"": Means}, ["''", "a name of 1 to 128"]),
        ({3: Means}, ["3", "a name"]),
        ({"own/net": 3}, ["'own/net'", "neither a builder"]),
        ({"own/net": Architecture(build=3)}, ["'own/net'", "`build`"]),  # type: ignore[arg-type]
        (
            {"own/net": Architecture(build=Means, prepare=3)},  # type: ignore[arg-type]
            ["'own/net'", "`prepare`"],
        ),
        ({"own/net": Architecture(build=Means, task="finding")}, ["'finding'", "detection"]),
        ({"own/net": Architecture(build=Means, labels="cat")}, ["'own/net'", "`labels`"]),
        ({"own/net": Architecture(build=Means, max_batch=0)}, ["'own/net'", "`max_batch`"]),
        ({"digits": Means}, ["'digits'", "Pixelmill's", "'own/digits'"]),
        ({"timm/net": Means}, ["'timm/net'", "timm's"]),
        ({"onnx": Means}, ["'onnx'"]),
        ({"own/good": Means, "own/net": 3}, ["'own/net'"]),
    ],
)
def test_what_a_module_says_wrongly_is_named(
    new_module: NewModule, architectures: dict[Any, Any], words: list[str]
) -> None:
    said = refusal(new_module("mine", architectures))
    for word in ("'mine'", *words):
        assert word in said
    for name in architectures:
        assert EXTENSIONS.find(name) is None, "nothing is half registered"


def test_a_name_of_two_modules_is_the_first_ones(new_module: NewModule) -> None:
    assert extend([new_module("first", {"own/net": Means})]) == []
    said = refusal(new_module("second", {"own/net": Means, "own/other": Means}))
    for word in ("'second'", "'own/net'", "the extension 'first'"):
        assert word in said
    assert EXTENSIONS.find("own/other") is None
    found = EXTENSIONS.find("own/net")
    assert found is not None
    assert found.extension == "first"


def test_a_module_that_is_named_twice_is_one(new_module: NewModule) -> None:
    name = new_module("mine", {"own/net": Means})
    assert extend([name, name]) == []


@pytest.mark.parametrize("broken", [lambda _: 1 / 0, lambda _: "no network"])
def test_a_builder_that_fails_is_told_with_its_name(new_module: NewModule, broken: Any) -> None:
    extend([new_module("mine", {"own/net": Architecture(build=broken, prepare=prepare)})])
    with pytest.raises(RecordError, match=r"'own/net' of the extension 'mine'") as raised:
        build(record("own/net"))
    assert "\n" not in str(raised.value)


def test_memory_that_is_short_is_no_fault_of_a_builder(new_module: NewModule) -> None:
    def greedy(_: int) -> nn.Module:
        raise torch.OutOfMemoryError("no room")

    extend([new_module("mine", {"own/net": greedy})])
    with pytest.raises(torch.OutOfMemoryError):
        build(record("own/net"))


def test_an_unknown_architecture_says_where_ones_own_are_named(new_module: NewModule) -> None:
    with pytest.raises(UnknownArchitecture, match="PIXELMILL_EXTENSIONS") as raised:
        build(record("own/net"))
    assert not raised.value.retryable
