"""Pixelmill as it is started by `pixelmill up`, called over HTTP.

A turn lasts from `POST /v1/jobs` on an uploaded zip until the job is completed, which is when its
last result is durable and readable; with the option `upload`, from the upload on. With the option
`clients`, so many clients at once send jobs of `each` pictures, inside requests that were made
before, and wait for each; with the option `decode`, pictures are decoded so: "exact" unless it is
given, as everybody else does. The results are read afterwards, through the API, for their labels.
"""

import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from benchmarks.contestants.turns import few, given_work, take_turns
from benchmarks.works import Work
from jobs.base.database import Database
from jobs.base.storage import Storage
from jobs.versions.registry import register
from models.runtime.weights import digest
from pixelmill import Client
from tests.e2e.stacks import RunningStack, running_stack

_WAIT = {"Prefer": "wait=50"}
_PAUSE_S = 0.02


def register_work(stack: RunningStack, work: Work) -> str:
    """Register the work's network in a stack's database and store; gives the model's name."""
    database = Database(f"sqlite:///{stack.data / 'pixelmill.db'}")
    storage = Storage((stack.data / "blobs").as_uri())
    record, weights = work.record, work.weights
    register(database, storage, record.name, record.to_json(), weights, digest(weights))
    database.close()
    return record.name


def with_pictures(caller: httpx.Client, items: Sequence[bytes], model: str) -> httpx.Request:
    """Make the request for a job with its pictures inside."""
    parts = [("files", (f"{number:06d}", item)) for number, item in enumerate(items)]
    body = {"model": model, "params": {"decode": "exact"}}
    job = ("job", (None, json.dumps(body), "application/json"))
    request = caller.build_request("POST", "/v1/jobs", files=[*parts, job], headers=_WAIT)
    request.read()
    return request


def job_of(caller: httpx.Client, request: httpx.Request, count: int) -> str:
    """Send a job of so many pictures and wait until it is over; gives its id."""
    answer = caller.send(request)
    # Held for a minute at most, and not at all while the server holds many.
    while (body := answer.raise_for_status().json())["status"] == "in_progress":
        time.sleep(_PAUSE_S)
        answer = caller.get(f"/v1/jobs/{body['id']}", headers=_WAIT)
    assert body["request_counts"]["completed"] == count, body
    return str(body["id"])


def labels_of(client: Client, job_id: str) -> list[int]:
    """Read the class of every picture of a job, in their order."""
    found = {row.index: row.predictions for row in client.results(job_id)}
    labels = []
    for index in range(len(found)):
        predictions = found[index]
        assert predictions, f"item {index} of job {job_id} has no prediction"
        labels.append(int(predictions[0]["class_id"]))
    return labels


class Turns:
    """One work on one running stack."""

    def __init__(self, stack: RunningStack, work: Work, client: Client) -> None:
        self._work, self._client = work, client
        self._model = register_work(stack, work)
        self._items = work.items()
        self._caller = httpx.Client(
            base_url=stack.info["url"],
            headers={"Authorization": f"Bearer {stack.info['api_key']}"},
            timeout=90,
            trust_env=False,
        )
        warm_up = few(self._items)
        job_of(self._caller, with_pictures(self._caller, warm_up, self._model), len(warm_up))
        self._uploaded = client.upload(work.archive)
        # The first archive wakes decoders that a few pictures in a request left asleep.
        self.take({})

    def take(self, options: Mapping[str, Any]) -> tuple[float, list[int]]:
        """Infer all pictures; gives the seconds and their labels."""
        run = self._many(**options) if "clients" in options else partial(self._one, **options)
        start = time.perf_counter()
        jobs = run()
        seconds = time.perf_counter() - start
        return seconds, [label for job in jobs for label in labels_of(self._client, job)]

    def _one(self, *, upload: bool = False, decode: str = "exact") -> list[str]:
        given = self._work.archive if upload else self._uploaded
        job = self._client.submit(given, model=self._model, params={"decode": decode})
        return [self._client.wait(job).check().id]

    def _many(self, *, clients: int, each: int) -> Callable[[], list[str]]:
        """Make all requests, as the peers' are made before their turns; gives what sends them."""
        parts = [self._items[start : start + each] for start in range(0, len(self._items), each)]
        requests = [with_pictures(self._caller, part, self._model) for part in parts]

        def run() -> list[str]:
            with ThreadPoolExecutor(clients) as callers:
                return list(callers.map(partial(job_of, self._caller), requests, map(len, parts)))

        return run


def main() -> None:
    """Start a stack and take turns on it."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_stack(Path(folder), PIXELMILL_RATE_LIMIT="") as stack,
        stack.client() as client,
    ):
        take_turns(Turns(stack, given_work(), client).take)


if __name__ == "__main__":
    main()
