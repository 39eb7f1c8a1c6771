"""Small pictures that cannot be made at once: who waits, for how long, and who asks anew."""

import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import select, update

from jobs.aftercare.tidying import tidy_due
from jobs.base.bootstrap import Ground
from jobs.base.errors import NotFound
from jobs.base.storage import opened_name
from jobs.inputs.manifests import Item
from jobs.leases.leases import Lease, lease_next
from jobs.queue.completion import cancel
from jobs.results.opened import OPENED, end_opened, fail_opened
from jobs.results.segments import ItemError
from jobs.tables import Job, ModelVersion, OpenedPictures
from jobs.tenants.keys import NewKey, create_key
from tests.integration.jobs.test_tidying import make_due
from tests.integration.workers.engine.test_overlays import NewStages, new_stages
from tests.integration.workers.fakes import picture, submit_contents
from tests.integration.workers.galleries.test_opened_pictures import ask, blobs, galleries, opened
from workers.engine.galleries import Galleries
from workers.engine.holding.requester import Requester
from workers.engine.reading.reader import Reader

__all__ = ["galleries", "new_stages"]

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

GONE = ("bucket_not_allowed", "bucket_denied", "connection_gone")


class Away:
    """Stands for a reader: the first item of a job gives `error`, while there is one."""

    def __init__(self, reader: Reader, error: ItemError | None) -> None:
        self._reader, self.error = reader, error
        self.stopped = False
        self.requester = Requester()

    def read(self, items: Sequence[Item], max_bytes: int, requester: Requester) -> list[Any]:
        self.requester = requester
        if self.stopped:
            # What a slow server is waited for.
            requester.beat()
        if self.error is not None and items[0].custom_id == "n0":
            return [self.error]
        return self._reader.read(items, max_bytes, requester)


def away(ground: Ground, new_stages: NewStages, error: ItemError | None) -> tuple[Away, Galleries]:
    stages = new_stages()
    reader: Any = Away(stages.reader, error)
    return reader, Galleries(ground, reader, stages.pictures, stages.films)


def row_of(ground: Ground, job: Job) -> OpenedPictures:
    with ground.database.read() as session:
        return session.scalars(select(OpenedPictures).where(OpenedPictures.job_id == job.id)).one()


def change(ground: Ground, job: Job, **values: Any) -> None:
    with ground.database.write() as session:
        of_job = OpenedPictures.job_id == job.id
        session.execute(update(OpenedPictures).where(of_job).values(**values))


def leased(ground: Ground) -> Lease[OpenedPictures]:
    lease = lease_next(ground, OPENED)
    assert lease is not None
    return lease


def make_all(galleries: Galleries) -> None:
    galleries.make_all(lambda: False)


