"""A worker holds a version against the check that came with it, before anybody can run it."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from jobs.base.bootstrap import Ground
from jobs.base.states import VersionState
from jobs.base.storage import Storage, StorageError, check_name, weights_name
from jobs.tables import ModelVersion
from jobs.tenants.audit import OPERATOR
from jobs.tenants.keys import NewKey
from jobs.versions.registry import add_version
from models.catalog import SHIPPED
from models.runtime import weights as weights_file
from models.runtime.registry import load
from tests.integration.workers.conftest import with_
from tests.integration.workers.fakes import picture
from tests.model_files.weights_files import DIGITS
from workers.engine.engine import Engine

NewEngine = Callable[..., Engine]
NETWORK = load(SHIPPED["digits"], DIGITS)


def answer(content: bytes) -> list[dict[str, Any]]:
    outputs = NETWORK.forward([NETWORK.prepare(content)])
    found: list[dict[str, Any]] = NETWORK.postprocess(
        outputs, {"top_k": 10, "min_confidence": 0.0}
    )[0]
    return found


def sample(seed: int, **changes: Any) -> dict[str, Any]:
    content = picture(seed)
    data = base64.b64encode(content).decode()
    return {"name": f"{seed}.png", "data": data, "predictions": answer(content), **changes}


def push(ground: Ground, *samples: dict[str, Any], **changes: Any) -> ModelVersion:
    blob, check = weights_name(), check_name()
    ground.storage.put(blob, [DIGITS])
    text = json.dumps({"against": {"theirs": "7"}, "samples": samples})
    ground.storage.put(check, [text.encode()])
    shipped = SHIPPED["digits"].to_json()
    record = {**shipped, "name": "cats", **changes}
    digest, state = weights_file.digest(DIGITS), VersionState.VALIDATING
    return add_version(
        ground.database, "cats", record, blob, digest, state, OPERATOR, check_blob=check
    )[0]


def row_of(ground: Ground, version: ModelVersion) -> ModelVersion:
    with ground.database.read() as session:
        return session.get_one(ModelVersion, (version.name, version.version))


def test_one_that_answers_so_is_ready_with_its_proof_and_the_pictures_are_gone(
    ground: Ground, tenant: NewKey, new_engine: NewEngine
) -> None:
    version = push(ground, sample(1), sample(2))
    new_engine().drain()
    row = row_of(ground, version)
    assert (row.state, row.check_blob) == (VersionState.READY, None)
    assert row.proof is not None
    assert (row.proof["against"], row.proof["samples"], row.proof["holds"]) == (
        {"theirs": "7"},
        2,
        True,
    )
    (difference,) = row.proof["differences"]
    assert difference["worst"] < 1e-5
    assert list(ground.storage.list("models/")) == [row.weights]


def test_one_that_answers_otherwise_is_refused_with_the_picture_and_the_reason(
    ground: Ground, tenant: NewKey, new_engine: NewEngine
) -> None:
    preprocess = {**SHIPPED["digits"].to_json()["preprocess"], "mean": [0.5], "std": [0.5]}
    version = push(ground, sample(1), sample(2), preprocess=preprocess)
    new_engine().drain()
    row = row_of(ground, version)
    assert row.state is VersionState.REFUSED
    assert row.reason is not None
    assert "does not answer as theirs 7 does on" in row.reason
    assert "pixels of 0 to 1" in row.reason
    assert row.proof is not None
    assert set(row.proof["apart"]) == {"1.png", "2.png"}
    assert list(ground.storage.list("models/")) == [row.weights]


def test_the_next_of_a_refused_number_is_tried_out_itself_and_not_the_refused_network(
    ground: Ground, tenant: NewKey, new_engine: NewEngine
) -> None:
    preprocess = {**SHIPPED["digits"].to_json()["preprocess"], "mean": [0.5], "std": [0.5]}
    refused, engine = push(ground, sample(1), preprocess=preprocess), new_engine()
    engine.drain()
    assert row_of(ground, refused).state is VersionState.REFUSED
    assert engine._networks.held() == [], "and before its weights are erased"
    version = push(ground, sample(1))
    assert (version.name, version.version) == (refused.name, refused.version)
    engine.drain()
    assert row_of(ground, version).state is VersionState.READY
    assert engine._networks.held() == ["cats@1"]


def test_a_network_whose_turn_was_lost_is_not_kept_for_the_next_of_its_number(
    ground: Ground, tenant: NewKey, new_engine: NewEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(ground, sample(1))
    engine = new_engine()

    def lose(*_: Any) -> bool:
        return False

    monkeypatch.setattr("workers.engine.device.loading.accept", lose)
    engine._validator.validate_next()
    assert engine._networks.held() == []


def test_a_picture_that_kills_its_decoder_refuses_the_version_and_nobody_else(
    ground: Ground, tenant: NewKey, new_engine: NewEngine
) -> None:
    broken = {**sample(1), "data": base64.b64encode(b"\xff\xd8\xff").decode()}
    bad, engine = push(ground, broken), new_engine()
    engine.drain()
    row = row_of(ground, bad)
    assert row.state is VersionState.REFUSED
    assert "The check's picture 1.png cannot be read" in (row.reason or "")
    good = push(ground, sample(2))
    engine.drain()
    assert row_of(ground, good).state is VersionState.READY


class Absent(Storage):
    """A store that is away when checks are read, for so many times."""

    times = 1

    def get(self, name: str) -> bytes:
        if name.endswith(".json") and self.times:
            self.times -= 1
            raise StorageError("away")
        return super().get(name)


def test_it_waits_for_a_store_that_is_away(
    ground: Ground, tenant: NewKey, new_engine: NewEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.leases.leases.PAUSE_S", 0.0)
    storage = Absent(ground.settings.storage_url)
    version = push(ground, sample(1))
    engine = new_engine(with_(ground, storage))
    engine.drain()
    engine.drain()
    assert storage.times == 0
    assert row_of(ground, version).state is VersionState.READY
