"""The client's calls about a job's items once more: reruns, retries, comparisons, overlays.

And about versions that operators try, unseen, on what comes in by an alias.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from pixelmill.client.calls import create, job_path, results_path
from pixelmill.client.records import Comparison, Job, Result
from pixelmill.wire.pages import pages
from pixelmill.wire.transport import Call, Transport, json_object

_PAUSE_S = 0.5
_CHANGES_A_PAGE = 200


class ChildCalls:
    """What a client can do with a job that has run; part of `pixelmill.Client`."""

    _transport: Transport
    _sleep: Callable[[float], None]
    _job_of: Callable[[Mapping[str, Any]], Job]

    def rerun(
        self,
        job: str | Job,
        model: str,
        *,
        params: Mapping[str, Any] | None = None,
        priority: str | None = None,
        metadata: Mapping[str, str] | None = None,
        webhook: Mapping[str, Any] | None = None,
        overlays: bool | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Run a job's items on another version or model for the same task; gives the new job.

        Parameters are the job's own unless given. `comparison` tells how the answers differ.
        """
        body = {
            "model": model,
            "params": params,
            "priority": priority,
            "metadata": metadata,
            "webhook": webhook,
            "overlays": overlays,
        }
        call = create(job_path(job) + "/rerun", body, idempotency_key)
        return self._job_of(json_object(self._transport.send(call)))

    def retry(self, job: str | Job, *, idempotency_key: str | None = None) -> Job:
        """Run those items of a job once more that failed, were cancelled or expired."""
        call = create(job_path(job) + "/retry", None, idempotency_key)
        return self._job_of(json_object(self._transport.send(call)))

    def comparison(self, job: str | Job, *, wait: float = 0) -> Comparison:
        """Tell how a rerun's answers differ from those of the job whose items it ran.

        Its `status` is "waiting" if both jobs are not over and compared within `wait` seconds.
        """
        call = Call("GET", job_path(job) + "/comparison", repeatable=True)
        until = time.monotonic() + wait
        while True:
            found = Comparison.from_raw(json_object(self._transport.send(call)))
            if found.status != "waiting" or time.monotonic() >= until:
                return found
            self._sleep(_PAUSE_S)

    def changes(self, job: str | Job) -> Iterator[Mapping[str, Any]]:
        """Give the items that a rerun answers differently: `{index, custom_id, before, after}`."""
        path = job_path(job) + "/comparison/changes"
        for page in pages(self._transport, path, {"limit": _CHANGES_A_PAGE}):
            yield from page.rows

    def overlay(self, job: str | Job, item: int | Result) -> bytes:
        """Give an item's image with its result drawn over it: a JPEG file.

        Of a video it shows some frames in order, with their classes and times. Raises NotFound
        when the job was not submitted with `overlays`, or the item failed.
        """
        index = item.index if isinstance(item, Result) else item
        call = Call("GET", f"{results_path(job)}/{index}/overlay", repeatable=True)
        return self._transport.send(call).content

    def shadow(self, name: str, alias: str) -> Mapping[str, Any]:
        """Tell which version runs in the shadow of an alias, and how it does so far."""
        return self._of_shadow(Call("GET", _shadow_path(name, alias), repeatable=True))

    def set_shadow(
        self, name: str, alias: str, version: int, percent: int = 10
    ) -> Mapping[str, Any]:
        """Have a version run unseen on `percent` of the shards that come in by an alias."""
        body = {"version": version, "percent": percent}
        # Its figures begin anew each time, but a repetition follows at once.
        return self._of_shadow(Call("PUT", _shadow_path(name, alias), json=body, repeatable=True))

    def end_shadow(self, name: str, alias: str) -> Mapping[str, Any]:
        """Have no version run in the shadow of an alias any more; gives the receipt."""
        return self._of_shadow(Call("DELETE", _shadow_path(name, alias)))

    def _of_shadow(self, call: Call) -> Mapping[str, Any]:
        return json_object(self._transport.send(call))


def _shadow_path(name: str, alias: str) -> str:
    return f"/v1/models/{quote(name)}/aliases/{quote(alias, safe='')}/shadow"
