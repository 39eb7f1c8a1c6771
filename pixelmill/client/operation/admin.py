"""The operator's view, as `client.admin`: rows as the server gives them.

for job in client.admin.jobs():
    print(job["id"], job["tenant"], job["why"])
client.admin.drain("host-1f0c9a2e/gpu0")
"""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from pixelmill.wire.pages import pages
from pixelmill.wire.transport import Call, Transport, json_object

Row = Mapping[str, Any]

_ADMIN = "/v1/admin"


class Admin:
    """The calls of operators. They raise PermissionDenied for a key that is not an operator's."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def jobs(self, *, tenant: str | None = None) -> Iterator[Row]:
        """Give the jobs of all tenants, or one, that are not over; `why` says what each waits for.

        Oldest first; pages are fetched as they are needed.
        """
        for page in pages(self._transport, f"{_ADMIN}/jobs", {"tenant": tenant}):
            yield from page.rows

    def tenants(self) -> Iterator[Row]:
        """Give the tenants with their shares and what they have waiting."""
        for page in pages(self._transport, f"{_ADMIN}/tenants", {}):
            yield from page.rows

    def workers(self) -> list[Row]:
        """Give the worker processes with the shards that each holds."""
        rows: list[Row] = self._answer("workers")["data"]
        return rows

    def usage(self, *, days: float = 30) -> list[Row]:
        """Say what each tenant's jobs of the last days have used, the greatest first."""
        rows: list[Row] = self._answer("usage", days=days)["data"]
        return rows

    def storage(self) -> Row:
        """Say who keeps how much (`data`), and what room the disk has (`free_bytes`)."""
        return self._answer("storage")

    def drain(self, worker: str) -> list[str]:
        """Have a worker, or a launcher's or a host's, claim nothing more; gives their names."""
        return self._turn(worker, "drain")

    def resume(self, worker: str) -> list[str]:
        """Let a worker, or a launcher's or a host's, claim again; gives their names."""
        return self._turn(worker, "resume")

    def _turn(self, worker: str, how: str) -> list[str]:
        # Names have slashes, which are part of the path here.
        path = f"{_ADMIN}/workers/{quote(worker, safe='/')}/{how}"
        call = Call("POST", path, repeatable=True)
        workers: list[str] = json_object(self._transport.send(call))["workers"]
        return workers

    def _answer(self, what: str, **query: Any) -> Row:
        call = Call("GET", f"{_ADMIN}/{what}", params=query, repeatable=True)
        return json_object(self._transport.send(call))
