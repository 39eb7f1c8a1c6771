"""Versions of other sources change while jobs run, as any others do."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from pixelmill import Client
from tests.e2e.models import foreign
from tests.e2e.models.foreign import LABELS
from tests.e2e.stacks import RunningStack, results_of, wait_for


def onnx_file(path: Path, turned: int) -> Path:
    """Write a classifier, its classes moved on by `turned`: two versions of known answers."""
    network = foreign.conv_network()
    with torch.no_grad():
        for each in (network[-1].weight, network[-1].bias):
            each.copy_(each.roll(turned, 0))
    path.write_bytes(foreign.exported(network, (32, 32)))
    return path


def first_classes(chances: torch.Tensor) -> list[str]:
    return [LABELS[int(row.argmax())] for row in chances]


def classes_of(client: Client, job: Any) -> list[str]:
    client.wait(job, timeout=120).check()
    return [row["predictions"][0]["class"] for row in results_of(client, job.id)]


def test_canary_alias_and_shadow_move_between_versions_of_an_onnx_model(
    stack: RunningStack, tmp_path: Path
) -> None:
    folder = foreign.write_pictures(tmp_path / "files", 8)
    paths = [onnx_file(tmp_path / f"{turned}.onnx", turned) for turned in (0, 1)]
    pictures = foreign.read_pictures(folder)
    of = {
        f"moving@{number}": first_classes(foreign.onnx_chances(path.read_bytes(), pictures))
        for number, path in enumerate(paths, 1)
    }
    assert all(one != other for one, other in zip(*of.values(), strict=True))
    with stack.client() as client:
        for number, path in enumerate(paths, 1):
            model = client.push("moving", path, labels=LABELS, scale="imagenet", wait=50)
            assert model.id == f"moving@{number}"

        def run() -> str:
            job = client.submit(folder, model="moving")
            assert classes_of(client, job) == of[str(job.model)]
            return str(job.model)

        client.set_alias("moving", "production", 1)
        assert run() == "moving@1"
        client.set_alias("moving", "production", 1, {"version": 2, "percent": 50})
        ran: Counter[str] = Counter()
        # 30 of one sort in a row come once in half a thousand million runs.
        while len(ran) < 2 and ran.total() < 30:
            ran[run()] += 1
        assert set(ran) == set(of)
        client.set_alias("moving", "production", 2)
        assert run() == "moving@2"

        client.set_shadow("moving", "production", 1, 100)
        assert run() == "moving@2", "nobody sees the shadow"

        def figures() -> Mapping[str, Any] | None:
            told = client.shadow("moving", "production")
            return told if told["jobs"] else None

        seen = wait_for(figures, 90, "the shadow's figures")
        client.end_shadow("moving", "production")
    assert (seen["items"]["compared"], seen["items"]["same"]) == (len(pictures), 0)


def test_a_rerun_on_an_export_of_the_same_network_agrees_with_all_of_it(
    stack: RunningStack, tmp_path: Path
) -> None:
    network, weights = foreign.timm_network("test_resnet"), tmp_path / "same.safetensors"
    weights.write_bytes(foreign.packed(network))
    export, folder = tmp_path / "same.onnx", foreign.write_pictures(tmp_path / "files", 24)
    export.write_bytes(foreign.exported(network, (160, 160)))
    with stack.client() as client:
        architecture = "timm/test_resnet"
        plain = client.push("my/same", weights, architecture=architecture, labels=LABELS, wait=50)
        record = {"labels": LABELS, "preprocess": client.model("my/same").raw["preprocess"]}
        other = client.push("my/same", export, record, wait=50)
        assert (plain.id, other.id) == ("my/same@1", "my/same@2")
        job = client.submit(folder, model=plain.id, params={"top_k": 5})
        before = classes_of(client, job)
        child = client.rerun(job, other.id)
        assert classes_of(client, child) == before
        comparison = client.comparison(child, wait=60)
        changes = list(client.changes(child))
        answers = [results_of(client, each.id) for each in (job, child)]
    assert len(set(before)) > 1
    assert comparison.report["items"]["compared"] == 24
    assert (comparison.agreement, changes) == (1.0, [])
    for one, same in zip(*answers, strict=True):
        for mine, theirs in zip(one["predictions"], same["predictions"], strict=True):
            assert mine["confidence"] == pytest.approx(theirs["confidence"], abs=1e-3)
