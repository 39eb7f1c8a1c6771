"""One look at a watched folder: an io worker's work.

    leased ──► listed, sorted ──► compared with what was seen ──► nothing new: due again later
                                            │
                    a manifest for each job, and a blob of what is seen from now on
                                            │
                    one transaction under the fence: jobs, shards, the row that names the blob

Whoever dies on the way leaves blobs that nobody names, and the next one finds the same objects new.
So each object becomes an item once, and a manifest holds the very objects that were found new. A
job is stored ready to run: there is nothing left to prepare.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, islice
from typing import NamedTuple

import structlog

from jobs.base.bootstrap import Ground
from jobs.base.errors import InvalidInput, PixelmillError
from jobs.base.storage import BlobMissing, manifest_name, seen_name
from jobs.buckets.listing import item_of
from jobs.buckets.locations import read_location
from jobs.buckets.remote import Found
from jobs.buckets.sources import Buckets, Owner
from jobs.inputs.manifests import Item, write_manifest
from jobs.inputs.skipping import Skips
from jobs.intake.bucket_items import list_source
from jobs.intake.submission import Submission, new_job
from jobs.kinds.table import kind_of
from jobs.leases.leases import Lease
from jobs.leases.renewing import Heart
from jobs.leases.working import work_on_next
from jobs.tables import Watch
from jobs.watches.arrivals import Known, Listed, Rules, Step, steps
from jobs.watches.looks import WATCHES, Look, Made, store_failure, store_look
from jobs.watches.seen import read_seen, writing_seen
from jobs.watches.sorting import Sorted

log = structlog.get_logger(__name__)

_DAY_S = 86_400
_SEEN_GONE = (
    "What this watch has seen is not in storage any more, so nothing is known to be new. Delete it "
    "and add it again: every object that lies there then becomes an item once more."
)

# Gives a job that a watch makes, checked against its model as that is now; raises PixelmillError.
Order = Callable[[Watch], Submission]


class Most(NamedTuple):
    """How much one look takes; what is left over is taken by the next one, which follows at once.

    Items of one job, jobs, and objects that are held in memory while they are sorted.
    """

    items: int = 100_000
    jobs: int = 10
    held: int = 50_000


MOST = Most()


def look_next(ground: Ground, buckets: Buckets, order: Order, most: Most = MOST) -> str | None:
    """Look at the folder that is due for longest; gives its watch's id, None when none is due.

    Raises StorageError when our own store is away: the folder is looked at again after a pause.
    """
    lease = work_on_next(ground, WATCHES, partial(_look_at, ground, buckets, order, most))
    return None if lease is None else lease.row.id


def _look_at(
    ground: Ground, buckets: Buckets, order: Order, most: Most, lease: Lease[Watch]
) -> None:
    watch, look = lease.row, Look(ground.database.now())
    bound = log.bind(watch=watch.id, tenant=watch.tenant_id)
    try:
        _find(ground, buckets, order, most, lease, look)
        store_look(ground, lease, look)
    except (PixelmillError, BlobMissing) as err:
        ground.storage.delete(look.blobs)
        told = err.message if isinstance(err, PixelmillError) else _SEEN_GONE
        store_failure(ground, lease, look, told)
        bound.warning("watch_failing", reason=told)
        return
    except Exception:
        ground.storage.delete(look.blobs)
        raise
    for made in look.made:
        ground.hints.send(made.submission.pool, len(made.shards))
    if look.seen and watch.seen:
        ground.storage.delete([watch.seen])
    if look.made:
        bound.info("watch_found", items=look.taken, jobs=len(look.made))


def _find(
    ground: Ground, buckets: Buckets, order: Order, most: Most, lease: Lease[Watch], look: Look
) -> None:
    """List and compare, then write what is to be stored; raises PixelmillError and LeaseLost."""
    watch, beat = lease.row, Heart(ground, lease).beat
    # Whoever writes a file of a disk does so little by little.
    at_once = not watch.source["prefix"].startswith("file:")
    takes = watch.seen is not None or not watch.only_new
    rules = Rules(at_once, int(look.began_at // _DAY_S), takes)
    with Sorted(_listed(ground, buckets, watch, look.skips, beat), most.held) as listed:

        def compared() -> Iterator[Step]:
            for step in steps(read_seen(ground.storage, watch.seen), iter(listed), rules):
                beat()
                yield step

        for step in compared():
            look.is_other = look.is_other or step.before != step.after
            look.new += step.arrival is not None
        look.is_listed = True
        # That nothing lay there at first is remembered too.
        if look.is_other or not takes:
            _write(ground, order, most, watch, look, compared())


def _listed(
    ground: Ground, buckets: Buckets, watch: Watch, skips: Skips, beat: Callable[[], None]
) -> Iterator[Listed]:
    count, most = 0, ground.settings.max_items
    for item in list_source(ground, buckets, watch.tenant_id, watch.source, skips, beat):
        if item.size == 0:
            # Its writer has made it and is about to fill it.
            skips.note(item.custom_id, "empty")
            continue
        count += 1
        if count > most:
            raise InvalidInput(
                f"The folder has more than {most:,} objects, the limit of one watch. Watch "
                "folders below it, one by one.",
                code="too_many_items",
                param="prefix",
            )
        yield Listed(item.url, item.size, item.etag, item.custom_id)


def _write(
    ground: Ground,
    order: Order,
    most: Most,
    watch: Watch,
    look: Look,
    found: Iterator[Step],
) -> None:
    """Write manifests of what is new, as far as there is room, and all that is seen by then."""
    name, items_of_one = seen_name(), min(most.items, ground.settings.max_items)
    with writing_seen(ground.storage, name) as write:
        arrivals = _arrivals(found, write, room=items_of_one * most.jobs)
        while (first := next(arrivals, None)) is not None:
            listed = chain([first], islice(arrivals, items_of_one - 1))
            look.made.append(_made(ground, order(watch), watch, listed))
    look.seen = name


def _arrivals(found: Iterator[Step], write: Callable[[Known], None], room: int) -> Iterator[Listed]:
    """Give what is new and has room, and write what is to be remembered on the way."""
    for step in found:
        arrival = step.arrival if room > 0 else None
        is_left = step.arrival is not None and arrival is None
        remembered = step.before if is_left else step.after
        if remembered is not None:
            write(remembered)
        if arrival is not None:
            room -= 1
            yield arrival


def _made(ground: Ground, submission: Submission, watch: Watch, listed: Iterator[Listed]) -> Made:
    job = new_job(submission)
    manifest = manifest_name(job.id)
    total = write_manifest(
        ground.storage,
        manifest,
        (_item(watch, each) for each in listed),
        max_items=ground.settings.max_items,
        max_errors=ground.settings.max_line_errors,
        repeats="told_apart",
    )
    shards = kind_of(job).cut(job, total, submission.model.shard_items)
    return Made(submission, manifest, total, shards)


def _item(watch: Watch, listed: Listed) -> Item:
    owner = Owner(watch.tenant_id, watch.source.get("connection") or "")
    location = read_location(listed.address)
    found = Found(location.key, listed.size, listed.etag)
    return item_of(str(owner), location, found, listed.name)
