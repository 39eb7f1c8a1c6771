"""Which folders of which buckets a tenant may name: the operator's list, empty at first.

An allowance is a folder and an endpoint. It covers what lies below the folder by whole segments,
and is held against every object again when it is read: one that was withdrawn ends at once. It lets
objects be read, or results be written, never both: who may do both has two.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from jobs.base.database import Database, db_now
from jobs.base.errors import Conflict, InvalidRequest, NotFound
from jobs.base.ids import new_id
from jobs.base.settings import Settings, sqlite_path
from jobs.buckets.credentials import CredentialsError, check_endpoint
from jobs.buckets.errors import not_allowed
from jobs.buckets.locations import Location, LocationError, read_location
from jobs.tables import BucketAllowance, Tenant
from jobs.tenants.audit import OPERATOR, write_entry
from jobs.tenants.keys import find_tenant


class Allowance(NamedTuple):
    """A folder that may be named, at one endpoint (empty: the provider's own)."""

    folder: Location
    endpoint: str
    # Whether results may be written there; nothing is then read.
    writing: bool = False


def allow(
    database: Database,
    settings: Settings,
    tenant: str,
    prefix: str,
    endpoint: str,
    *,
    writing: bool = False,
) -> str:
    """Let a tenant read from a folder, or write results into it; gives the allowance's id.

    Raises NotFound, InvalidRequest, and Conflict when it is allowed already or is our own place.
    """
    try:
        folder = read_location(prefix)
        address = check_endpoint(endpoint, settings.bucket_networks)
    except (LocationError, CredentialsError) as err:
        raise InvalidRequest(str(err), param="prefix") from err
    if is_own_place(settings, folder):
        raise Conflict(f"{folder.folder} is where Pixelmill keeps its own data.")
    if endpoint and folder.scheme == "file":
        raise InvalidRequest("A folder of the server has no endpoint.", param="endpoint")
    with database.write() as session:
        tenant_id = find_tenant(session, tenant)
        if Allowance(folder, address, writing) in allowances_of(session, tenant_id):
            raise Conflict(f"{folder.folder} is allowed already.")
        row = BucketAllowance(
            id=new_id("alw"),
            tenant_id=tenant_id,
            prefix=str(folder),
            endpoint=address,
            writing=writing,
            created_at=session.scalar(select(db_now())) or 0.0,
        )
        session.add(row)
        said = {"tenant_id": tenant_id, "endpoint": address, "writing": writing}
        write_entry(session, OPERATOR, "bucket.allowed", str(folder), **said)
        return row.id


def withdraw(database: Database, allowance_id: str) -> None:
    """Take an allowance back, for jobs that run too; raises NotFound."""
    with database.write() as session:
        row = session.get(BucketAllowance, allowance_id)
        if row is None:
            raise NotFound(f"There is no allowance {allowance_id!r}. `buckets list` shows all.")
        session.execute(delete(BucketAllowance).where(BucketAllowance.id == allowance_id))
        said = {"tenant_id": row.tenant_id, "endpoint": row.endpoint, "writing": row.writing}
        write_entry(session, OPERATOR, "bucket.withdrawn", row.prefix, **said)


def list_allowances(session: Session) -> list[tuple[str, BucketAllowance]]:
    """Give every allowance with its tenant's name."""
    query = select(Tenant.name, BucketAllowance).join(
        Tenant, Tenant.id == BucketAllowance.tenant_id
    )
    ordered = query.order_by(Tenant.name, BucketAllowance.prefix)
    return [(name, row) for name, row in session.execute(ordered)]


def allowances_of(session: Session, tenant_id: str) -> list[Allowance]:
    """Give what a tenant may name."""
    rows = session.execute(
        select(BucketAllowance.prefix, BucketAllowance.endpoint, BucketAllowance.writing).where(
            BucketAllowance.tenant_id == tenant_id
        )
    )
    return [Allowance(read_location(row.prefix), row.endpoint, row.writing) for row in rows]


def check_allowed(
    settings: Settings,
    allowed: Sequence[Allowance],
    location: Location,
    endpoint: str,
    *,
    writing: bool = False,
) -> Location:
    """Give the folder whose allowance covers what a tenant names at an endpoint, to read or write.

    Raises BucketError where there is none.
    """
    covering = [each for each in allowed if each.writing is writing]
    covering = [each for each in covering if each.endpoint == endpoint]
    for each in covering:
        if each.folder.covers(location):
            # Ours are refused whatever was allowed; where nothing was, nobody is told where we are.
            if is_own_place(settings, location):
                raise not_allowed(f"{location} is where this installation keeps its own data.")
            return each.folder
    where = f" at {endpoint}" if endpoint else ""
    what, flag = ("write results to", " --write") if writing else ("name", "")
    raise not_allowed(
        f"{location}{where} is not among the buckets that you may {what}. An operator allows a "
        f"folder with `pixelmill buckets allow --tenant NAME{flag} ADDRESS`."
    )


def is_own_place(settings: Settings, location: Location) -> bool:
    """Whether Pixelmill keeps its own data there, above it or below it."""
    own = urlsplit(settings.storage_url)
    if location.scheme == "file":
        return any(_overlap(_path_of(location), path) for path in _own_folders(settings))
    if own.scheme == "file":
        return False
    # Any reading of a storage URL: s3://bucket, https://bucket.s3.….com, https://host/bucket,
    # az://account/container.
    host, (first, *_) = (own.hostname or "").lower(), own.path.lower().strip("/").split("/")
    names = {host} if own.scheme in ("s3", "s3a", "gs") else {host, host.partition(".")[0], first}
    return location.bucket.rpartition("/")[2] in names


def _own_folders(settings: Settings) -> list[Path]:
    folders: list[Path] = []
    if settings.storage_url.startswith("file://"):
        rest = settings.storage_url.removeprefix("file://")
        folders.append(Path(url2pathname(rest)).resolve())
    if settings.is_sqlite:
        folders.append(sqlite_path(settings.database_url).resolve().parent)
    return folders


def _path_of(location: Location) -> Path:
    return Path("/", *location.parts).resolve()


def _overlap(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)
