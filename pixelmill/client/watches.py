"""Watched folders of buckets, as `client.watches`.

watch = client.watches.create("s3://bucket/path/", model="digits")
for job in client.jobs(watch=watch):
    print(job.id, client.watches.get(watch).backlog)
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import quote

from pixelmill.client.inputs.skipping import Skipped
from pixelmill.client.records import Raw
from pixelmill.wire.errors import UnexpectedAnswer
from pixelmill.wire.transport import Call, Transport, json_object

_WATCHES = "/v1/watches"


@dataclass(frozen=True, slots=True)
class Backlog:
    """What was found and has no result yet: objects in no job, and items in jobs."""

    objects: int = 0
    items: int = 0


@dataclass(frozen=True, slots=True)
class Watch:
    """A watch at the moment of the answer; times are seconds since 1970."""

    id: str
    # active, paused or failing.
    state: str
    raw: Raw = field(repr=False, compare=False)
    last_error: str | None = None
    prefix: str = ""
    model: str = ""
    only_new: bool = False
    interval_seconds: int = 0
    objects_seen: int = 0
    jobs_created: int = 0
    backlog: Backlog = field(default_factory=Backlog)
    # What the last listing passed over.
    skipped: Skipped = field(default_factory=Skipped)
    last_listed_at: int | None = None
    next_listing_at: int | None = None
    created_at: int = 0

    @classmethod
    def from_raw(cls, raw: Raw) -> Self:
        """Read the server's answer."""
        if "id" not in raw or "state" not in raw:
            raise UnexpectedAnswer("the server's watch lacks its id or state; is it an older one?")
        members = {name: raw[name] for name in _PLAIN if raw.get(name) is not None}
        backlog = raw.get("backlog") or {}
        members |= {
            "raw": raw,
            "prefix": (raw.get("source") or {}).get("prefix") or "",
            "backlog": Backlog(backlog.get("objects", 0), backlog.get("items", 0)),
            "skipped": Skipped.from_raw(raw.get("skipped")),
        }
        return cls(**members)


_PLAIN = frozenset(Watch.__dataclass_fields__) - {"raw", "prefix", "backlog", "skipped"}


class Watches:
    """The calls about watches, by their id or as they were given."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        prefix: str,
        *,
        model: str,
        params: Mapping[str, Any] | None = None,
        include: Sequence[str] | None = None,
        exclude: Sequence[str] | None = None,
        connection: str | None = None,
        only_new: bool | None = None,
        interval_seconds: int | None = None,
        priority: str | None = None,
        metadata: Mapping[str, str] | None = None,
        webhook: str | Mapping[str, Any] | None = None,
        output: str | Mapping[str, Any] | None = None,
        completion_window: str | None = None,
        output_expires_after: int | None = None,
        overlays: bool | None = None,
        idempotency_key: str | None = None,
    ) -> Watch:
        """Watch a folder such as "s3://bucket/path/": each object there becomes an item of a job.

        With `only_new`, what lies there already is left out.
        The rest is what `submit` takes, for every job that comes of it; the folder is listed every
        `interval_seconds`, or as often as the operator says.
        """
        body = {
            "prefix": prefix,
            "model": model,
            "params": params,
            "include": None if include is None else list(include),
            "exclude": None if exclude is None else list(exclude),
            "connection": connection,
            "only_new": only_new,
            "interval_seconds": interval_seconds,
            "priority": priority,
            "metadata": metadata,
            "webhook": {"url": webhook} if isinstance(webhook, str) else webhook,
            "output": output,
            "completion_window": completion_window,
            "output_expires_after": output_expires_after,
            "overlays": overlays,
        }
        given = {name: value for name, value in body.items() if value is not None}
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        return self._one(Call("POST", _WATCHES, json=given, headers=headers, repeatable=True))

    def list(self) -> list[Watch]:
        """Give the tenant's watches, newest first."""
        answer = json_object(self._transport.send(Call("GET", _WATCHES, repeatable=True)))
        return [Watch.from_raw(raw) for raw in answer["data"]]

    def get(self, watch: str | Watch) -> Watch:
        """Give a watch as it is now."""
        return self._one(Call("GET", _path(watch), repeatable=True))

    def pause(self, watch: str | Watch) -> Watch:
        """List its folder no more until it is resumed; its jobs run on."""
        return self._one(Call("POST", _path(watch) + "/pause", repeatable=True))

    def resume(self, watch: str | Watch) -> Watch:
        """List its folder now, and then as before; also where it was failing."""
        return self._one(Call("POST", _path(watch) + "/resume", repeatable=True))

    def delete(self, watch: str | Watch) -> None:
        """Delete a watch; its jobs and their results stay."""
        self._transport.send(Call("DELETE", _path(watch)))

    def _one(self, call: Call) -> Watch:
        return Watch.from_raw(json_object(self._transport.send(call)))


def watch_id(watch: str | Watch | None) -> str | None:
    """Give the id of a watch, however it is named."""
    return watch.id if isinstance(watch, Watch) else watch


def _path(watch: str | Watch) -> str:
    return f"{_WATCHES}/{quote(watch if isinstance(watch, str) else watch.id, safe='')}"
