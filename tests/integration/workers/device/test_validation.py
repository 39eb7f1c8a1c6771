"""A worker tries out what was registered: what does not run is refused, and nothing is executed."""

import threading
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import torch

from jobs.base.bootstrap import Ground
from jobs.base.states import Outcome, VersionState
from jobs.base.storage import Storage, StorageError, weights_name
from jobs.tables import ModelVersion
from jobs.tenants.audit import OPERATOR
from jobs.tenants.keys import NewKey
from jobs.versions.deletion import delete_version, erase_versions
from jobs.versions.registry import add_version
from models.catalog import SHIPPED
from models.runtime import weights as weights_file
from tests.integration.jobs.checks import check_job, shards_of
from tests.integration.workers.conftest import with_
from tests.integration.workers.device.pushed import PARAMS, NewEngine, state_of
from tests.integration.workers.fakes import answers_of, picture, rows_of_job, submit_contents
from tests.model_files.weights_files import DIGITS, Tensors, bomb, changed_digits, noisy_digits
from workers.engine.device import loading


def push(ground: Ground, weights: bytes, digest: str = "", **changes: Any) -> ModelVersion:
    """Register weights as the API does, without a look at them."""
    blob = weights_name()
    ground.storage.put(blob, [weights])
    record = {**SHIPPED["digits"].to_json(), "name": "cats", **changes}
    digest = digest or weights_file.digest(weights)
    validating = VersionState.VALIDATING
    return add_version(ground.database, "cats", record, blob, digest, validating, OPERATOR)[0]


def drop_one(tensors: Tensors) -> None:
    del tensors["dense2.bias"]


def misshape(tensors: Tensors) -> None:
    tensors["dense2.weight"] = torch.zeros(10, 63)


def put_nan(tensors: Tensors) -> None:
    tensors["conv1.bias"][3] = float("nan")


def overflow(tensors: Tensors) -> None:
    tensors["dense1.bias"] = torch.full((64,), 3e38)
    tensors["dense2.weight"] = torch.full((10, 64), 3e38)


def test_a_good_version_becomes_ready_and_is_warm_when_its_first_job_comes(
    ground: Ground, tenant: NewKey, new_engine: NewEngine
) -> None:
    version, engine = push(ground, noisy_digits(1)), new_engine()
    assert engine.has_work()
    engine.drain()
    assert state_of(ground, version) == (VersionState.READY, "")
    assert engine._networks.held() == ["cats@1"]
    assert not engine.has_work()
    job = submit_contents(ground, tenant, version, [picture(1)] * 3, params=PARAMS)
    engine.drain()
    assert check_job(ground, job.id).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize(
    ("weights", "changes", "word"),
    [
        (changed_digits(drop_one), {}, "missing: dense2.bias"),
        (changed_digits(misshape), {}, "another shape"),
        (changed_digits(put_nan), {}, "not finite: conv1.bias"),
        (changed_digits(overflow), {}, "not a number"),
        (DIGITS, {"labels": ["a", "b"]}, "instead of"),
        (DIGITS, {"architecture": "ours/unknown"}, "no architecture"),
        (DIGITS, {"preprocess": {"channels": 1, "mean": [0], "std": [1]}}, "preprocess"),
        (DIGITS, {"preprocess": SHIPPED["digits"].to_json()["preprocess"] | {"mean": "x"}}, "run"),
        (DIGITS[:-4], {}, "bytes"),
        (b"\x80\x04.", {}, "pickle"),
    ],
)
def test_what_does_not_run_is_refused_with_the_reason_and_the_worker_goes_on(
    ground: Ground,
    tenant: NewKey,
    new_engine: NewEngine,
    weights: bytes,
    changes: dict[str, Any],
    word: str,
) -> None:
    bad, engine = push(ground, weights, **changes), new_engine()
    good = push(ground, noisy_digits(1))
    engine.drain()
    state, reason = state_of(ground, bad)
    assert state is VersionState.REFUSED
    assert word in reason
    assert state_of(ground, good)[0] is VersionState.READY
    assert engine._networks.held() == ["cats@2"]


