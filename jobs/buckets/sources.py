"""The one door to buckets: checked against the tenant's list, opened by the right credentials.

    owner (tenant, connection) + address ─► allowances ─► credentials ─► a store behind the guard

Whoever lists, reads or writes comes through here each time; what was looked up is kept for some
seconds, so that an allowance or a connection that is taken back ends soon.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple, Protocol

from jobs.base.bootstrap import Ground
from jobs.base.errors import NotFound
from jobs.buckets.allowances import Allowance, allowances_of, check_allowed
from jobs.buckets.connections import find_connection, open_connection
from jobs.buckets.credentials import Credentials, Kind, server_credentials
from jobs.buckets.errors import BucketError, not_allowed
from jobs.buckets.folder_outlets import FolderOutlet
from jobs.buckets.folders import FolderBucket
from jobs.buckets.guard import Guard
from jobs.buckets.locations import Location
from jobs.buckets.remote import Beat, Found, Passed, RemoteBucket

_KEPT_S = 5.0
_MOST_OPEN = 64


class Owner(NamedTuple):
    """For whom a bucket is opened, and by which connection: empty for the server's credentials."""

    tenant_id: str
    connection_id: str = ""

    def __str__(self) -> str:
        """Write it as a manifest keeps it, beside each item."""
        return f"{self.tenant_id}/{self.connection_id}"


def read_owner(text: str) -> Owner:
    """Read what a manifest keeps."""
    tenant_id, _, connection_id = text.partition("/")
    return Owner(tenant_id, connection_id)


class Bucket(Protocol):
    """What holds objects: an object store's bucket, or the server's disk."""

    def list(self, folder: Location, beat: Beat, /) -> Iterator[Found | Passed]:
        """Give every object below a folder, calling `beat` while it waits; raises BucketError."""

    def head(self, location: Location, /) -> Found:
        """Say what an object is now; raises BucketError."""

    def read(self, location: Location, known: Found, start: int, length: int, /) -> bytes:
        """Read a run of an object that is still the one that is known; raises BucketError."""

    def close(self) -> None:
        """Let it go."""


class Outlet(Protocol):
    """Where objects may be written: an object store's bucket, or a folder of the server's disk."""

    def put(self, location: Location, data: bytes, /) -> str:
        """Write an object, whole or not at all; gives its ETag, or nothing. Raises BucketError."""

    def close(self) -> None:
        """Let it go."""


class Tables(Protocol):
    """Reads lists of paths that are Parquet files."""

    def rows(
        self, file: BinaryIO, beat: Callable[[], None], /
    ) -> Iterator[tuple[str | None, str | None]]:
        """Give path and custom_id of each row; raises ArchiveError."""


class NoTables(Exception):
    """Parquet files of strangers are not read in this process."""


class _Rights(NamedTuple):
    allowed: list[Allowance]
    # None for the server's own, which depend on the scheme.
    credentials: Credentials | None
    until: float


