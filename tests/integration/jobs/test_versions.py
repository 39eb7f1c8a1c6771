"""A version that is deleted: never under a job, and its weights only after the last one."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from jobs.aftercare.tidying import delete_strays
from jobs.base.bootstrap import Ground
from jobs.base.errors import Conflict, InvalidRequest, ModelNotReady, UnknownModel
from jobs.base.states import VersionState
from jobs.base.storage import Storage, StorageError, weights_name
from jobs.leases.leases import hand_back, is_due, lease_next
from jobs.queue.completion import cancel
from jobs.tables import ModelVersion
from jobs.tenants.audit import OPERATOR
from jobs.tenants.keys import NewKey
from jobs.versions import registry
from jobs.versions.aliases import set_alias
from jobs.versions.deletion import delete_version, erase_versions
from jobs.versions.registry import add_version, find, hold_version, register, resolve
from jobs.versions.validation import VALIDATIONS, accept, refuse
from tests.integration.jobs.builders import claim_one, run_one, submit_items
from tests.integration.jobs.checks import read_job


def stored(ground: Ground, model: ModelVersion) -> ModelVersion:
    with ground.database.read() as session:
        return session.get_one(ModelVersion, (model.name, model.version))


def is_stored(ground: Ground, model: ModelVersion) -> bool:
    return model.weights in set(ground.storage.list("models/"))


def validating(ground: Ground, name: str = "cats") -> ModelVersion:
    blob = weights_name()
    ground.storage.put(blob, [b"weights"])
    record = {"labels": ["a"], "task": "classification"}
    state = VersionState.VALIDATING
    version, _ = add_version(ground.database, name, record, blob, "sha256:1", state, OPERATOR)
    return version


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_equal_weights_that_come_between_two_looks_make_no_second_version(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On SQLite nobody comes between: whoever writes is alone."""
    find_equal, came = registry._find_equal, []

    def overtaken(*given: Any) -> ModelVersion | None:
        found = find_equal(*given)
        if not came:
            came.append(True)
            came.append(validating(ground))
        return found

    monkeypatch.setattr(registry, "_find_equal", overtaken)
    mine = validating(ground)
    assert mine.version == came[1].version == 1
    with ground.database.read() as session:
        assert session.scalar(select(func.count()).where(ModelVersion.name == "cats")) == 1


