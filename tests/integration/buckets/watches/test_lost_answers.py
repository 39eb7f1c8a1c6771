"""A look whose commit was not answered, and what others do to its watch before it asks again."""

from contextlib import closing

import pytest
from sqlalchemy import select, update

from jobs.base.bootstrap import Ground
from jobs.buckets.allowances import allow
from jobs.buckets.sources import Buckets
from jobs.inputs.manifests import Manifest
from jobs.queue.commits import through_outages
from jobs.tables import Job, ModelVersion, Watch
from jobs.tenants.audit import Actor
from jobs.tenants.keys import NewKey
from jobs.watches import looks
from jobs.watches.polling import look_next
from jobs.watches.watches import Wanted, create_watch, delete_watch
from workers.errands.watching import order_of

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

_OPTIONS = {
    "priority": "normal",
    "metadata": None,
    "webhook": None,
    "completion_window": None,
    "completion_window_s": 3600.0,
    "output_expires_after": None,
    "overlays": False,
}


def look(ground: Ground) -> None:
    with ground.database.write() as session:
        session.execute(update(Watch).values(next_at=0.0))
    with closing(Buckets(ground)) as buckets:
        assert look_next(ground, buckets, lambda watch: order_of(ground, watch))


@pytest.mark.parametrize("what", ["looked at again", "deleted"])
def test_what_was_stored_stays_whatever_becomes_of_the_watch(
    ground: Ground,
    tenant: NewKey,
    digits_model: ModelVersion,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    folder = tmp_path_factory.mktemp("disk")
    (folder / "a.png").write_bytes(b"a")
    allow(ground.database, ground.settings, "acme", folder.as_uri(), "")
    actor = Actor(tenant.key_id, tenant.tenant_id)
    requested = {"model": "digits", "params": {}}
    watch, _ = create_watch(
        ground, actor, Wanted({"prefix": folder.as_uri()}, requested, _OPTIONS, 60.0)
    )
    look(ground)  # what lies on a disk has to hold still first
    (folder / "b.png").write_bytes(b"b")

    def meanwhile() -> None:
        if what == "deleted":
            delete_watch(ground, actor, watch.id)
        else:
            look(ground)

    def unanswered(act, was_done, job_id):
        assert act(), "it is stored, but nobody hears of it"
        monkeypatch.setattr(looks, "through_outages", through_outages)
        meanwhile()
        return through_outages(act, was_done, job_id)

    monkeypatch.setattr(looks, "through_outages", unanswered)
    look(ground)
    with ground.database.read() as session:
        found = session.scalars(select(Job).order_by(Job.id)).all()
    names = [Manifest(ground.storage, job.manifest or "").items(0, 1)[0].custom_id for job in found]
    assert names == ["a.png", "b.png"][: len(found)]
    assert len(found) == (1 if what == "deleted" else 2)
