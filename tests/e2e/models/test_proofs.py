"""A push is held against the network's own library, and its proof stands in the version's card."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pixelmill import InvalidInput, InvalidRequest
from tests.e2e.models import foreign
from tests.e2e.models.foreign import LABELS
from tests.e2e.stacks import RunningStack


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("timm") / "beasts.safetensors"
    path.write_bytes(foreign.packed(foreign.timm_network("test_resnet")))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return foreign.write_pictures(tmp_path_factory.mktemp("pictures") / "files", 4)


def run(stack: RunningStack, *arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pixelmill", *map(str, arguments)]
    environ = {**os.environ, "PIXELMILL_DATA": str(stack.data)}
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120)


TIMM: dict[str, Any] = {"architecture": "timm/test_resnet", "labels": LABELS}


def test_a_push_is_held_against_its_library_by_itself(
    stack: RunningStack, weights: Path, folder: Path
) -> None:
    with stack.client() as client:
        model = client.push("my/proven", weights, **TIMM, wait=50)
        assert model.state == "ready"
        assert model.proof is not None
        assert set(model.proof["against"]) == {"timm", "torch"}
        assert (model.proof["samples"], model.proof["holds"]) == (3, True)
        again = client.push("my/proven-here", weights, **TIMM, check=folder, wait=50)
        assert again.proof is not None
        assert again.proof["samples"] == 4
        # It is there, and was not held against these pictures.
        with pytest.raises(InvalidInput, match="my/proven@1 was there already"):
            client.push("my/proven", weights, **TIMM, check=folder, wait=50)
        assert client.push("my/proven", weights, **TIMM, wait=50).id == "my/proven@1"
        once_more = client.push("my/proven-here", weights, **TIMM, check=folder, wait=50)
        assert once_more.id == again.id
        plain = client.push("my/unproven", weights, **TIMM, check=False, wait=50)
        assert (plain.state, plain.proof) == ("ready", None)
    told = run(stack, "versions", "my/proven").stdout
    assert "timm" in told
    assert "on 3 pictures: confidences within" in told


def test_what_answers_otherwise_is_refused_with_the_likely_reason(
    stack: RunningStack, weights: Path, folder: Path
) -> None:
    with stack.client() as client:
        preprocess = client.push("my/right", weights, **TIMM, check=False, wait=50).raw[
            "preprocess"
        ]
        wrong = {"preprocess": {**preprocess, "mean": [0.0] * 3, "std": [1.0] * 3}}
        with pytest.raises(InvalidRequest) as refused:
            client.push("my/wrong", weights, wrong, **TIMM, check=folder, wait=50)
        assert "does not answer as timm" in str(refused.value)
        assert "with pixels of -1 to 1" in str(refused.value)
        (version,) = client.versions("my/wrong")
        assert version.proof is not None
        assert not version.proof["holds"]
        assert client.push("my/wrong", weights, **TIMM, wait=50).id == "my/wrong@1"


def test_an_onnx_file_is_held_against_answers_that_are_given(
    stack: RunningStack, folder: Path, tmp_path: Path
) -> None:
    data = foreign.exported(foreign.conv_network(), (32, 32))
    (tmp_path / "best.onnx").write_bytes(data)
    paths = sorted(folder.iterdir())
    chances = foreign.onnx_chances(data, foreign.read_pictures(folder))
    answers = {
        path.name: [
            {"class": label, "confidence": chance}
            for label, chance in zip(LABELS, row.tolist(), strict=True)
        ]
        for path, row in zip(paths, chances, strict=True)
    }
    (tmp_path / "expected.json").write_text(json.dumps(answers))
    given = ("--labels", ",".join(LABELS), "--check", folder)
    expected = ("--expected", tmp_path / "expected.json")
    onnx = tmp_path / "best.onnx"
    done = run(stack, "push", "my/onnx", onnx, *given, *expected, "--scale", "imagenet")
    assert done.stdout == "my/onnx@1\n", done.stderr
    assert "it answers as expected.json on 4 pictures: confidences within" in done.stderr
    done = run(stack, "push", "my/odd", onnx, *given, *expected, "--scale", "unit")
    assert done.returncode != 0
    assert "with ImageNet's mean and deviation" in done.stderr
