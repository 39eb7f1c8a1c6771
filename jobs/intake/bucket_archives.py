"""Archives that lie in buckets of others: walked where they lie, and never copied as they are.

    zip, tar ────────────────────► a range of the object for each member, under the object's ETag
    tar.gz, .bz2, .xz, .zst, 7z ─► expanded once into a pack of the job's own, as uploads are

One archive is named by its address, and all those of a folder by the folder's, with a slash behind
it. The walk reads the object in large runs, and so do workers.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from jobs.archives import ArchiveError, sniff_file
from jobs.base.errors import InvalidInput
from jobs.buckets.listing import items_of_prefix, object_of
from jobs.buckets.lists import open_object
from jobs.buckets.locations import Location, read_location
from jobs.buckets.remote import Found
from jobs.buckets.sources import Buckets, Owner
from jobs.inputs.archive_items import Walk
from jobs.inputs.budgets import fit_name
from jobs.inputs.manifests import Item

# Which objects of a folder are opened; what they are is seen by their bytes.
SUFFIXES = (
    *(".zip", ".tar", ".7z", ".tgz", ".tbz2", ".tbz", ".txz", ".tzst"),
    *(".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst", ".tar.lz4"),
)


def items_of_archives(
    walk: Walk, buckets: Buckets, owner: Owner, source: dict[str, Any]
) -> Iterator[Item]:
    """Give the items of an archive, or of each of a folder; raises BucketError and InvalidInput.

    Names of a folder's begin with that of their archive.
    """
    address: str = source["archive"]
    location = read_location(address)

    def still_allowed() -> None:
        beat()
        buckets.bucket(owner, location)

    beat = walk.beat
    walk = replace(walk, beat=still_allowed)
    if address.endswith("/"):
        for archive, known, name in _archives_in(walk, buckets, owner, source):
            for item in _items_of(walk, buckets, owner, archive, known):
                yield item._replace(custom_id=fit_name(f"{name}/{item.custom_id}"))
    else:
        known = buckets.bucket(owner, location).head(location)
        yield from _items_of(walk, buckets, owner, location, known)


def _archives_in(
    walk: Walk, buckets: Buckets, owner: Owner, source: dict[str, Any]
) -> Iterator[tuple[Location, Found, str]]:
    """List the archives of a folder; all else is skipped."""
    listed = {"prefix": source["archive"]} | {
        name: source[name] for name in ("include", "exclude") if name in source
    }
    for item in items_of_prefix(buckets, owner, listed, walk.skips, walk.beat):
        if item.custom_id.lower().endswith(SUFFIXES):
            yield *object_of(item), item.custom_id
        else:
            walk.skips.note(item.custom_id, "not_archive")


def _items_of(
    walk: Walk, buckets: Buckets, owner: Owner, location: Location, known: Found
) -> Iterator[Item]:
    stream = open_object(buckets.bucket(owner, location), location, known)
    kind, written = sniff_file(stream), str(owner)
    if kind == "other":
        raise InvalidInput(
            f"{location} is no archive: `archive` takes zip, tar, tar.gz, .bz2, .xz, .zst, .lz4 "
            "and 7z.",
            code="unsupported_archive",
            param="archive",
        )
    try:
        for item in walk.items(kind, stream, written, known.size):
            if item.blob == written:  # and not in a pack of our own
                item = item._replace(url=str(location), etag=known.etag, object_size=known.size)
            yield item
    except ArchiveError as err:
        raise InvalidInput(f"{location}: {err}", code=err.code, param="archive") from err