class Buckets:
    """Buckets of all tenants, opened as they are needed; safe to share between threads."""

    def __init__(self, ground: Ground, tables: Tables | None = None) -> None:
        self.tables = tables
        self._ground = ground
        self._server = server_credentials(ground.settings)
        self._lock = threading.Lock()
        self._guard: Guard | None = None
        self._rights: dict[Owner, _Rights] = {}
        self._open: OrderedDict[tuple[Owner, str, str], tuple[Credentials, RemoteBucket]] = (
            OrderedDict()
        )
        self._folders = FolderBucket()

    def bucket(self, owner: Owner, location: Location) -> Bucket:
        """Open the bucket of a folder or object that its owner may name; raises BucketError."""
        with self._lock:
            _, credentials = self._allowed(owner, location, writing=False)
            if credentials is None:
                return self._folders
            return self._opened(owner, location, credentials)

    def check_outlet(self, owner: Owner, folder: Location) -> None:
        """Raise BucketError unless an owner may write results into a folder, by now."""
        with self._lock:
            self._allowed(owner, folder, writing=True)

    def outlet(self, owner: Owner, folder: Location) -> Outlet:
        """Open a folder that its owner may write results into; the caller closes it.

        Raises BucketError.
        """
        with self._lock:
            allowed, credentials = self._allowed(owner, folder, writing=True)
            if credentials is None:
                return FolderOutlet(allowed)
            return RemoteBucket(folder, credentials, self._guarded(), writes=True)

    def close(self) -> None:
        """Close every store and the way out."""
        with self._lock:
            for _, bucket in self._open.values():
                bucket.close()
            self._open.clear()
            if self._guard is not None:
                self._guard.close()
                self._guard = None

    def _allowed(
        self, owner: Owner, location: Location, *, writing: bool
    ) -> tuple[Location, Credentials | None]:
        """Give the folder that was allowed, and what opens it: nothing, for the server's disk."""
        rights, settings = self._rights_of(owner), self._ground.settings
        if location.scheme == "file":
            if owner.connection_id:
                raise not_allowed("A folder of the server is named without a connection.")
            return check_allowed(settings, rights.allowed, location, "", writing=writing), None
        is_named = any(
            each.writing is writing and each.folder.covers(location) for each in rights.allowed
        )
        if rights.credentials is None and not is_named:
            # Before anybody is told which credentials there are, and stores some in vain.
            check_allowed(settings, rights.allowed, location, "", writing=writing)
        credentials = rights.credentials or self._server_credentials(location)
        endpoint = credentials.endpoint
        folder = check_allowed(settings, rights.allowed, location, endpoint, writing=writing)
        _check_fits(credentials, location)
        return folder, credentials

    def _guarded(self) -> Guard:
        if self._guard is None:
            self._guard = Guard(self._ground.settings.bucket_networks)
        return self._guard

    def _rights_of(self, owner: Owner) -> _Rights:
        known = self._rights.get(owner)
        if known is not None and time.monotonic() < known.until:
            return known
        settings = self._ground.settings
        credentials = None
        with self._ground.database.read() as session:
            allowed = allowances_of(session, owner.tenant_id)
            if owner.connection_id:
                try:
                    row = find_connection(session, owner.tenant_id, owner.connection_id)
                except NotFound:
                    self._rights.pop(owner, None)
                    raise BucketError(
                        "connection_gone", "The connection of this job was deleted."
                    ) from None
                credentials = open_connection(settings, row)
        if len(self._rights) > _MOST_OPEN:
            self._rights.clear()
        rights = _Rights(allowed, credentials, time.monotonic() + _KEPT_S)
        self._rights[owner] = rights
        return rights

    def _server_credentials(self, location: Location) -> Credentials:
        kinds: dict[str, Kind] = {kind: kind for kind in self._server}
        if location.scheme not in kinds:
            raise not_allowed(
                f"The server has no credentials of its own for {location.scheme}://. Store some "
                "with POST /v1/connections and name that connection."
            )
        return self._server[kinds[location.scheme]]

    def _opened(self, owner: Owner, location: Location, credentials: Credentials) -> Bucket:
        key = (owner, location.scheme, location.bucket)
        known = self._open.get(key)
        if known is not None and known[0] == credentials:
            self._open.move_to_end(key)
            return known[1]
        bucket = RemoteBucket(location, credentials, self._guarded())
        self._open[key] = (credentials, bucket)
        if len(self._open) > _MOST_OPEN:
            self._open.popitem(last=False)[1][1].close()
        return bucket


def _check_fits(credentials: Credentials, location: Location) -> None:
    if credentials.kind != location.scheme:
        raise not_allowed(
            f"{location} cannot be opened by a connection for {credentials.kind}://; name another."
        )
    account = location.bucket.partition("/")[0]
    if credentials.kind == "az" and credentials.secret["account"] != account:
        raise not_allowed(f"The credentials are of another account than {location}.")
