"""Small pictures of a job that keeps none are made for who opens one, and go when inputs go."""

import io

import pytest
from PIL import Image
from sqlalchemy import update

from jobs.aftercare.deletion import delete_job
from jobs.aftercare.retention import erase_due
from jobs.aftercare.tidying import tidy_due
from jobs.aftercare.uploaded_files import delete_file
from jobs.base.bootstrap import Ground
from jobs.base.errors import BeingMade, Conflict, NotFound
from jobs.inputs.requests import Request
from jobs.intake.preparation import prepare_next
from jobs.leases.leases import LeaseLost, lease_next
from jobs.queue.completion import cancel
from jobs.results.opened import OPENED, TOGETHER, end_opened, small_picture
from jobs.tables import Job, ModelVersion, OpenedPictures
from jobs.tenants.keys import NewKey, create_key
from tests.integration.jobs.builders import submit_items
from tests.integration.jobs.checks import read_job
from tests.integration.jobs.test_retention import age
from tests.integration.jobs.test_tidying import make_due
from tests.integration.workers.engine.test_overlays import NewStages, new_stages
from tests.integration.workers.engine.test_thumbnails import slope
from tests.integration.workers.engine.test_thumbnails_of_files import upload
from tests.integration.workers.fakes import picture, submit_contents
from tests.odd.still.pictures import pictures_of
from tests.videos import grey, movie
from workers.engine.galleries import Galleries

__all__ = ["new_stages"]

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def galleries(ground: Ground, new_stages: NewStages) -> Galleries:
    stages = new_stages()
    return Galleries(ground, stages.reader, stages.pictures, stages.films)


def opened(ground: Ground, job: Job, index: int) -> Image.Image:
    return Image.open(io.BytesIO(small_picture(ground, read_job(ground, job.id), index)))


def ask(ground: Ground, job: Job, index: int = 0) -> None:
    with pytest.raises(BeingMade, match="ask again"):
        opened(ground, job, index)


def blobs(ground: Ground, job: Job) -> list[str]:
    return list(ground.storage.list(f"jobs/{job.id}/thumbnails/"))


def heic() -> bytes:
    return next(each for each in pictures_of("AVIF, HEIC and JPEG XL") if "heic" in each.name).data


def test_every_format_is_made_small_with_its_neighbours_once_somebody_asks(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, galleries: Galleries
) -> None:
    contents = [slope("TIFF"), b"broken", heic(), *[picture(n) for n in range(TOGETHER)]]
    job = submit_contents(ground, tenant, digits_model, contents)
    assert not galleries.has_work()
    ask(ground, job)
    ask(ground, job, 1)
    assert galleries.has_work()
    galleries.make_all(lambda: False)
    assert not galleries.has_work()
    assert (opened(ground, job, 0).format, opened(ground, job, 0).size) == ("JPEG", (256, 85))
    assert max(opened(ground, job, 2).size) <= 256
    with pytest.raises(NotFound, match="could not be decoded"):
        opened(ground, job, 1)
    assert opened(ground, job, TOGETHER - 1).size == (28, 28)
    assert len(blobs(ground, job)) == 1
    ask(ground, job, TOGETHER)


def test_a_film_that_is_opened_has_a_strip(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, galleries: Galleries
) -> None:
    with ground.database.write() as session:
        record = {**digits_model.record, "input_kind": "video"}
        session.execute(update(ModelVersion).values(record=record))
    film = movie([grey(20 + 10 * number) for number in range(12)])
    job = submit_contents(ground, tenant, digits_model, [film, b"broken"])
    ask(ground, job)
    galleries.make_all(lambda: False)
    assert opened(ground, job, 0).size[1] == 72
    with pytest.raises(NotFound, match="could not be decoded"):
        opened(ground, job, 1)


def test_of_what_is_gone_or_soon_will_be_nothing_is_made(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, galleries: Galleries
) -> None:
    job = submit_contents(ground, tenant, digits_model, [picture(0)], delete_inputs=True)
    with pytest.raises(NotFound, match="has its inputs erased"):
        opened(ground, job, 0)
    job = submit_items(
        ground, tenant, digits_model, requests=(Request("a", url="http://a.example/a.png"),)
    )
    ask(ground, job)
    galleries.make_all(lambda: False)
    with pytest.raises(NotFound, match="no picture"):
        opened(ground, job, 0)
    with pytest.raises(NotFound, match="has no item 1"):
        opened(ground, job, 1)
    unlisted = submit_items(ground, tenant, digits_model, requests=None, input_file_id="file")
    with pytest.raises(Conflict, match="being listed"):
        opened(ground, unlisted, 0)


def test_what_was_opened_goes_with_the_file_that_it_was_made_of(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, galleries: Galleries
) -> None:
    file = upload(ground, tenant)
    job = submit_items(ground, tenant, digits_model, requests=None, input_file_id=file.id)
    prepare_next(ground)
    cancel(ground.database, tenant.tenant_id, job.id)
    ask(ground, job)
    galleries.make_all(lambda: False)
    age(ground, job, 3600)
    make_due(ground)
    tidy_due(ground)
    assert opened(ground, job, 1).format == "JPEG", "tidying leaves what is wanted"
    delete_file(ground, tenant.tenant_id, file.id)
    with pytest.raises(NotFound, match="erased"):
        opened(ground, job, 0)
    tidy_due(ground)
    assert blobs(ground, job) == []


def test_who_makes_pictures_while_their_inputs_go_keeps_none(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, galleries: Galleries
) -> None:
    job = submit_contents(ground, tenant, digits_model, [picture(0)])
    cancel(ground.database, tenant.tenant_id, job.id)
    ask(ground, job)
    lease = lease_next(ground, OPENED)
    assert lease is not None
    ground.storage.put(name := f"jobs/{job.id}/thumbnails/opened-x", [b"x"])
    with ground.database.write() as session:
        session.execute(update(Job).values(inputs_erased_at=1.0))
    with pytest.raises(LeaseLost):
        end_opened(ground, lease, name)
    tidy_due(ground)
    assert blobs(ground, job) == [], "also when whoever wrote it died"
    assert not galleries.has_work()


@pytest.mark.parametrize("erase", ["results", "job"])
def test_pictures_that_were_opened_go_with_their_job(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion, galleries: Galleries, erase: str
) -> None:
    job = submit_contents(ground, tenant, digits_model, [picture(0)], output_expires_after=3600)
    cancel(ground.database, tenant.tenant_id, job.id)
    ask(ground, job)
    galleries.make_all(lambda: False)
    assert len(blobs(ground, job)) == 1
    if erase == "job":
        delete_job(ground, tenant.tenant_id, job.id)
    else:
        age(ground, job, 7200)
        assert erase_due(ground) == 1
    assert blobs(ground, job) == []
    with ground.database.read() as session:
        assert session.query(OpenedPictures).count() == 0


def test_one_tenants_galleries_take_turns_with_those_of_others(
    ground: Ground, tenant: NewKey, digits_model: ModelVersion
) -> None:
    for who in (tenant, tenant, create_key(ground.database, "other")):
        ask(ground, submit_contents(ground, who, digits_model, [picture(0)]))
    leased = [lease_next(ground, OPENED) for _ in range(3)]
    owners = [lease and lease.row.tenant_id for lease in leased]
    assert owners[0] == tenant.tenant_id
    assert owners[1] not in (None, tenant.tenant_id)
    assert owners[2] is None
