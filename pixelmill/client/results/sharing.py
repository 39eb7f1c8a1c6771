"""What a job's answers come to, and links that show them to people without a key.

share = client.share(job, days=7)
print(share.url, client.summary(job)["classes"][:3])
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import quote

from pixelmill.client.calls import job_path
from pixelmill.client.records import Job, Raw
from pixelmill.wire.errors import UnexpectedAnswer
from pixelmill.wire.transport import Call, Transport, json_object

_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Share:
    """A link that shows one job; `url` is None once it shows nothing. Times as in `Job`."""

    id: str
    job_id: str
    url: str | None
    raw: Raw = field(repr=False, compare=False)
    created_at: int = 0
    expires_at: int = 0
    revoked_at: int | None = None

    @classmethod
    def from_raw(cls, raw: Raw, transport: Transport) -> Self:
        """Read the server's answer."""
        if "id" not in raw or "job_id" not in raw:
            raise UnexpectedAnswer("the server's link lacks its id or job; is it an older one?")
        path = raw.get("url")
        return cls(
            raw["id"],
            raw["job_id"],
            None if path is None else transport.address_of(path),
            raw,
            raw.get("created_at") or 0,
            raw.get("expires_at") or 0,
            raw.get("revoked_at"),
        )


class SharingCalls:
    """What a client can do for those who look at a job; part of `pixelmill.Client`."""

    _transport: Transport

    def summary(self, job: str | Job, *, classes: int | None = None) -> Mapping[str, Any]:
        """Tell how often each class was found, the most frequent first, and how surely.

        With `classes`, name at most so many. `is_complete` is False where not all that there is
        by now was counted in time: ask again.
        """
        path = job_path(job) + "/summary"
        return self._answered(Call("GET", path, params={"limit": classes}, repeatable=True))

    def share(self, job: str | Job, *, days: float = 7) -> Share:
        """Make a link that shows a job and its results, without a key, for so many days."""
        body = {"expires_in": round(days * _DAY_S)}
        answer = self._answered(Call("POST", job_path(job) + "/shares", json=body))
        return Share.from_raw(answer, self._transport)

    def shares(self, job: str | Job) -> list[Share]:
        """Give the links to a job: all that are open, then the newest that are over."""
        answer = self._answered(Call("GET", job_path(job) + "/shares", repeatable=True))
        return [Share.from_raw(raw, self._transport) for raw in answer["data"]]

    def revoke_share(self, job: str | Job, share: str | Share) -> Share:
        """Take a link back: it shows nothing from now on."""
        name = quote(share if isinstance(share, str) else share.id, safe="")
        call = Call("DELETE", f"{job_path(job)}/shares/{name}", repeatable=True)
        return Share.from_raw(self._answered(call), self._transport)

    def _answered(self, call: Call) -> dict[str, Any]:
        return json_object(self._transport.send(call))
