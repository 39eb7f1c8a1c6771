"""What one archive of many small files costs a store: its requests, from the upload to the end."""

import io
import tarfile
import zipfile
from collections.abc import Callable

import pytest

from jobs.base.bootstrap import Ground
from jobs.base.storage import Storage
from jobs.intake.preparation import prepare_next
from jobs.tables import ModelVersion
from jobs.tenants.keys import NewKey
from tests.integration.jobs.builders import claim_one
from tests.integration.jobs.checks import check_job
from tests.integration.jobs.preparing import submit_file, with_storage
from tests.integration.workers.fakes import FakeNetwork, answers_of, run_with
from workers.engine.stages import Stages

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

MEMBERS = 1200
# So that 1,200 are some megabytes, as small pictures are: a number may begin with noughts.
DIGITS = 4000


class Counting(Storage):
    """A store that counts what is asked of uploads."""

    requests = 0

    def ranges(self, name, starts, lengths):
        self.requests += name.startswith("inputs/")
        return super().ranges(name, starts, lengths)

    def size(self, name):
        self.requests += name.startswith("inputs/")
        return super().size(name)


def archive_of(kind: str) -> bytes:
    made = io.BytesIO()
    contents = [str(number).zfill(DIGITS).encode() for number in range(MEMBERS)]
    if kind == "zip":
        with zipfile.ZipFile(made, "w") as archive:
            for number, content in enumerate(contents):
                archive.writestr(f"{number:04}.png", content)
        return made.getvalue()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for number, content in enumerate(contents):
            info = tarfile.TarInfo(f"{number:04}.png")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_twelve_hundred_small_members_cost_a_few_requests(
    ground: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    new_stages: Callable[..., Stages],
    kind: str,
) -> None:
    store = Counting(ground.storage.url)
    house = with_storage(ground, store)
    job = submit_file(house, tenant, digits_model, archive_of(kind))
    assert prepare_next(house) is not None
    listed = store.requests
    shards = 0
    while check_job(house, job.id).completed < MEMBERS:
        assert run_with(new_stages(house), claim_one(house), FakeNetwork())
        shards += 1
    assert answers_of(house, job) == [str(number) for number in range(MEMBERS)]
    assert listed <= 15
    assert store.requests - listed <= shards
