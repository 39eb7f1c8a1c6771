"""From an archive to a job: every file an item or counted, whatever its name and packing."""

import bz2
import gzip
import io
import lzma
import tarfile
import threading
import warnings
import zipfile
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import pytest
from sqlalchemy import update

from jobs.aftercare.retention import erase_due
from jobs.archives import ArchiveKind, Limits, Member, Skipped, extract
from jobs.base.bootstrap import Ground
from jobs.base.states import JobStatus
from jobs.inputs.archive_items import InProcess
from jobs.inputs.budgets import LONGEST_FAULT, LONGEST_ID, LONGEST_METADATA
from jobs.inputs.files import store_file
from jobs.inputs.manifests import Item, Manifest
from jobs.intake.preparation import prepare_next
from jobs.queue.completion import cancel
from jobs.results.rows import read_rows
from jobs.tables import Job, ModelVersion
from jobs.tenants.keys import NewKey, create_key
from tests.integration.jobs.builders import claim_one, rerun, run_one, second_version, submit_items
from tests.integration.jobs.checks import check_job, read_job
from tests.integration.jobs.test_preparation import (
    blobs_of,
    let_the_turn_run_out,
    submit_file,
    with_storage,
)

Found = list[Member | Skipped]


class Told(InProcess):
    """Archives of which it is told what they hold; `while_walking` is called before the first."""

    def __init__(self, found: Found, while_walking: Callable[..., None] | None = None) -> None:
        self._found, self._while_walking = found, while_walking

    def walk(
        self, kind: ArchiveKind, file: BinaryIO, limits: Limits, beat: Callable[[], None]
    ) -> Iterator[Member | Skipped]:
        if self._while_walking is not None:
            self._while_walking(file, beat)
        yield from self._found


