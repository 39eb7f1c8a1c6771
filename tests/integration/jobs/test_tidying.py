"""Blobs that no row names are found and deleted, and no other."""

import os
from pathlib import Path

from sqlalchemy import update

from jobs.aftercare.deletion import delete_job
from jobs.aftercare.tidying import delete_strays, tidy_due
from jobs.base.bootstrap import Ground
from jobs.base.ids import made_at, new_id
from jobs.base.storage import input_name, manifest_name, pack_name, segment_name
from jobs.inputs.files import store_file
from jobs.intake.preparation import prepare_next
from jobs.queue.completion import cancel
from jobs.queue.shard_leases import hand_back
from jobs.results.segments import write_segment
from jobs.tables import Job, ModelVersion
from jobs.tenants.keys import NewKey
from tests.integration.jobs.builders import claim_one, rows_of, run_one, submit_items
from tests.integration.jobs.checks import check_results, read_job
from tests.integration.jobs.test_retention import run_all, upload


def make_due(ground: Ground) -> None:
    with ground.database.write() as session:
        session.execute(update(Job).where(Job.tidy_at.is_not(None)).values(tidy_at=1.0))


def blobs_of(ground: Ground, job: Job) -> set[str]:
    return set(ground.storage.list(f"jobs/{job.id}/"))


def test_the_segment_of_an_attempt_that_died_before_its_commit_is_deleted(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model, count=64)
    dead = claim_one(ground)
    orphan = segment_name(job.id, dead.first, dead.fence)
    write_segment(ground.storage, orphan, rows_of(dead))
    assert hand_back(ground.database, dead)
    run_all(ground)
    before = blobs_of(ground, job)
    assert tidy_due(ground) == 0, "a late attempt may still be writing"
    make_due(ground)
    assert tidy_due(ground) == 1
    assert blobs_of(ground, job) == before - {orphan}
    check_results(ground, read_job(ground, job.id))
    assert tidy_due(ground) == 0


def test_a_job_without_broken_attempts_is_not_even_looked_at(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_items(ground, tenant, digits_model, count=64)
    run_all(ground)
    assert read_job(ground, job.id).tidy_at is None


def test_the_manifest_and_packs_of_a_preparation_that_died_are_deleted(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    file = store_file(
        ground, tenant.tenant_id, "lines", "batch", [b'{"input": {"data": "aGVsbG8="}}']
    )
    job = submit_items(ground, tenant, digits_model, requests=None, input_file_id=file.id)
    orphans = {manifest_name(job.id), pack_name(job.id)}
    for name in orphans:
        ground.storage.put(name, [b"half"])
    with ground.database.write() as session:
        session.execute(update(Job).values(prepare_fence=1))
    assert prepare_next(ground) == job.id
    run_one(ground, claim_one(ground))
    before = blobs_of(ground, job)
    make_due(ground)
    assert tidy_due(ground) == 2
    assert blobs_of(ground, job) == before - orphans
    kinds = {name.split("/")[2].split("-")[0] for name in blobs_of(ground, job)}
    assert kinds == {"manifest", "pack", "segments"}


def test_a_job_that_ended_during_its_first_preparation_leaves_nothing(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    file = upload(ground, tenant)
    job = submit_items(ground, tenant, digits_model, requests=None, input_file_id=file.id)
    with ground.database.write() as session:
        session.execute(update(Job).values(prepare_fence=1))
    ground.storage.put(manifest_name(job.id), [b"half"])
    cancel(ground.database, tenant.tenant_id, job.id)
    make_due(ground)
    assert tidy_due(ground) == 1
    assert blobs_of(ground, job) == set()


def test_a_manifest_that_cannot_be_read_keeps_no_other_job_from_being_tidied(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    jobs = []
    for _ in range(2):
        jobs.append(submit_items(ground, tenant, digits_model))
        assert hand_back(ground.database, claim_one(ground))
        run_all(ground)
    broken = manifest_name(jobs[0].id)
    ground.storage.put(broken, [b"no Parquet"])
    orphan = segment_name(jobs[1].id, 0, 1)
    ground.storage.put(orphan, [b"half"])
    with ground.database.write() as session:
        session.execute(update(Job).where(Job.id == jobs[0].id).values(manifest=broken))
    make_due(ground)
    assert tidy_due(ground) == 1
    assert orphan not in blobs_of(ground, jobs[1])
    assert read_job(ground, jobs[0].id).tidy_at > ground.database.now(), "later again"


def test_nothing_is_searched_in_a_store_that_another_installation_uses_too(
    ground: Ground, tenant: NewKey
) -> None:
    stray = pack_name(old_id("job"))
    ground.storage.put(stray, [b"x"])
    ground.storage.put("installations/ten_other", [b"x"])
    assert delete_strays(ground) == 0
    assert stray in set(ground.storage.list("jobs/"))
    ground.storage.delete(["installations/ten_other"])
    assert delete_strays(ground) == 1


def old_id(prefix: str) -> str:
    """An id that was made long ago."""
    return f"{prefix}_" + "0" * 10 + new_id("job")[-16:]


def test_what_never_came_to_exist_is_deleted_after_a_day(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job, file = submit_items(ground, tenant, digits_model), upload(ground, tenant)
    young = {pack_name(new_id("job")), input_name(tenant.tenant_id, new_id("file"))}
    old = {pack_name(old_id("job")), input_name(tenant.tenant_id, old_id("file"))}
    odd = {"jobs/readme.txt", "inputs/x"}
    for name in young | old | odd:
        ground.storage.put(name, [b"x"])
    assert delete_strays(ground) == 2
    left = {*ground.storage.list("jobs/"), *ground.storage.list("inputs/")}
    assert left == young | odd | blobs_of(ground, job) | {file.blob}


def test_old_blobs_whose_rows_exist_stay(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    submit_items(ground, tenant, digits_model)
    upload(ground, tenant)
    before = {*ground.storage.list("jobs/"), *ground.storage.list("inputs/")}
    assert delete_strays(ground, older_than_s=-60) == 0
    assert {*ground.storage.list("jobs/"), *ground.storage.list("inputs/")} == before


def test_what_a_killed_writer_left_half_written_goes_after_a_day_or_with_its_job(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, tmp_path: Path
) -> None:
    job = submit_items(ground, tenant, digits_model)
    staged = [
        tmp_path / "blobs" / f"{name}#1"
        for name in (input_name(tenant.tenant_id, new_id("file")), pack_name(job.id))
    ]
    for path in staged:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    assert not [name for name in ground.storage.list("") if "#" in name], "no listing shows them"
    assert delete_strays(ground) == 0
    delete_job(ground, tenant.tenant_id, job.id)
    assert [path.exists() for path in staged] == [True, False]
    os.utime(staged[0], (1.0, 1.0))
    assert delete_strays(ground) == 1
    assert not staged[0].exists()


def test_an_id_tells_when_it_was_made(ground: Ground) -> None:
    made = made_at(new_id("job"))
    assert made is not None
    assert abs(made - ground.database.now()) < 60
    assert made_at("readme.txt") is None
    assert made_at("job_" + "u" * 26) is None
