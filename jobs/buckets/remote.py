"""A bucket in an object store: listed as a stream, read by ranges under the ETag that was listed.

Nothing is taken from the environment: the variables that open our own storage (AWS_…, GOOGLE_…,
AZURE_…) are read by obstore too, so credentials are handed over by a provider, which goes before
them, and addresses are always said.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import (
    BaseError,
    InvalidPathError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import AzureStore, GCSStore, S3Store

from jobs.base.storage import CHUNK
from jobs.buckets.credentials import Credentials
from jobs.buckets.errors import (
    BucketError,
    bucket_full,
    bucket_gone,
    denied,
    endless,
    not_allowed,
    object_changed,
    object_gone,
    takes_nothing,
    unreachable,
)
from jobs.buckets.guard import Guard, Host
from jobs.buckets.locations import Location, LocationError

_PAGE = 1000
# So long a store may take to give the next keys, whatever it says meanwhile.
_PAGE_S, _BEAT_S = 300.0, 1.0
_GOOGLE = "https://storage.googleapis.com"
_STATUS = re.compile(r"status code: (\d{3})")
_RETRIES = {"max_retries": 3, "retry_timeout": timedelta(seconds=30)}


Beat = Callable[[], None]


class Found(NamedTuple):
    """An object: its key, its bytes, and what its store calls this state of it."""

    key: str
    size: int
    etag: str


class Passed(NamedTuple):
    """What lies in a folder and is no object that could be read, and why, in one word."""

    key: str
    reason: str


class RemoteBucket:
    """One bucket by one set of credentials; safe to share between threads."""

    def __init__(
        self, bucket: Location, credentials: Credentials, guard: Guard, *, writes: bool = False
    ) -> None:
        self._bucket, self._credentials, self._guard = bucket, credentials, guard
        self._writes = writes
        self._store, self._proxy = self._opened()

    def close(self) -> None:
        """Let nothing out any more."""
        self._guard.dismiss(self._proxy)

    def list(self, folder: Location, beat: Beat) -> Iterator[Found | Passed]:
        """Give every object below a folder, in bounded memory; raises BucketError.

        While a page is waited for `beat` is called, which ends the listing by raising: obstore
        passes over empty pages by itself, and a store may give them without end.
        """
        # Once its own way out is closed, whoever still asks is refused, and the thread ends.
        with ThreadPoolExecutor(1, "listing") as apart, self._way_out() as (store, proxy):
            # Not a `for` in the block: what the caller raises between two pages is the caller's.
            with self._told(folder, proxy):
                pages = iter(obstore.list(store, folder.key or None, chunk_size=_PAGE))
            while True:
                coming = apart.submit(next, pages, None)
                _wait_for(coming, folder, beat)
                with self._told(folder, proxy):
                    page = coming.result()
                if page is None:
                    return
                for entry in page:
                    yield Found(entry["path"], entry["size"], entry["e_tag"] or "")

    def head(self, location: Location) -> Found:
        """Say what an object is now; raises BucketError."""
        with self._told(location):
            meta = obstore.head(self._store, location.key)
        return Found(location.key, meta["size"], meta["e_tag"] or "")

    def read(self, location: Location, known: Found, start: int, length: int) -> bytes:
        """Read a run of an object's bytes, if it is still the one that is known.

        Raises BucketError, `input_changed` or `input_gone` among others.
        """
        options: Any = {"range": (start, start + length)}
        if known.etag:
            options["if_match"] = known.etag
        with self._told(location):
            result = obstore.get(self._store, location.key, options=options)
            if result.meta["size"] != known.size:
                raise object_changed(location)
            data = bytes(result.bytes())
        if len(data) != length:
            raise object_changed(location)
        return data

    def put(self, location: Location, data: bytes) -> str:
        """Write an object in one request, whole or not at all; gives its ETag.

        Raises BucketError.
        """
        with self._told(location, writing=True):
            # Parts of an upload that was broken off would lie there unseen, and cost.
            done = obstore.put(self._store, location.key, data, use_multipart=False)
        return done["e_tag"] or ""

    def _opened(self) -> tuple[Any, str]:
        """Open the store, and give the URL of the proxy that it speaks through."""
        endpoint = endpoint_of(self._bucket, self._credentials)
        hosts = _hosts(self._credentials, endpoint)
        proxy = self._guard.admit(hosts, writes=self._writes)
        return _open(self._bucket, self._credentials, endpoint, proxy), proxy

    @contextmanager
    def _way_out(self) -> Iterator[tuple[Any, str]]:
        store, proxy = self._opened()
        try:
            yield store, proxy
        finally:
            self._guard.cut_off(proxy)

    @contextmanager
    def _told(
        self, location: Location, proxy: str = "", *, writing: bool = False
    ) -> Iterator[None]:
        """Say in our own words what went wrong.

        Without the cause: what a store answers quotes keys, tokens and what was signed, and
        tracebacks are logged.
        """
        try:
            yield
            return
        except FileNotFoundError:
            failure = bucket_gone(location) if writing else object_gone(location)
        except PreconditionError:
            failure = object_changed(location)
        except (PermissionDeniedError, UnauthenticatedError):
            failure = takes_nothing(location) if writing else denied(location)
        except InvalidPathError:
            # obstore then gives none of the page that the key is on.
            raise LocationError(
                f"{location} holds a key with an empty segment (//), or one that is . or .., and "
                "cannot be listed. Name a folder without it, or a manifest."
            ) from None
        except (BaseError, OSError, ValueError) as err:
            failure = _of_status(location, str(err), _WRITING if writing else _READING)
        if self._guard.has_refused(proxy or self._proxy):
            failure = not_allowed(
                f"The store of {location} may not be called: it has to be on the public internet "
                "and answer by itself, or in a network that the operator named in "
                "PIXELMILL_BUCKET_NETWORKS."
            )
        raise failure from None


def _wait_for(coming: Future[Any], folder: Location, beat: Beat) -> None:
    until = time.monotonic() + _PAGE_S
    while not wait((coming,), _BEAT_S).done:
        beat()
        if time.monotonic() > until:
            raise endless(folder, _PAGE_S)


_Failures = Mapping[str, Callable[[object], BucketError]]
_READING: _Failures = {"404": object_gone, "401": denied, "403": denied}
_WRITING: _Failures = {
    "404": bucket_gone,
    "401": takes_nothing,
    "403": takes_nothing,
    "507": bucket_full,
}


def _of_status(location: Location, told: str, failures: _Failures) -> BucketError:
    """Tell calls that were refused, which obstore does not tell apart, from stores away."""
    status = _STATUS.search(told.partition("\n")[0])
    return failures.get(status[1] if status else "", unreachable)(location)


def ranges(size: int) -> Iterator[tuple[int, int]]:
    """Cut an object into starts and lengths, few and large."""
    for start in range(0, size, CHUNK):
        yield start, min(CHUNK, size - start)


def endpoint_of(bucket: Location, credentials: Credentials) -> str:
    """Give the scheme, host and port that a bucket is asked for at."""
    if credentials.endpoint:
        return credentials.endpoint
    if credentials.kind == "gs":
        return _GOOGLE
    if credentials.kind == "az":
        return f"https://{bucket.bucket.partition('/')[0]}.blob.core.windows.net"
    return f"https://s3.{credentials.secret['region']}.amazonaws.com"


def _hosts(credentials: Credentials, endpoint: str) -> frozenset[Host]:
    parts = urlsplit(endpoint)
    default = 443 if parts.scheme == "https" else 80
    hosts = {(parts.hostname or "", parts.port or default)}
    if credentials.kind == "gs":
        hosts.add(("oauth2.googleapis.com", 443))
    return frozenset(hosts)


def _open(bucket: Location, credentials: Credentials, endpoint: str, proxy: str) -> Any:
    secret = credentials.secret
    common: dict[str, Any] = {
        "client_options": {
            "proxy_url": proxy,
            "proxy_excludes": "",
            "allow_http": endpoint.startswith("http://"),
            "connect_timeout": "10s",
            "read_timeout": "20s",
            "timeout": "90s",
        },
        "retry_config": _RETRIES,
    }
    if credentials.kind == "s3":
        provider = _s3_provider(secret) if "access_key_id" in secret else None
        config: Any = {
            "endpoint": endpoint,
            "aws_endpoint_url_s3": endpoint,
            "region": secret["region"],
            "virtual_hosted_style_request": False,
            "request_payer": False,
            "skip_signature": provider is None,
        }
        return S3Store(bucket.bucket, config=config, credential_provider=provider, **common)
    if credentials.kind == "gs":
        account = secret.get("service_account")
        config = {"base_url": endpoint, "skip_signature": account is None}
        if account is not None:
            config["service_account_key"] = account
        return GCSStore(bucket.bucket, config=config, **common)
    name, _, container = bucket.bucket.partition("/")
    config = {"account_name": name, "endpoint": endpoint, "skip_signature": False}
    if "account_key" in secret:
        given: Any = {"access_key": secret["account_key"], "expires_at": None}
    elif "sas_token" in secret:
        given = {"sas_token": secret["sas_token"], "expires_at": None}
    else:
        return AzureStore(container, config=config | {"skip_signature": True}, **common)
    return AzureStore(container, config=config, credential_provider=lambda: given, **common)


def _s3_provider(secret: Any) -> Any:
    given = {
        "access_key_id": secret["access_key_id"],
        "secret_access_key": secret["secret_access_key"],
        "token": secret.get("session_token"),
        "expires_at": None,
    }
    return lambda: given