def tarred(*members: tuple[Any, ...]) -> bytes:
    """Make a tar: of each member its name, and its content or what differs in its header."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            else:
                info.type, info.linkname = content
                archive.addfile(info)
    return buffer.getvalue()


def prepared(
    ground: Ground, tenant: NewKey, model: ModelVersion, content: bytes, **more: Any
) -> tuple[Job, list[Item]]:
    """Submit an upload and prepare it; gives the job, and its items if it has any."""
    job = submit_file(ground, tenant, model, content)
    assert prepare_next(ground, **more) == job.id
    job = check_job(ground, job.id)
    return job, Manifest(ground.storage, job.manifest).items(0, job.total) if job.manifest else []


def content_of(ground: Ground, item: Item) -> bytes:
    (data,) = ground.storage.ranges(item.blob, [item.offset], [item.length])
    return extract(data, item.encoding, 10**9, item.size)


PICTURES = {"a/1.png": b"first", "2.png": b"second" * 300}


@pytest.mark.parametrize(
    "pack",
    [bytes, gzip.compress, bz2.compress, lzma.compress],
    ids=["tar", "tar.gz", "tar.bz2", "tar.xz"],
)
def test_every_kind_of_tar_gives_the_same_items(
    ground: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    pack: Callable[[bytes], bytes],
) -> None:
    _, items = prepared(ground, tenant, digits_model, pack(tarred(*PICTURES.items())))
    assert {item.custom_id: content_of(ground, item) for item in items} == PICTURES


def test_files_that_become_no_item_are_counted_and_named(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job, items = prepared(
        ground,
        tenant,
        digits_model,
        tarred(
            ("a.png", b"picture"),
            ("link.png", (tarfile.SYMTYPE, "a.png")),
            ("hard.png", (tarfile.LNKTYPE, "a.png")),
            ("x/.DS_Store", b"finder"),
            ("x/._a.png", b"resource fork"),
            ("pipe", (tarfile.FIFOTYPE, "")),
        ),
    )
    assert [item.custom_id for item in items] == ["a.png", "hard.png"]
    assert content_of(ground, items[1]) == b"picture"
    assert job.skipped is not None
    assert job.skipped["count"] == 4
    assert job.skipped["by_reason"] == {"system_file": 2, "symlink": 1, "device": 1}
    assert {"name": "link.png", "reason": "symlink"} in job.skipped["names"]


def test_where_nothing_was_skipped_the_row_says_nothing(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job, _ = prepared(ground, tenant, digits_model, tarred(*PICTURES.items()))
    assert (job.skipped, job.has_item_metadata) == (None, False)


def test_an_archive_of_nothing_but_droppings_fails_the_job_and_says_what_it_skipped(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job, _ = prepared(ground, tenant, digits_model, tarred(("Thumbs.db", b"x")))
    assert job.status is JobStatus.FAILED
    assert job.skipped is not None
    assert job.skipped["by_reason"] == {"system_file": 1}


def test_what_was_skipped_is_erased_with_the_job(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_file(ground, tenant, digits_model, tarred(("a.png", b"x"), ("._secret", b"")))
    prepare_next(ground)
    cancel(ground.database, tenant.tenant_id, job.id)
    with ground.database.write() as session:
        session.execute(update(Job).where(Job.id == job.id).values(deleted_at=1.0))
    erase_due(ground)
    assert read_job(ground, job.id).skipped is None


def test_a_member_with_a_fault_is_an_item_that_says_so_and_points_at_no_bytes(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    fault = ("unsupported_archive", "It is encrypted.\u202e" + "x" * 10_000)
    told = Told([Member("a.png", 0, 10, 10, "raw"), Member("b.png", 0, 0, 5, "raw", fault)])
    _, items = prepared(ground, tenant, digits_model, tarred(("a", b"x")), archives=told)
    assert [item.encoding for item in items] == ["raw", "refused"]
    assert (items[0].error_code, items[0].error_message) == ("", "")
    assert (items[1].error_code, items[1].blob) == ("unsupported_archive", "")
    assert items[1].error_message.startswith("It is encrypted.\\u202ex")
    assert len(items[1].error_message) == LONGEST_FAULT


def test_metadata_of_items_is_shown_with_their_results_and_with_those_of_a_rerun(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    metadata = '{"cls": 7, "json": {"caption": "a dog"}}'
    members: Found = [
        Member(f"{n}.png", 0, 1, 1, "raw", metadata=metadata if n % 2 else None) for n in range(100)
    ]
    job, _ = prepared(ground, tenant, digits_model, tarred(("a", b"x")), archives=Told(members))
    assert job.has_item_metadata
    run_one(ground, claim_one(ground))
    cancel(ground.database, tenant.tenant_id, job.id)
    expected = ['{"cls":7,"json":{"caption":"a dog"}}' if n % 2 else None for n in range(100)]
    rows = sorted((row for _, row in read_rows(ground, read_job(ground, job.id))), key=by_index)
    assert [row.metadata_json for row in rows] == expected
    half_way = list(read_rows(ground, read_job(ground, job.id)))[10:]
    after = half_way[0][0]
    rest = [row.metadata_json for _, row in read_rows(ground, read_job(ground, job.id), after)]
    assert rest == [row.metadata_json for _, row in half_way[1:]]
    child = rerun(ground, read_job(ground, job.id), second_version(ground, digits_model))
    assert read_job(ground, child.id).has_item_metadata


def by_index(row: Any) -> int:
    return row.index


@pytest.mark.parametrize("metadata", ["{", "[1]", '"x"', '{"a":"' + "x" * LONGEST_METADATA + '"}'])
def test_metadata_that_no_result_could_show_is_left_away_whole(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, metadata: str
) -> None:
    told = Told([Member("a.png", 0, 1, 1, "raw", metadata=metadata)])
    _, items = prepared(ground, tenant, digits_model, tarred(("a", b"x")), archives=told)
    assert items[0].metadata is None


def test_names_of_files_that_repeat_are_told_apart_and_never_refuse_the_job(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
        warnings.simplefilter("ignore")
        for number, name in enumerate(["a.png", "a.png", "a.png (2)", "b.png", "a.png"]):
            archive.writestr(name, str(number))
    job, items = prepared(ground, tenant, digits_model, buffer.getvalue())
    assert job.status is JobStatus.IN_PROGRESS
    names = ["a.png", "a.png (3)", "a.png (2)", "b.png", "a.png (4)"]
    assert [item.custom_id for item in items] == names
    assert [content_of(ground, item) for item in items] == [b"0", b"1", b"2", b"3", b"4"]
    assert blobs_of(ground, job) == ["manifest"]


def test_names_are_seen_and_fit_their_budget(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    names = ["x" * 1_000_000, "x" * 1_000_001, "gnp\u202egpj.exe", "", "a\nb"]
    told = Told([Member(name, 0, 1, 1, "raw") for name in names])
    _, items = prepared(ground, tenant, digits_model, tarred(("a", b"x")), archives=told)
    found = [item.custom_id for item in items]
    assert len(set(found)) == 5
    assert max(map(len, found)) == LONGEST_ID
    assert found[2:] == ["gnp\\u202egpj.exe", "(no name)", "a␊b"]


def test_a_member_name_of_a_megabyte_costs_neither_the_job_nor_memory(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    content = tarred(("x" * 50_000 + ".png", b"picture"), ("b.png", b"other"))
    _, items = prepared(ground, tenant, digits_model, content)
    assert [content_of(ground, item) for item in items] == [b"picture", b"other"]
    assert len(items[0].custom_id) <= LONGEST_ID


def test_the_name_of_an_upload_that_is_one_item_fits_its_budget(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    file = store_file(ground, tenant.tenant_id, "y" * 1024, "batch", [b"\x89PNG"])
    submit_items(ground, tenant, digits_model, requests=None, input_file_id=file.id)
    job_id = prepare_next(ground)
    assert job_id is not None
    (item,) = Manifest(ground.storage, read_job(ground, job_id).manifest or "").items(0, 1)
    assert len(item.custom_id) == LONGEST_ID


def test_a_kind_of_archive_that_nobody_reads_is_refused_by_its_name(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job, _ = prepared(ground, tenant, digits_model, b"Rar!\x1a\x07\x01\x00" + bytes(600))
    assert job.status is JobStatus.FAILED
    assert "RAR" in (job.status_reason or "")
    assert [fault["code"] for fault in job.errors or []] == ["unsupported_archive"]


def turn_ended_while(
    ground: Ground, job: Job, while_walking: Callable[[BinaryIO, Callable[[], None]], None]
) -> bool:
    """Prepare a job whose turn runs out as its walk begins; say whether another could take it."""
    lapsed: list[bool] = []

    def walk(file: BinaryIO, beat: Callable[[], None]) -> None:
        let_the_turn_run_out(ground, job)
        while_walking(file, beat)
        lapsed.append((read_job(ground, job.id).prepare_until or 0) < 2)

    eager = with_storage(ground, ground.storage, renew_s=1e-9)
    assert prepare_next(eager, archives=Told([Member("a", 0, 1, 1, "raw")], walk)) == job.id
    return lapsed[0]


def test_a_walk_that_reads_keeps_its_turn_though_no_item_comes(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_file(ground, tenant, digits_model, tarred(("a", b"x")))
    assert not turn_ended_while(ground, job, lambda file, beat: file.read(512) and None)


def test_a_walk_that_reads_nothing_loses_its_turn_however_alive_it_says_it_is(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_file(ground, tenant, digits_model, tarred(("a", b"x")))

    def pretend(file: BinaryIO, beat: Callable[[], None]) -> None:
        for _ in range(1000):
            beat()

    assert turn_ended_while(ground, job, pretend)


def test_one_tenants_long_walks_never_keep_anothers_archive_waiting(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    free, walking = threading.Event(), threading.Semaphore(0)

    def block(file: BinaryIO, beat: Callable[[], None]) -> None:
        walking.release()
        assert free.wait(60)

    slow = Told([Member("a", 0, 1, 1, "raw")], block)
    jobs = [submit_file(ground, tenant, digits_model, tarred(("a", b"x"))) for _ in range(8)]
    threads = [
        threading.Thread(target=prepare_next, args=[ground], kwargs={"archives": slow})
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert walking.acquire(timeout=30)
    try:
        assert prepare_next(ground) is None, "the tenant has as many turns as one may have"
        other = create_key(ground.database, "other")
        late = submit_file(ground, other, digits_model, tarred(("a", b"x")))
        assert prepare_next(ground) == late.id
    finally:
        free.set()
        for thread in threads:
            thread.join(60)
    assert {prepare_next(ground) for _ in range(4)} == {job.id for job in jobs[4:]}
