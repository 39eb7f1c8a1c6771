"""Where a job's results go, checked when it is submitted: a folder of its own below the one named.

    s3://bucket/results/ ─► s3://bucket/results/job_01…/part-00000.parquet
                                                       /part-00001.parquet
                                                       /_manifest.json

The names follow from the job's id, which nobody chooses: no job writes over what another wrote, and
a repeated try writes over its own. No job's folder lies in another's. What a job keeps of it
(`Job.output`) names no secret.
"""

import re
from dataclasses import dataclass
from typing import Any

from jobs.base.bootstrap import Ground
from jobs.base.errors import InvalidInput, InvalidRequest
from jobs.base.ids import new_id
from jobs.buckets.connections import find_connection
from jobs.buckets.errors import BucketError
from jobs.buckets.locations import Location, LocationError, read_location
from jobs.buckets.sources import Buckets, Owner

# Readers of data sets pass over names that begin with an underscore.
MANIFEST = "_manifest.json"

_OF_A_JOB = re.compile(r"job_[0-9a-z]{26}")
_LONGEST_NAME = "part-0000000.ndjson.zst"


@dataclass(frozen=True, slots=True)
class Place:
    """A job's own folder in a bucket."""

    folder: Location

    @property
    def manifest(self) -> Location:
        """Where the manifest lies."""
        return self.object(MANIFEST)

    def object(self, name: str) -> Location:
        """Give an object in the folder by its name."""
        return self.folder.below(f"{self.folder.key}/{name}")


def place_of(output: dict[str, Any], job_id: str) -> Place:
    """Give where the results of a job go; raises LocationError for a key that is too long."""
    folder = read_location(output["url"])
    if any(map(_OF_A_JOB.fullmatch, folder.parts)):
        # A reader of that job's folder would take these rows for its own.
        raise LocationError(
            f"{folder.folder} lies in the folder of a job's results; name one above it."
        )
    return Place(folder.below(f"{folder.key}/{job_id}".lstrip("/")))


def owner_of(tenant_id: str, output: dict[str, Any]) -> Owner:
    """Give for whom, and by which connection, the bucket is opened."""
    return Owner(tenant_id, output.get("connection") or "")


def check_output(
    ground: Ground,
    buckets: Buckets,
    tenant_id: str,
    output: dict[str, Any],
    prefix: str | None = None,
) -> None:
    """Refuse a folder that its tenant may not write to; nothing is asked of a store.

    It may not lie in `prefix`, the folder whose objects are the inputs: a watch would find in it
    what came of it, and run that for ever.

    `output` is as a job keeps it, and its connection becomes an id. Raises InvalidRequest, and
    NotFound for a connection that is not there.
    """
    if output.get("connection"):
        with ground.database.read() as session:
            output["connection"] = find_connection(session, tenant_id, output["connection"]).id
    try:
        # As long as any of its names will be.
        place = place_of(output, new_id("job"))
        place.object(_LONGEST_NAME)
        _check_apart(place, prefix)
        buckets.check_outlet(owner_of(tenant_id, output), place.folder)
    except LocationError as err:
        raise InvalidRequest(str(err), param="output") from err
    except BucketError as err:
        # Its caller knows no job of that id: there is none yet.
        told = str(err).replace(str(place.folder), output["url"])
        raise InvalidInput(told, code=err.code, param="output") from err


def _check_apart(place: Place, prefix: str | None) -> None:
    """Raise LocationError for results that would lie among the inputs."""
    try:
        inputs = read_location(prefix) if prefix is not None else None
    except LocationError:
        return  # which is refused where inputs are checked, as their own fault
    if inputs is not None and inputs.covers(place.folder):
        raise LocationError(
            f"Results would lie in {inputs.folder}, where the inputs are taken from, and be taken "
            "for inputs themselves. Name a folder beside it."
        )
