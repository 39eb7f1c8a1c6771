"""What a record leaves out is read, and what a file is not is refused."""

from typing import Any

import timm
from safetensors.torch import save

from jobs.base.bootstrap import Ground
from jobs.base.states import Outcome, VersionState
from jobs.base.storage import weights_name
from jobs.tables import ModelVersion
from jobs.tenants.audit import OPERATOR
from jobs.tenants.keys import NewKey
from jobs.versions.registry import add_version
from models.runtime import weights as weights_file
from tests.integration.jobs.checks import check_job
from tests.integration.workers.device.pushed import PARAMS, NewEngine, state_of
from tests.integration.workers.fakes import picture, submit_contents
from tests.model_files.onnx_files import brightness_onnx


def femto(classes: int = 3) -> bytes:
    network = timm.create_model("test_resnet", pretrained=False, num_classes=classes)
    return save({name: each.contiguous() for name, each in network.state_dict().items()})


def unread(**said: Any) -> dict[str, Any]:
    """A record as the API stores it when a worker is to read the rest."""
    return {"task": "", "labels": [], "preprocess": {}, "architecture": "timm/test_resnet", **said}


def push_unread(ground: Ground, weights: bytes, name: str = "cats", **said: Any) -> ModelVersion:
    blob = weights_name()
    ground.storage.put(blob, [weights])
    record, digest = {"name": name, **unread(**said)}, weights_file.digest(weights)
    validating = VersionState.VALIDATING
    return add_version(ground.database, name, record, blob, digest, validating, OPERATOR)[0]


def record_of(ground: Ground, version: ModelVersion) -> dict[str, Any]:
    with ground.database.read() as session:
        return session.get_one(ModelVersion, (version.name, version.version)).record


def test_what_a_record_leaves_out_is_read_and_kept(
    ground: Ground, tenant: NewKey, new_engine: NewEngine
) -> None:
    version, engine = push_unread(ground, femto(), labels=["a", "b", "c"]), new_engine()
    engine.drain()
    assert state_of(ground, version) == (VersionState.READY, "")
    record = record_of(ground, version)
    assert (record["task"], record["labels"]) == ("classification", ["a", "b", "c"])
    assert record["preprocess"]["resize_by"] == "pillow"
    assert record["asked"]["labels"] == ["a", "b", "c"]
    version.record = record
    job = submit_contents(ground, tenant, version, [picture(1)] * 3, params=PARAMS)
    engine.drain()
    assert check_job(ground, job.id).outcome is Outcome.SUCCEEDED


def test_the_same_file_pushed_again_is_the_version_that_it_was(
    ground: Ground, new_engine: NewEngine
) -> None:
    weights = femto()
    first = push_unread(ground, weights, labels=["a", "b", "c"])
    new_engine().drain()
    again = push_unread(ground, weights, labels=["a", "b", "c"])
    other = push_unread(ground, weights, labels=["a", "b", "d"])
    assert (first.version, again.version, other.version) == (1, 1, 2)


def test_a_refused_version_has_used_up_no_number(ground: Ground, new_engine: NewEngine) -> None:
    engine = new_engine()
    refused = push_unread(ground, femto())
    engine.drain()
    state, reason = state_of(ground, refused)
    assert (state, "--labels" in reason) == (VersionState.REFUSED, True)
    good = push_unread(ground, femto(), labels=["a", "b", "c"])
    engine.drain()
    assert (refused.version, good.version) == (1, 1)
    assert state_of(ground, good) == (VersionState.READY, "")


def test_a_task_that_was_read_has_to_be_that_of_the_models_other_versions(
    ground: Ground, new_engine: NewEngine
) -> None:
    engine = new_engine()
    push_unread(ground, femto(), labels=["a", "b", "c"])
    embedder = push_unread(ground, femto(), architecture="timm/test_resnet-embedding")
    engine.drain()
    state, reason = state_of(ground, embedder)
    assert (state, "does classification" in reason) == (VersionState.REFUSED, True)


def test_a_file_of_onnx_is_examined_behind_walls_and_run(
    ground: Ground, tenant: NewKey, new_engine: NewEngine
) -> None:
    said = {"architecture": "onnx", "labels": ["dark", "bright"], "options": {"scale": "unit"}}
    version = push_unread(ground, brightness_onnx(), "lamps", **said)
    engine = new_engine()
    engine.drain()
    assert state_of(ground, version) == (VersionState.READY, "")
    version.record = record_of(ground, version)
    job = submit_contents(ground, tenant, version, [picture(1)] * 3, params=PARAMS)
    engine.drain()
    assert check_job(ground, job.id).outcome is Outcome.SUCCEEDED


def test_a_file_that_is_not_onnx_is_refused(ground: Ground, new_engine: NewEngine) -> None:
    version = push_unread(ground, b"\x08\x09" + b"nothing" * 50, "lamps", architecture="onnx")
    new_engine().drain()
    assert state_of(ground, version)[0] is VersionState.REFUSED
