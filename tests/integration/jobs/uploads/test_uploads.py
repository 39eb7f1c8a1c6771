"""Parts are added in order, by one writer; one process makes a file of them, and all goes after."""

import hashlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, select, update

from jobs.aftercare.tidying import delete_strays
from jobs.base.bootstrap import Ground
from jobs.base.database import db_now
from jobs.base.errors import Conflict, TooLarge
from jobs.base.states import UploadState
from jobs.leases.leases import lease_next
from jobs.tables import File, Upload, UploadPart
from jobs.tenants.keys import NewKey, create_key
from jobs.uploads.finishing import FINISHINGS, expire_uploads, finish_next
from jobs.uploads.receiving import Part, add_parts, store_part
from jobs.uploads.uploads import create_upload, end_upload
from tests.integration.api.callers import with_settings


def begin(ground: Ground, tenant: NewKey, length: int) -> str:
    return create_upload(ground, tenant.tenant_id, "photos.zip", "batch", length).id


def bring(ground: Ground, upload_id: str, start: int, content: bytes) -> bool:
    return add_parts(ground, upload_id, [store_part(ground, upload_id, start, [content])])


def row(ground: Ground, upload_id: str) -> Upload:
    with ground.database.read() as session:
        return session.get_one(Upload, upload_id)


def count(ground: Ground, table: Any) -> int:
    with ground.database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def blobs(ground: Ground) -> list[str]:
    return list(ground.storage.list("inputs"))


def test_a_part_counts_only_where_the_one_before_it_ends(ground: Ground, tenant: NewKey) -> None:
    upload_id = begin(ground, tenant, 30)
    assert not bring(ground, upload_id, 0, b"a" * 10)
    for start in (0, 5, 11, 20):
        with pytest.raises(Conflict):
            bring(ground, upload_id, start, b"a" * 10)
    assert bring(ground, upload_id, 10, b"b" * 20)
    with pytest.raises(Conflict):
        bring(ground, upload_id, 30, b"c")
    assert finish_next(ground)
    with ground.database.read() as session:
        (file,) = session.scalars(select(File))
    assert ground.storage.get(file.blob) == b"a" * 10 + b"b" * 20
    assert file.sha256 == hashlib.sha256(b"a" * 10 + b"b" * 20).hexdigest()
    assert blobs(ground) == [file.blob]


def test_of_several_who_write_at_once_one_is_kept(ground: Ground, tenant: NewKey) -> None:
    upload_id = begin(ground, tenant, 8 * 10)
    barrier, kept, refused = threading.Barrier(4), [], []

    def write(letter: bytes) -> None:
        barrier.wait()
        for start in range(0, 80, 10):
            try:
                bring(ground, upload_id, start, letter * 10)
            except Conflict:
                refused.append(start)
            else:
                kept.append(start)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in (b"a", b"b", b"c")]
    for thread in threads:
        thread.start()
    barrier.wait()
    for thread in threads:
        thread.join()
    # Every place was written once, and no part lies over another.
    assert sorted(kept) == list(range(0, 80, 10))
    assert len(refused) == 16
    assert len(list(ground.storage.list("inputs/parts"))) == 8
    assert finish_next(ground)


def test_a_part_may_not_pass_the_end(ground: Ground, tenant: NewKey) -> None:
    upload_id = begin(ground, tenant, 10)
    with pytest.raises(Conflict):
        bring(ground, upload_id, 0, b"x" * 11)
    assert blobs(ground) == []


def test_who_dies_while_it_finishes_is_followed_by_another(ground: Ground, tenant: NewKey) -> None:
    upload_id = begin(ground, tenant, 10)
    assert bring(ground, upload_id, 0, b"x" * 10)
    dead = lease_next(ground, FINISHINGS)
    assert dead is not None
    assert not finish_next(ground), "somebody is at it"
    with ground.database.write() as session:
        session.execute(update(Upload).values(until=db_now() - 1))
    assert finish_next(ground)
    upload = row(ground, upload_id)
    assert (upload.state, count(ground, File)) == (UploadState.FINISHED, 1)
    assert upload.file_id == next(iter(ground.storage.list("inputs"))).rpartition("/")[2]