class CountingStorage(Storage):
    """A store that counts how many versions were looked at whenever a shard's results come."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.read_before_results: list[int] = []
        self._read = 0

    def get(self, name: str) -> bytes:
        self._read += name.startswith("models/")
        return super().get(name)

    def create(self, name: str) -> AbstractContextManager[BinaryIO]:
        if "/segments/" in name:
            self.read_before_results.append(self._read)
        return super().create(name)


def test_jobs_and_those_who_register_versions_take_turns(
    ground: Ground, tenant: NewKey, new_engine: NewEngine
) -> None:
    version = push(ground, noisy_digits(1))
    storage = CountingStorage(ground.storage.url)
    engine = new_engine(with_(ground, storage))
    engine.drain()
    for _ in range(3):
        submit_contents(ground, tenant, version, [picture(1)], params=PARAMS)
    for number in range(2, 6):
        push(ground, noisy_digits(number))
    assert engine.drain() == 3
    assert storage.read_before_results == [1, 2, 3], "its own, and one more between two shards"
    assert not engine.has_work(), "all were tried out"


def test_a_pickle_bomb_that_came_this_far_is_not_read(
    ground: Ground, tenant: NewKey, new_engine: NewEngine, tmp_path: Path
) -> None:
    trap = tmp_path / "sprung"
    version = push(ground, bomb(trap))
    new_engine().drain()
    assert state_of(ground, version)[0] is VersionState.REFUSED
    assert not trap.exists()


def test_weights_that_were_tampered_with_before_they_were_tried_are_refused(
    ground: Ground, tenant: NewKey, new_engine: NewEngine
) -> None:
    version = push(ground, DIGITS, digest="sha256:" + "0" * 64)
    new_engine().drain()
    state, reason = state_of(ground, version)
    assert (state, "not the registered ones" in reason) == (VersionState.REFUSED, True)


def test_weights_that_are_tampered_with_later_fail_their_items_and_no_others(
    ground: Ground, tenant: NewKey, new_engine: NewEngine
) -> None:
    bad, good = push(ground, noisy_digits(1)), push(ground, noisy_digits(2))
    new_engine().drain()
    changed = bytearray(ground.storage.get(bad.weights))
    changed[-1] ^= 1
    ground.storage.put(bad.weights, [bytes(changed)])
    jobs = [
        submit_contents(ground, tenant, each, [picture(1)] * 2, params=PARAMS)
        for each in (bad, good)
    ]
    # Another worker, which has nothing loaded yet.
    new_engine(with_(ground, max_attempts=1)).drain()
    assert answers_of(ground, jobs[0]) == ["model_unusable"] * 2
    (message, *_) = [row.error.message for row in rows_of_job(ground, jobs[0]) if row.error]
    assert "not the registered ones" in message
    assert check_job(ground, jobs[0].id).faults == 2
    assert check_job(ground, jobs[1].id).outcome is Outcome.SUCCEEDED


def test_a_version_whose_workers_die_is_refused_after_some_tries(
    ground: Ground, tenant: NewKey, new_engine: NewEngine
) -> None:
    version = push(ground, DIGITS)
    with ground.database.write() as session:
        session.get_one(ModelVersion, ("cats", 1)).fence = ground.settings.max_turns
    new_engine().drain()
    state, reason = state_of(ground, version)
    assert (state, "each time" in reason) == (VersionState.REFUSED, True)


def test_a_store_that_is_away_refuses_nothing(
    ground: Ground, tenant: NewKey, new_engine: NewEngine
) -> None:
    class Away(Storage):
        def size(self, name: str) -> int:
            raise StorageError("away")

    version = push(ground, DIGITS)
    new_engine(with_(ground, Away(ground.storage.url))).drain()
    assert state_of(ground, version) == (VersionState.VALIDATING, "")
    with ground.database.write() as session:
        row = session.get_one(ModelVersion, ("cats", 1))
        assert row.fence == 0
        row.lease_until = None
    new_engine().drain()
    assert state_of(ground, version)[0] is VersionState.READY


def test_a_device_that_is_full_refuses_nothing_at_once(
    ground: Ground, tenant: NewKey, new_engine: NewEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`")

    version = push(ground, DIGITS)
    engine = new_engine(with_(ground, max_turns=2))
    monkeypatch.setattr(loading, "load", full)
    engine.drain()
    assert state_of(ground, version) == (VersionState.VALIDATING, "")
    with ground.database.write() as session:
        row = session.get_one(ModelVersion, ("cats", 1))
        assert row.fence == 1
        row.lease_until = None
    engine.drain()
    assert state_of(ground, version) == (
        VersionState.REFUSED,
        "It does not fit into the memory of the device.",
    )


def test_a_device_that_is_lost_while_a_version_is_loaded_ends_the_process(
    ground: Ground, tenant: NewKey, new_engine: NewEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    class ProcessEnded(BaseException):
        pass

    def lost(*_: object) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    def abort() -> None:
        raise ProcessEnded

    version, engine = push(ground, DIGITS), new_engine()
    monkeypatch.setattr(loading, "load", lost)
    monkeypatch.setattr("os.abort", abort)
    with pytest.raises(ProcessEnded):
        engine.drain()
    assert state_of(ground, version) == (VersionState.VALIDATING, "")


class SlowStorage(Storage):
    """A store that gives a version's weights only when it is told to."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground.storage.url)
        self.asked, self.answers = threading.Event(), threading.Event()

    def size(self, name: str) -> int:
        self.asked.set()
        assert self.answers.wait(20)
        return super().size(name)


