"""A bucket in an object store: listed as a stream, read by ranges under the ETag that was listed.

Nothing is taken from the environment: the variables that open our own storage (AWS_…, GOOGLE_…,
AZURE_…) are read by obstore too, so credentials are handed over by a provider, which goes before
them, and addresses are always said.
"""

import re
from collections.abc import Iterator
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
    denied,
    not_allowed,
    object_changed,
    object_gone,
    unreachable,
)
from jobs.buckets.guard import Guard, Host
from jobs.buckets.locations import Location, LocationError

_PAGE = 1000
_GOOGLE = "https://storage.googleapis.com"
_STATUS = re.compile(r"status code: (\d{3})")
_RETRIES = {"max_retries": 3, "retry_timeout": timedelta(seconds=30)}


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

    def __init__(self, bucket: Location, credentials: Credentials, guard: Guard) -> None:
        self._bucket, self._guard = bucket, guard
        endpoint = endpoint_of(bucket, credentials)
        self._proxy = guard.admit(_hosts(credentials, endpoint))
        self._store = _open(bucket, credentials, endpoint, self._proxy)

    def close(self) -> None:
        """Let nothing out any more."""
        self._guard.dismiss(self._proxy)

    def list(self, folder: Location) -> Iterator[Found | Passed]:
        """Give every object below a folder, in bounded memory; raises BucketError."""
        # Not a `for` in the block: what the caller raises between two pages is the caller's.
        with self._told(folder):
            pages = iter(obstore.list(self._store, folder.key or None, chunk_size=_PAGE))
        while True:
            with self._told(folder):
                page = next(pages, None)
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

    @contextmanager
    def _told(self, location: Location) -> Iterator[None]:
        """Say in our own words what went wrong.

        Without the cause: what a store answers quotes keys, tokens and what was signed, and
        tracebacks are logged.
        """
        try:
            yield
            return
        except FileNotFoundError:
            failure = object_gone(location)
        except PreconditionError:
            failure = object_changed(location)
        except (PermissionDeniedError, UnauthenticatedError):
            failure = denied(location)
        except InvalidPathError:
            # obstore then gives none of the page that the key is on.
            raise LocationError(
                f"{location} holds a key with an empty segment (//), or one that is . or .., and "
                "cannot be listed. Name a folder without it, or a manifest."
            ) from None
        except (BaseError, OSError, ValueError) as err:
            failure = _of_status(location, str(err))
        if self._guard.has_refused(self._proxy):
            failure = not_allowed(
                f"The store of {location} may not be called: it has to be on the public internet "
                "and answer by itself, or in a network that the operator named in "
                "PIXELMILL_BUCKET_NETWORKS."
            )
        raise failure from None


def _of_status(location: Location, told: str) -> BucketError:
    """Tell listings that were refused, which obstore does not tell apart, from stores away."""
    status = _STATUS.search(told.partition("\n")[0])
    if status is None:
        return unreachable(location)
    return {"404": object_gone, "401": denied, "403": denied}.get(status[1], unreachable)(location)


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