def test_weights_are_erased_after_the_last_open_job_and_not_before(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    running = submit_items(ground, tenant, digits_model)
    other = submit_items(ground, tenant, digits_model)
    delete_version(ground.database, "digits", 1, OPERATOR)
    assert erase_versions(ground) == 0
    assert run_one(ground, claim_one(ground))
    assert erase_versions(ground) == 0
    assert is_stored(ground, digits_model)
    left = next(job for job in (running, other) if read_job(ground, job.id).ended_at is None)
    cancel(ground.database, tenant.tenant_id, left.id)
    assert erase_versions(ground) == 1
    assert not is_stored(ground, digits_model)
    assert erase_versions(ground) == 0
    assert stored(ground, digits_model).erased_at is not None


def test_no_new_job_gets_a_deleted_version_even_if_it_had_found_it_before(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    with ground.database.read() as session:
        found = resolve(session, "digits", tenant.tenant_id)
    delete_version(ground.database, "digits", 1, OPERATOR)
    with pytest.raises(UnknownModel, match="digits@1"):
        submit_items(ground, tenant, found)
    assert list(ground.storage.list("jobs/")) == []
    with ground.database.read() as session, pytest.raises(UnknownModel):
        resolve(session, "digits", tenant.tenant_id)


def test_a_deletion_waits_for_a_submission_that_is_being_stored(
    ground: Ground, digits_model: ModelVersion
) -> None:
    deleting = threading.Thread(
        target=delete_version, args=(ground.database, "digits", 1, OPERATOR)
    )
    with ground.database.write() as session:
        hold_version(session, "digits", 1)
        deleting.start()
        deleting.join(0.3)
        assert deleting.is_alive()
        assert stored(ground, digits_model).state is VersionState.READY
    deleting.join(20)
    assert stored(ground, digits_model).state is VersionState.DELETED


def test_an_alias_and_a_deletion_at_once_never_leave_an_alias_of_nothing(
    ground: Ground, digits_model: ModelVersion
) -> None:
    outcomes: list[str] = []

    def attempt(act: object, *arguments: object) -> None:
        try:
            act(ground.database, *arguments)
            outcomes.append("done")
        except (Conflict, InvalidRequest) as err:
            outcomes.append(type(err).__name__)

    threads = [
        threading.Thread(target=attempt, args=(set_alias, "digits", "a", 1, None, OPERATOR)),
        threading.Thread(target=attempt, args=(delete_version, "digits", 1, OPERATOR)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(outcomes) in (["Conflict", "done"], ["InvalidRequest", "done"])


def test_one_blob_of_two_names_stays_until_both_are_gone(
    ground: Ground, digits_model: ModelVersion
) -> None:
    # As earlier installations have it, where blobs were named by their digest.
    twin = ModelVersion(
        name="twin", version=1, digest=digits_model.digest, record=digits_model.record,
        weights=digits_model.weights, author="operator", state=VersionState.READY, created_at=0.0,
    )  # fmt: skip
    with ground.database.write() as session:
        session.add(twin)
    delete_version(ground.database, "digits", 1, OPERATOR)
    assert erase_versions(ground) == 1
    assert is_stored(ground, digits_model)
    delete_version(ground.database, "twin", 1, OPERATOR)
    assert erase_versions(ground) == 1
    assert not is_stored(ground, digits_model)


def test_a_store_that_is_away_keeps_the_erasure_due(
    ground: Ground, digits_model: ModelVersion
) -> None:
    class Away(Storage):
        def delete(self, names: object) -> None:
            raise StorageError("away")

    delete_version(ground.database, "digits", 1, OPERATOR)
    assert erase_versions(replace(ground, storage=Away(ground.storage.url))) == 1
    assert stored(ground, digits_model).erased_at is None
    assert erase_versions(ground) == 1
    assert not is_stored(ground, digits_model)


def test_weights_that_nobody_registered_are_found_and_deleted(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    stray = weights_name()
    ground.storage.put(stray, [b"written just before its writer died"])
    ground.storage.put("models/" + "0" * 64 + ".safetensors", [b"of an earlier installation"])
    assert delete_strays(ground) == 0, "what is young may still be registered"
    assert delete_strays(ground, older_than_s=-60) == 1
    assert stray not in set(ground.storage.list("models/"))
    assert is_stored(ground, digits_model)


def test_only_one_worker_at_a_time_tries_a_version_out_and_the_latest_counts(
    ground: Ground, tenant: NewKey
) -> None:
    version = validating(ground)
    first = lease_next(ground, VALIDATIONS)
    assert first is not None
    assert lease_next(ground, VALIDATIONS) is None
    assert not is_due(ground.database, VALIDATIONS)
    with ground.database.write() as session:
        session.get_one(ModelVersion, ("cats", 1)).lease_until = 0.0
    second = lease_next(ground, VALIDATIONS)
    assert second is not None
    assert second.fence == 2
    assert refuse(ground.database, first, "too late") is False
    assert accept(ground.database, second) is True
    assert accept(ground.database, second) is False
    assert stored(ground, version).state is VersionState.READY


def test_a_turn_that_was_given_back_costs_no_try(ground: Ground, tenant: NewKey) -> None:
    version = validating(ground)
    turn = lease_next(ground, VALIDATIONS)
    assert turn is not None
    hand_back(ground, turn)
    row = stored(ground, version)
    assert (row.fence, row.state) == (0, VersionState.VALIDATING)
    assert row.lease_until is not None
    assert 0 < row.lease_until - ground.database.now() <= 10
    assert not is_due(ground.database, VALIDATIONS), "after a pause"


def test_a_refused_version_says_why_and_its_weights_are_erased(
    ground: Ground, tenant: NewKey
) -> None:
    version = validating(ground)
    turn = lease_next(ground, VALIDATIONS)
    assert turn is not None
    refuse(ground.database, turn, "It does not fit.")
    with ground.database.read() as session:
        assert find(session, "cats", tenant.tenant_id).version.reason == "It does not fit."
        with pytest.raises(ModelNotReady, match="does not fit"):
            resolve(session, "cats", tenant.tenant_id)
    assert erase_versions(ground) == 1
    assert not is_stored(ground, version)


def test_a_number_that_is_given_anew_while_it_is_erased_keeps_its_new_weights(
    ground: Ground, tenant: NewKey
) -> None:
    class Meanwhile(Storage):
        """A store in which the number is given to others while its weights are erased."""

        def delete(self, names: Sequence[str]) -> None:
            super().delete(names)
            validating(ground)

    version = validating(ground)
    turn = lease_next(ground, VALIDATIONS)
    assert turn is not None
    refuse(ground.database, turn, "It does not fit.")
    assert erase_versions(replace(ground, storage=Meanwhile(ground.storage.url))) == 1
    row = stored(ground, version)
    assert (row.state, row.erased_at) == (VersionState.VALIDATING, None)
    assert is_stored(ground, row)
    assert not is_stored(ground, version)


def test_a_version_deleted_while_it_is_tried_out_stays_deleted(
    ground: Ground, tenant: NewKey
) -> None:
    validating(ground)
    turn = lease_next(ground, VALIDATIONS)
    assert turn is not None
    delete_version(ground.database, "cats", 1, OPERATOR)
    assert accept(ground.database, turn) is False
    with ground.database.read() as session, pytest.raises(UnknownModel):
        find(session, "cats@1", tenant.tenant_id)


def test_the_operators_registration_gives_equal_weights_the_version_that_they_have(
    ground: Ground, digits_model: ModelVersion
) -> None:
    again = register(
        ground.database, ground.storage, "digits", digits_model.record, b"weights",
        digits_model.digest,
    )  # fmt: skip
    assert again.version == 1
    assert len(list(ground.storage.list("models/"))) == 1
    delete_version(ground.database, "digits", 1, OPERATOR)
    anew = register(
        ground.database, ground.storage, "digits", digits_model.record, b"weights",
        digits_model.digest,
    )  # fmt: skip
    assert anew.version == 2
