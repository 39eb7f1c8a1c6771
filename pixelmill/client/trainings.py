"""Trainings, as `client.trainings`: a data set goes up, a new version of a model comes of it.

training = client.trainings.create("cats_and_dogs/", name="my/cats", params={"epochs": 10})
print(client.trainings.wait(training).model)
"""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from pixelmill.client.inputs.planning import Delivered, Inputs
from pixelmill.client.records import Job
from pixelmill.client.waiting import Poller, wait_until_over
from pixelmill.wire.pages import pages
from pixelmill.wire.transport import Call, Transport, json_object
from pixelmill.wire.uploads import OnUpload

_PATH = "/v1/trainings"


@dataclass(frozen=True, slots=True)
class Training(Job):
    """A training at the moment of the answer; `model` is the version that came of it.

    `progress` holds `epoch`, `epochs`, `step`, `steps`, `best_epoch`, `history`, `labels`,
    `confusion`, `images` and `skipped`, as its last turn left them; it is empty before the first.
    """

    name: str = ""
    progress: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None


class Trainings:
    """The calls about trainings; `deliver` brings a data set to the server."""

    def __init__(
        self,
        transport: Transport,
        deliver: Callable[[Inputs, OnUpload | None], Delivered],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._transport, self._deliver, self._sleep = transport, deliver, sleep

    def create(
        self,
        data: Inputs,
        *,
        name: str,
        architecture: str | None = None,
        params: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        on_upload: OnUpload | None = None,
        **options: Any,
    ) -> Training:
        """Train a network on a folder (or archive, or File) that has a folder for each class.

        `options` are `priority`, `metadata`, `webhook`, `completion_window` and `delete_inputs`, as
        for a job.
        """
        body = {"name": name, "architecture": architecture, "params": params, **options}
        member, left_out = self._deliver(data, on_upload)
        body |= member
        call = Call(
            "POST",
            _PATH,
            json={member: value for member, value in body.items() if value is not None},
            headers={"Idempotency-Key": idempotency_key or str(uuid.uuid4())},
            repeatable=True,
        )
        return replace(self._one(call), left_out=left_out)

    def get(self, training: str | Training) -> Training:
        """Give a training."""
        return self._one(Call("GET", _path(training), repeatable=True))

    def list(self) -> Iterator[Training]:
        """Give the tenant's trainings, newest first, fetching pages as they are needed."""
        for page in pages(self._transport, _PATH, {}):
            yield from map(Training.from_raw, page.rows)

    def wait(
        self,
        training: str | Training,
        timeout: float | None = None,
        on_progress: Callable[[Training], None] | None = None,
    ) -> Training:
        """Wait until a training is over and give it, however it ended.

        `on_progress` is called about every two seconds. Raises WaitTimeout after `timeout` seconds.
        """
        poller = Poller(self._transport, _path(training), Training.from_raw, sleep=self._sleep)
        return wait_until_over(poller, timeout, on_progress)

    def cancel(self, training: str | Training) -> Training:
        """Cancel a training: it stops after the step that runs, and no version comes of it."""
        return self._one(Call("POST", _path(training) + "/cancel", repeatable=True))

    def delete(self, training: str | Training) -> Mapping[str, Any]:
        """Delete a training; the version that came of it stays. Gives the receipt."""
        call = Call("DELETE", _path(training), repeatable=True)
        return json_object(self._transport.send(call))

    def _one(self, call: Call) -> Training:
        return Training.from_raw(json_object(self._transport.send(call)))


def _path(training: str | Training) -> str:
    identity = training if isinstance(training, str) else training.id
    return f"{_PATH}/{quote(identity, safe='')}"
