"""From a folder of a bucket to the items of a job: a stream in bounded memory, whatever its size.

Each item pins its object: key, size and ETag. What is no media by its name becomes no item, as in
archives, and neither do results that a job has written; what is too large or empty is found where
it is read.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from jobs.archives.selection import is_not_media, is_system_file
from jobs.base.errors import InvalidInput
from jobs.buckets.errors import BucketError
from jobs.buckets.globs import chooser
from jobs.buckets.locations import Location, LocationError, read_location
from jobs.buckets.remote import Beat, Found, Passed
from jobs.buckets.sources import Buckets, Owner
from jobs.inputs.budgets import fit_name
from jobs.inputs.manifests import Item
from jobs.inputs.skipping import Skips

# What jobs write into buckets (jobs.outputs.places), compressed too. Two watches, each of which
# writes into the folder of the other, would else run it for ever.
_RESULT = re.compile(r"(.*/)?job_[0-9a-z]{26}/(part-[0-9]+\.[a-z.]+|_manifest\.json)")


def items_of_prefix(
    buckets: Buckets, owner: Owner, source: dict[str, Any], skips: Skips, beat: Beat
) -> Iterator[Item]:
    """List a folder; raises BucketError, and InvalidInput for a key that no item can name."""
    folder = read_location(source["prefix"])
    chooses = chooser(source.get("include") or (), source.get("exclude") or ())
    written = str(owner)

    def still_allowed() -> None:
        beat()
        buckets.bucket(owner, folder)

    for found in buckets.bucket(owner, folder).list(folder, still_allowed):
        beat()
        try:
            location = folder.below(found.key)
        except LocationError:
            skips.note(found.key, "unreadable_name")
            continue
        if location == folder:
            continue  # a marker of the folder itself
        if not folder.covers(location):
            raise InvalidInput(
                f"The store of {folder.folder} lists keys that do not lie there.",
                code="bucket_unreachable",
                param="prefix",
            )
        name = location.name_in(folder)
        reason = _reason_to_skip(found, name, chooses)
        if reason is None and _RESULT.fullmatch(location.key):
            reason = "not_media"
        if reason is not None:
            skips.note(name, reason)
        elif isinstance(found, Found):
            yield item_of(written, location, found, fit_name(name))


def item_of(owner: str, location: Location, found: Found, custom_id: str) -> Item:
    """Give the item of an object, pinned as it was found."""
    return Item(
        custom_id,
        "object",
        blob=owner,
        length=found.size,
        size=found.size,
        url=str(location),
        etag=found.etag,
    )


def object_of(item: Item) -> tuple[Location, Found]:
    """Give the object that an item is, or whose member it is, as it was listed."""
    location = read_location(item.url)
    size = item.size if item.encoding == "object" else item.object_size
    return location, Found(location.key, size, item.etag)


def input_of(err: BucketError, param: str) -> InvalidInput:
    """Make of a bucket's error the reason why a job's items cannot be listed."""
    return InvalidInput(str(err), code=err.code, param=param)


def _reason_to_skip(found: Found | Passed, name: str, chooses: Callable[[str], bool]) -> str | None:
    if isinstance(found, Passed):
        return found.reason
    if not chooses(name):
        return "not_chosen"
    if is_system_file(name):
        return "system_file"
    if found.size == 0 and "." not in name.rpartition("/")[2]:
        return "folder"  # as consoles of stores make them: an empty object
    return "not_media" if is_not_media(name) else None