def test_who_was_thought_dead_makes_no_second_file(
    ground: Ground, tenant: NewKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = begin(ground, tenant, 10)
    assert bring(ground, upload_id, 0, b"x" * 10)
    stream = ground.storage.stream

    def overtaken(name: str) -> Iterator[bytes]:
        # While it reads, its lease lapses, and somebody else finishes.
        monkeypatch.setattr(ground.storage, "stream", stream)
        with ground.database.write() as session:
            session.execute(update(Upload).values(until=db_now() - 1))
        content = list(stream(name))
        assert finish_next(ground)
        yield from content

    monkeypatch.setattr(ground.storage, "stream", overtaken)
    assert finish_next(ground)
    assert count(ground, File) == 1
    assert len(blobs(ground)) == 1


def test_an_upload_that_is_ended_while_it_finishes_makes_no_file(
    ground: Ground, tenant: NewKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = begin(ground, tenant, 10)
    assert bring(ground, upload_id, 0, b"x" * 10)
    stream = ground.storage.stream

    def ended(name: str) -> Iterator[bytes]:
        content = list(stream(name))
        end_upload(ground, tenant.tenant_id, upload_id)
        yield from content

    monkeypatch.setattr(ground.storage, "stream", ended)
    assert finish_next(ground)
    assert (count(ground, File), count(ground, Upload), blobs(ground)) == (0, 0, [])


def test_an_upload_whose_part_is_gone_is_over(ground: Ground, tenant: NewKey) -> None:
    upload_id = begin(ground, tenant, 10)
    assert bring(ground, upload_id, 0, b"x" * 10)
    ground.storage.delete(list(ground.storage.list("inputs/parts")))
    assert finish_next(ground)
    assert row(ground, upload_id).state is UploadState.EXPIRED
    assert not finish_next(ground)


def test_what_a_crash_left_of_uploads_that_are_over_is_erased(
    ground: Ground, tenant: NewKey
) -> None:
    upload_id = begin(ground, tenant, 20)
    bring(ground, upload_id, 0, b"x" * 10)
    # Stored, and never added: its process died.
    store_part(ground, upload_id, 10, [b"y" * 10])
    with ground.database.write() as session:
        session.execute(update(Upload).values(expires_at=db_now() - 1))
    assert expire_uploads(ground) == 1
    assert (blobs(ground), count(ground, UploadPart), count(ground, Upload)) == ([], 0, 1)
    with ground.database.write() as session:
        session.execute(update(Upload).values(expires_at=db_now() - 1))
    assert expire_uploads(ground) == 0
    assert count(ground, Upload) == 0


def test_parts_of_no_upload_are_strays(ground: Ground, tenant: NewKey) -> None:
    kept = begin(ground, tenant, 20)
    bring(ground, kept, 0, b"x" * 10)
    part: Part = store_part(ground, "upl_01k9xq2v7m3c8r5t6w9y0abcde", 0, [b"stray"])
    assert delete_strays(ground, older_than_s=-5) == 1
    assert part.blob not in blobs(ground)
    assert len(blobs(ground)) == 1


def test_two_who_begin_at_once_share_the_room(ground: Ground, tenant: NewKey) -> None:
    small = with_settings(ground, max_unfinished_bytes=1024)
    barrier, refused = threading.Barrier(4), []

    def create() -> None:
        barrier.wait()
        try:
            create_upload(small, tenant.tenant_id, "a", "batch", 400)
        except TooLarge:
            refused.append(1)

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(refused), count(ground, Upload)) == (2, 2)


def test_what_one_tenant_announces_takes_no_room_from_another(
    ground: Ground, tenant: NewKey
) -> None:
    small = with_settings(ground, max_unfinished_bytes=1024)
    other = create_key(ground.database, "other")
    create_upload(small, tenant.tenant_id, "a", "batch", 1024)
    assert create_upload(small, other.tenant_id, "a", "batch", 1024).length == 1024


def test_the_sweeper_leaves_uploads_alone_that_are_still_going_on(
    ground: Ground, tenant: NewKey
) -> None:
    upload_id = begin(ground, tenant, 20)
    bring(ground, upload_id, 0, b"x" * 10)
    assert expire_uploads(ground) == 0
    assert (len(blobs(ground)), count(ground, UploadPart)) == (1, 1)
    assert bring(ground, upload_id, 10, b"y" * 10)
    assert expire_uploads(ground) == 0
    assert finish_next(ground)
