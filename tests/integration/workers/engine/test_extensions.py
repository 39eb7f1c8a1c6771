"""A worker with modules of an operator's own: their faults cost them, and nobody else."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from jobs.base.bootstrap import Ground
from jobs.base.states import Outcome, VersionState
from jobs.base.storage import weights_name
from jobs.tables import ModelVersion
from jobs.tenants.audit import OPERATOR
from jobs.tenants.keys import NewKey
from jobs.versions.registry import add_version, register
from models.catalog import SHIPPED
from models.extensions import Architecture
from models.extensions.loading import EXTENSIONS
from models.pictures.data import encode
from models.runtime import weights as weights_file
from models.runtime.torch_runtime import extend
from tests.integration.jobs.checks import check_job
from tests.integration.workers.conftest import with_
from tests.integration.workers.fakes import answers_of, picture, rows_of_job, submit_contents
from tests.model_files.own_modules import Means, NewModule, classes, new_module, prepare
from tests.model_files.weights_files import DIGITS
from workers.engine.engine import Engine

__all__ = ["new_module"]

NewEngine = Callable[..., Engine]
DIGEST = weights_file.digest(DIGITS)
PARAMS = {"top_k": 1, "min_confidence": 0.0, "decode": "exact"}
USUAL: dict[str, Any] = {"build": Means, "task": "classification", "labels": ("a", "b")}


def loaded(new_module: NewModule, **says: Any) -> None:
    usual = USUAL | {"prepare": prepare, "postprocess": classes}
    assert extend([new_module("mine", {"own/net": Architecture(**(usual | says))})]) == []


def push(ground: Ground, architecture: str = "own/net") -> ModelVersion:
    """Register what an operator pushes without a word but the architecture's name."""
    torch.manual_seed(0)
    weights, blob = weights_file.write(Means(2).state_dict()), weights_name()
    ground.storage.put(blob, [weights])
    unread = {"task": "", "labels": [], "preprocess": {}}
    record = {"name": "cats", "architecture": architecture, **unread}
    digest, validating = weights_file.digest(weights), VersionState.VALIDATING
    return add_version(ground.database, "cats", record, blob, digest, validating, OPERATOR)[0]


def row_of(ground: Ground, version: ModelVersion) -> ModelVersion:
    with ground.database.read() as session:
        return session.get_one(ModelVersion, (version.name, version.version))


def test_a_version_is_completed_by_the_module_of_its_architecture(
    ground: Ground, tenant: NewKey, new_engine: NewEngine, new_module: NewModule
) -> None:
    loaded(new_module)
    version, engine = push(ground), new_engine()
    engine.drain()
    row = row_of(ground, version)
    assert (row.state, row.reason) == (VersionState.READY, None)
    assert (row.record["task"], row.record["labels"]) == ("classification", ["a", "b"])
    job = submit_contents(ground, tenant, row, [picture(1), picture(2)], params=PARAMS)
    engine.drain()
    assert set(answers_of(ground, job)) <= {"a", "b"}


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ({"build": lambda _: 1 / 0}, ["cannot be built", "ZeroDivisionError"]),
        ({"postprocess": lambda *_: [{"class": "a"}]}, ["the contract of classification"]),
        ({"postprocess": lambda *_: 1 / 0}, ["`postprocess`", "ZeroDivisionError"]),
        ({"prepare": lambda *_: 1 / 0}, ["`prepare`", "ZeroDivisionError"]),
        ({"describe": lambda *_: 1 / 0}, ["cannot be described", "ZeroDivisionError"]),
        ({"labels": ()}, ["--labels"]),
    ],
    ids=lambda each: next(iter(each)),
)
def test_what_a_module_does_wrong_refuses_its_version_in_one_line_and_the_worker_goes_on(
    ground: Ground,
    tenant: NewKey,
    new_engine: NewEngine,
    new_module: NewModule,
    says: dict[str, Any],
    words: list[str],
) -> None:
    loaded(new_module, **says)
    version, engine = push(ground), new_engine()
    engine.drain()
    row = row_of(ground, version)
    assert row.state is VersionState.REFUSED
    assert row.reason is not None
    for word in ("'own/net' of the extension 'mine'", *words):
        assert word in row.reason
    assert "\n" not in row.reason
    plain = SHIPPED["digits"].to_json()
    digits = register(ground.database, ground.storage, "digits", plain, DIGITS, DIGEST)
    job = submit_contents(ground, tenant, digits, [picture(1)], params=PARAMS)
    engine.drain()
    assert check_job(ground, job.id).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("part", ["prepare", "postprocess"])
def test_a_function_that_fails_on_one_picture_costs_that_one(
    ground: Ground,
    tenant: NewKey,
    new_engine: NewEngine,
    new_module: NewModule,
    part: str,
) -> None:
    def prepare_most(record: Any, given: Any) -> Any:
        if part == "prepare" and given.height == 30:
            raise KeyError("too high")
        return prepare(record, given)

    def most_classes(record: Any, row: Any, seen: Any, params: Any) -> Any:
        if part == "postprocess" and seen.height == 30:
            raise KeyError("too high")
        return classes(record, row, seen, params)

    loaded(new_module, prepare=prepare_most, postprocess=most_classes)
    version, engine = push(ground), new_engine()
    engine.drain()
    row = row_of(ground, version)
    assert row.state is VersionState.READY, row.reason
    pictures = [png(20, 20), png(30, 200), png(25, 25)]
    job = submit_contents(ground, tenant, row, pictures, params=PARAMS)
    engine.drain()
    answers = answers_of(ground, job)
    assert answers[1] == "extension_failed"
    assert {answers[0], answers[2]} <= {"a", "b"}
    (error,) = [each.error for each in rows_of_job(ground, job) if each.error]
    named = f"The architecture 'own/net' of the extension 'mine' failed in `{part}`: KeyError"
    assert error.message.startswith(named)
    assert error.is_fault
    assert check_job(ground, job.id).faults == 1


def png(height: int, width: int) -> bytes:
    return encode(np.full((height, width, 3), 255, np.uint8), ".png")


def test_a_worker_without_the_module_says_what_is_wrong_with_it(
    ground: Ground, tenant: NewKey, new_engine: NewEngine, new_module: NewModule
) -> None:
    loaded(new_module)
    version = push(ground)
    new_engine().drain()
    row = row_of(ground, version)
    assert row.state is VersionState.READY, row.reason
    new_module("mine", {"own/net": 3})
    EXTENSIONS._found.clear()
    assert len(extend(["mine"])) == 1
    job = submit_contents(ground, tenant, row, [picture(1)], params=PARAMS)
    new_engine(with_(ground, max_attempts=1)).drain()
    assert answers_of(ground, job) == ["model_unusable"]
    (error,) = [each.error for each in rows_of_job(ground, job) if each.error]
    assert error.retryable
    for word in ("'own/net'", "'mine'", "neither a builder"):
        assert word in error.message