def test_pictures_out_of_a_store_that_is_away_wait_until_it_is_back(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    reader, galleries = away(ground, new_stages, ItemError("bucket_unreachable", "", True))
    job = submit_contents(ground, tenant, digits_model, [picture(0), picture(1)])
    ask(ground, job)
    make_all(galleries)
    ask(ground, job)
    assert not galleries.has_work(), "after a pause"
    reader.error = None
    change(ground, job, lease_until=None)
    make_all(galleries)
    assert opened(ground, job, 0).format == "JPEG"


def test_a_store_that_stays_away_costs_its_own_pictures_and_these_for_a_while(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    reader, galleries = away(ground, new_stages, ItemError("bucket_unreachable", "", True))
    job = submit_contents(ground, tenant, digits_model, [picture(0), picture(1)])
    ask(ground, job)
    change(ground, job, fence=ground.settings.max_turns - 1)
    make_all(galleries)
    assert opened(ground, job, 1).format == "JPEG"
    check_asked_anew(ground, job, reader, galleries)


@pytest.mark.parametrize("code", GONE)
def test_what_a_worker_may_not_read_is_asked_for_anew_after_a_while(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages, code: str
) -> None:
    reader, galleries = away(ground, new_stages, ItemError(code, ""))
    job = submit_contents(ground, tenant, digits_model, [picture(0), picture(1)])
    ask(ground, job)
    make_all(galleries)
    assert opened(ground, job, 1).format == "JPEG", "a neighbour is none the worse"
    check_asked_anew(ground, job, reader, galleries)


def check_asked_anew(ground: Ground, job: Job, reader: Away, galleries: Galleries) -> None:
    with pytest.raises(NotFound, match="ask again in some minutes"):
        opened(ground, job, 0)
    reader.error = None
    change(ground, job, lease_until=1.0)
    ask(ground, job)
    make_all(galleries)
    assert opened(ground, job, 0).format == "JPEG"
    assert blobs(ground, job) == [row_of(ground, job).blob], "what they take the place of is gone"


def test_what_is_broken_is_not_asked_for_anew(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, galleries: Galleries
) -> None:
    job = submit_contents(ground, tenant, digits_model, [b"broken"])
    ask(ground, job)
    make_all(galleries)
    assert row_of(ground, job).lease_until is None
    with pytest.raises(NotFound, match="could not be decoded"):
        opened(ground, job, 0)


def test_what_each_try_died_of_is_asked_for_anew_after_a_while(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, galleries: Galleries
) -> None:
    job = submit_contents(ground, tenant, digits_model, [picture(0)])
    ask(ground, job)
    change(ground, job, fence=ground.settings.max_turns)
    make_all(galleries)
    with pytest.raises(NotFound, match="ask again in some minutes"):
        opened(ground, job, 0)
    change(ground, job, lease_until=1.0)
    ask(ground, job)
    make_all(galleries)
    assert opened(ground, job, 0).format == "JPEG"


def test_pictures_whose_blob_is_gone_are_asked_for_anew(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, galleries: Galleries
) -> None:
    job = submit_contents(ground, tenant, digits_model, [picture(0)])
    ask(ground, job)
    make_all(galleries)
    ground.storage.delete(blobs(ground, job))
    ask(ground, job)
    make_all(galleries)
    assert opened(ground, job, 0).format == "JPEG"


def test_who_has_many_galleries_made_keeps_others_waiting_for_one_of_them(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    other = create_key(ground.database, "other")
    for who in (tenant, tenant, tenant, other):
        ask(ground, submit_contents(ground, who, digits_model, [picture(0)]))
    owners = []
    for _ in range(4):
        lease = leased(ground)
        owners.append(lease.row.tenant_id == other.tenant_id)
        end_opened(ground, lease, None)
    assert owners == [False, True, False, False]


def test_what_failed_goes_behind_what_others_ask_for_meanwhile(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    other = create_key(ground.database, "other")
    job = submit_contents(ground, tenant, digits_model, [picture(0)])
    ask(ground, job)
    assert fail_opened(ground, leased(ground))
    change(ground, job, lease_until=None)
    ask(ground, submit_contents(ground, other, digits_model, [picture(0)]))
    assert leased(ground).row.tenant_id == other.tenant_id
    lost = leased(ground)
    change(ground, job, fence=lost.fence + 1)
    assert not fail_opened(ground, lost)


def test_pictures_that_take_too_long_are_left_for_later(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    stages = new_stages()
    hurried = Galleries(ground, stages.reader, stages.pictures, stages.films, longest_s=-1)
    job = submit_contents(ground, tenant, digits_model, [picture(0)])
    ask(ground, job)
    make_all(hurried)
    check_failed(ground, job)


def test_who_makes_pictures_gives_up_when_its_process_ends(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, new_stages: NewStages
) -> None:
    reader, galleries = away(ground, new_stages, None)
    job = submit_contents(ground, tenant, digits_model, [picture(0)])
    ask(ground, job)

    def stops() -> bool:
        # It is told in the middle: asked before the row, it goes on.
        told, reader.stopped = reader.stopped, True
        return told

    assert galleries.make_next(stops)
    check_failed(ground, job)
    assert reader.requester.stopped.is_set(), "nothing more is read for it"


def test_a_full_disk_is_nobodys_fault(
    ground: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    galleries: Galleries,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = submit_contents(ground, tenant, digits_model, [picture(0)])
    ask(ground, job)

    def full() -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "TemporaryFile", full)
        make_all(galleries)
    check_failed(ground, job)
    change(ground, job, lease_until=None)
    make_all(galleries)
    assert opened(ground, job, 0).format == "JPEG"


def test_a_disk_that_fills_up_costs_pictures_for_a_while(
    ground: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    galleries: Galleries,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = submit_contents(ground, tenant, digits_model, [picture(0), picture(1)])
    ask(ground, job)
    real, answers = tempfile.TemporaryFile, iter([OSError("No space left on device")])

    def full() -> Any:
        for error in answers:
            raise error
        return real()

    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "TemporaryFile", full)
        make_all(galleries)
    with pytest.raises(NotFound, match="ask again in some minutes"):
        opened(ground, job, 0)


@pytest.mark.parametrize("what", ["full", "ends"])
def test_what_happens_while_a_picture_is_decoded_is_no_fault_of_it(
    ground: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    galleries: Galleries,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    job = submit_contents(ground, tenant, digits_model, [picture(0)])
    ask(ground, job)
    ends = False

    def decode(item: Item, content: bytes, beat: Callable[[], None]) -> None:
        nonlocal ends
        if what == "full":
            raise OSError("No space left on device")
        ends = True
        beat()

    monkeypatch.setattr(galleries, "_picture", decode)
    galleries.make_all(lambda: ends)
    check_failed(ground, job)


def check_failed(ground: Ground, job: Job) -> None:
    """The try counts, and there will be another after a pause."""
    row = row_of(ground, job)
    assert (row.made_at, row.fence) == (None, 1)
    assert row.lease_until is not None


def test_what_is_being_made_has_no_name_yet_and_is_not_tidied_away(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    job = submit_contents(ground, tenant, digits_model, [picture(0)])
    cancel(ground.database, tenant.tenant_id, job.id)
    ask(ground, job)
    lease = leased(ground)
    ground.storage.put(name := opened_name(job.id, 0, lease.fence), [b"\0" * 8])
    with ground.database.write() as session:
        session.execute(update(Job).values(tidy_at=1.0))
    assert tidy_due(ground) == 0
    end_opened(ground, lease, name)
    make_due(ground)
    assert tidy_due(ground) == 0
    assert blobs(ground, job) == [name]


def test_what_gets_its_name_while_blobs_are_listed_is_not_tidied_away(
    ground: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = submit_contents(ground, tenant, digits_model, [picture(0)])
    cancel(ground.database, tenant.tenant_id, job.id)
    ask(ground, job)
    list_all, name = ground.storage.list, ""

    def list_late(prefix: str) -> list[str]:
        nonlocal name
        lease = leased(ground)
        ground.storage.put(name := opened_name(job.id, 0, lease.fence), [b"\0" * 8])
        found = list(list_all(prefix))
        end_opened(ground, lease, name)
        return found

    with ground.database.write() as session:
        session.execute(update(Job).values(tidy_at=1.0))
    with monkeypatch.context() as patch:
        patch.setattr(ground.storage, "list", list_late)
        assert tidy_due(ground) == 0
    assert blobs(ground, job) == [name]