def turn_until(ground: Ground) -> float:
    with ground.database.read() as session:
        return session.get_one(ModelVersion, ("cats", 1)).lease_until or 0.0


def test_a_version_that_takes_long_keeps_its_turn_and_no_place_but_its_own(
    ground: Ground, tenant: NewKey, new_engine: NewEngine
) -> None:
    versions = [push(ground, noisy_digits(number)) for number in (1, 2)]
    store = SlowStorage(ground)
    engine = new_engine(with_(ground, store, lease_s=0.1, renew_s=0.05))
    thread = threading.Thread(target=engine.drain)
    thread.start()
    assert store.asked.wait(20)
    others = threading.Thread(target=engine.drain)
    others.start()
    others.join(10)
    goes_on, until = not others.is_alive(), turn_until(ground)
    deadline = time.monotonic() + 10
    while (is_old := turn_until(ground) <= until) and time.monotonic() < deadline:
        pass
    store.answers.set()
    thread.join()
    others.join()
    assert goes_on, "another place goes on with shards"
    assert not is_old, "the turn is renewed"
    assert [state_of(ground, each)[0] for each in versions] == [VersionState.READY] * 2


def test_versions_are_tried_out_while_there_is_no_end_of_shards(
    ground: Ground, tenant: NewKey, new_engine: NewEngine
) -> None:
    first, engine = push(ground, noisy_digits(1)), new_engine()
    engine.drain()
    job = submit_contents(ground, tenant, first, [picture(1)] * 300, params=PARAMS)
    assert len(shards_of(ground, job.id)) > 2
    later: list[ModelVersion] = []
    run = engine._run

    def run_and_push(lease: Any) -> None:
        run(lease)
        if not later:
            later.append(push(ground, noisy_digits(2)))
        elif len(later) == 1:
            later.append(later[0])
            assert state_of(ground, later[0])[0] is VersionState.READY

    engine._run = run_and_push  # type: ignore[method-assign]
    engine.drain()
    assert len(later) == 2


def test_a_deleted_version_leaves_memory_after_its_last_job(
    ground: Ground, tenant: NewKey, new_engine: NewEngine
) -> None:
    version, engine = push(ground, noisy_digits(1)), new_engine()
    engine.drain()
    job = submit_contents(ground, tenant, version, [picture(1)], params=PARAMS)
    delete_version(ground.database, "cats", 1, OPERATOR)
    assert erase_versions(ground) == 0
    engine.drain()
    assert check_job(ground, job.id).outcome is Outcome.SUCCEEDED
    assert engine._networks.held() == ["cats@1"]
    assert erase_versions(ground) == 1
    assert engine.has_work()
    engine.drain()
    assert engine._networks.held() == []
    assert not engine.has_work()
