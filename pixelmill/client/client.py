"""The Python client: submit a batch, wait for it, read one result for every image.

with Client() as client:
    job = client.submit("photos/", model="digits")
    for result in client.results(job, follow=True):
        print(result.custom_id, result.predictions)
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from pixelmill.client.calls import create, job_path, results_path
from pixelmill.client.child_calls import ChildCalls
from pixelmill.client.evaluations import EvaluationCalls
from pixelmill.client.events.calls import FollowingCalls
from pixelmill.client.inputs.planning import (
    Delivered,
    Drawn,
    Gathered,
    Inputs,
    PathLike,
    Picked,
    Picture,
    Plan,
    Upload,
    plan_inputs,
)
from pixelmill.client.inputs.single import predict_body
from pixelmill.client.inputs.uploading import Uploader
from pixelmill.client.operation.admin import Admin
from pixelmill.client.records import File, Job, Result
from pixelmill.client.results.forms import FORMS
from pixelmill.client.results.reader import Reader
from pixelmill.client.results.results import Results
from pixelmill.client.results.sharing import SharingCalls
from pixelmill.client.trainings import Trainings
from pixelmill.client.waiting import WATCHED_HOLD_S, wait_until_written
from pixelmill.client.watches import Watch, Watches, watch_id
from pixelmill.client.webhooks import WebhookDeliveries, WebhookEndpoints
from pixelmill.wire.connection import find_connection
from pixelmill.wire.pages import pages
from pixelmill.wire.remembering import UploadMemory
from pixelmill.wire.resuming import ForgetfulMemory
from pixelmill.wire.retrying import RetryPolicy
from pixelmill.wire.row_stream import whole_stream
from pixelmill.wire.transport import Call, Transport, json_object
from pixelmill.wire.uploads import OnUpload

# As many rows as one page of results holds: large enough that the round trip does not matter.
PAGE = 1000


class Client(ChildCalls, EvaluationCalls, FollowingCalls, SharingCalls):
    """Speaks to one Pixelmill server; safe to share between threads; close it after use.

    Server and key are looked for in the arguments, then in PIXELMILL_URL and PIXELMILL_API_KEY,
    then in the local stack that `pixelmill up` runs (`data` or PIXELMILL_DATA, ./.pixelmill).
    `timeout` is in seconds and for one exchange, not for a job. Requests that broke, or that the
    server could not take just then, are repeated up to `retry.attempts` times where that is safe.
    In the folder `remember` unfinished uploads are noted, so that another process goes on with
    them.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        timeout: float = 60.0,
        *,
        data: PathLike | None = None,
        retry: RetryPolicy | None = None,
        sleep: Callable[[float], None] = time.sleep,
        remember: PathLike | None = None,
    ) -> None:
        connection = find_connection(url, api_key, Path(data) if data is not None else None)
        self._sleep = sleep
        self._transport = Transport(connection, timeout, retry or RetryPolicy(), sleep)
        memory = UploadMemory(Path(remember), connection.url) if remember else ForgetfulMemory()
        self._uploader = Uploader(self._transport, memory)
        self.trainings = Trainings(self._transport, self._deliver, sleep)
        self.watches = Watches(self._transport)
        self.webhook_endpoints = WebhookEndpoints(self._transport)
        self.admin = Admin(self._transport)
        self.webhook_deliveries = WebhookDeliveries(self._transport)

    def __enter__(self) -> Self:
        """Give the client itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def upload(
        self,
        file: PathLike | BinaryIO,
        filename: str | None = None,
        *,
        on_upload: OnUpload | None = None,
    ) -> File:
        """Upload a file, or what a binary file object holds from its position on.

        It is read as it is sent. More than 64 MiB go up piece by piece where the source can be read
        again, and go on where they broke off. A smaller one is begun anew; in the worst case an
        unused second copy stays with the server.
        """
        return File.from_raw(self._uploader.file(file, filename, on_upload))

    def submit(
        self,
        inputs: Inputs,
        *,
        model: str,
        params: Mapping[str, Any] | None = None,
        priority: str | None = None,
        metadata: Mapping[str, str] | None = None,
        webhook: str | Mapping[str, Any] | None = None,
        completion_window: str | None = None,
        output_expires_after: int | None = None,
        delete_inputs: bool | None = None,
        overlays: bool | None = None,
        gallery: bool | None = None,
        include: Sequence[str] | None = None,
        exclude: Sequence[str] | None = None,
        connection: str | None = None,
        output: str | Mapping[str, Any] | None = None,
        path_column: str | None = None,
        idempotency_key: str | None = None,
        on_upload: OnUpload | None = None,
    ) -> Job:
        """Submit a batch and give its job at once.

        `inputs` is one of:
        - a path: an image, a folder, an archive, a JSONL file, or a pattern ("photos/**/*.jpg");
          or a list of paths. A folder goes as a tar that is made on the way: each file's
          `custom_id` is its path in the folder. The job's `left_out` says what was not sent, such
          as hidden files and plain text; every other file is, whatever its suffix
        - a list of URLs, or of request dicts; a File uploaded before
        - pictures in memory: uint8 arrays of (h, w) or (h, w, 3) in RGB, PIL's images, or the
          bytes of files; a list, an array of (n, h, w, c), or a mapping of names to them. They go
          as PNG, without loss
        - a data frame of pandas, Polars or pyarrow whose `path_column` holds paths or URLs; a
          result's `index` is the row's place
        - a bucket's address: a folder, as in "s3://bucket/path/", a list of paths, as in
          "s3://bucket/list.csv", or an archive, as in "s3://bucket/photos.tar". Of a folder
          `include` and `exclude` are globs; `connection` opens it, or else the server's own
          credentials do.
        `on_upload` is told the number of bytes sent so far. With `overlays`, each result is also
        drawn over its image; with `gallery`, a small picture of each item is kept for the job's
        page. `output` is a folder such as "s3://bucket/results/", into which the server writes
        the results as Parquet when the job is over (`wait_for_output`), or
        `{"url": …, "format": "ndjson", "compression": "zstd", "connection": …}`.

        With an `idempotency_key` of your own, repeat a submission of local files by their File:
        a second upload is another file, and so another request.
        """
        body = {
            "model": model,
            "params": params,
            "priority": priority,
            "metadata": metadata,
            "webhook": {"url": webhook} if isinstance(webhook, str) else webhook,
            "completion_window": completion_window,
            "output_expires_after": output_expires_after,
            "delete_inputs": delete_inputs,
            "overlays": overlays,
            "gallery": gallery,
            "include": None if include is None else list(include),
            "exclude": None if exclude is None else list(exclude),
            "connection": connection,
            "output": output,
        }
        member, left_out = self._deliver_plan(plan_inputs(inputs, path_column), on_upload)
        job = self._job_of(self._json(create("/v1/jobs", body | member, idempotency_key)))
        return replace(job, left_out=left_out)

    def _deliver(self, inputs: Inputs, on_upload: OnUpload | None = None) -> Delivered:
        """Bring inputs to the server; gives the member of the submission that names them."""
        return self._deliver_plan(plan_inputs(inputs), on_upload)

    def _deliver_plan(self, plan: Plan | Picked, on_upload: OnUpload | None) -> Delivered:
        if isinstance(plan, Upload):
            file = self.upload(plan.path, on_upload=on_upload)
            return Delivered({"input_file_id": file.id})
        if isinstance(plan, Drawn):
            file = File.from_raw(self._uploader.pictures(plan, on_upload))
            return Delivered({"input_file_id": file.id})
        if isinstance(plan, Gathered | Picked):
            file = File.from_raw(self._uploader.folder(plan, on_upload))
            return Delivered({"input_file_id": file.id}, plan.skips.total())
        return Delivered({plan.member: plan.value})

    def predict(
        self,
        input: PathLike | Picture | File | Mapping[str, Any],  # noqa: A002  # the contract's word
        *,
        model: str,
        params: Mapping[str, Any] | None = None,
        wait: float = 10,
    ) -> Result | Job:
        """Predict for one image: a path, URL, File, `input` object, or a picture in memory.

        Such a picture is a file's bytes, PIL's image, or a uint8 array of (h, w) or (h, w, 3), RGB.

        Gives the Result, or the Job if it is not there within `wait` seconds.
        """
        body = {"model": model, "input": predict_body(input), "params": params}
        call = create("/v1/predictions", body, None, hold_s=wait)
        response = self._transport.send(call)
        answer = json_object(response)
        return self._job_of(answer) if response.status_code == 202 else Result.from_raw(answer)

    def job(self, job: str | Job, wait: float | None = None) -> Job:
        """Give a job; with `wait`, the server holds the answer up to so many seconds (≤ 50)."""
        call = Call("GET", job_path(job), repeatable=True, hold_s=wait)
        return self._job_of(self._json(call))

    def wait_for_output(self, job: str | Job, timeout: float | None = None) -> Job:
        """Give a job once its results are written to its bucket, or never will be.

        Its `output` then says which: `{"status": "written" | "failed", "error": …, …}`. Raises
        WaitTimeout after `timeout` seconds, and InvalidInput for a job that has no output.
        """
        return wait_until_written(self.poller(job), timeout)

    def jobs(
        self,
        *,
        status: str | None = None,
        model: str | None = None,
        idempotency_key: str | None = None,
        watch: str | Watch | None = None,
        text: str | None = None,
        tenant: str | None = None,
    ) -> Iterator[Job]:
        """Give the tenant's jobs, newest first, fetching pages as they are needed.

        With an `idempotency_key`, give the one that was submitted under it, if it was stored: an
        error after which nobody knows has that key. With a `watch`, give those that came of it.
        `text` stands in the metadata, such as in a job's name. With an operator's key, `tenant`
        names another tenant, or is `*` for all of them.
        """
        query = {
            "status": status,
            "model": model,
            "idempotency_key": idempotency_key,
            "watch": watch_id(watch),
            "text": text,
            "tenant": tenant,
        }
        for page in pages(self._transport, "/v1/jobs", query):
            yield from map(self._job_of, page.rows)

    def cancel(self, job: str | Job) -> Job:
        """Cancel a job: what runs already is finished and counted, the rest never starts."""
        # Cancelling twice is cancelling once, so it may be repeated.
        call = Call("POST", job_path(job) + "/cancel", repeatable=True)
        return self._job_of(self._json(call))

    def delete(self, job: str | Job) -> Mapping[str, Any]:
        """Delete a job with its results, cancelling it if it runs; gives the receipt.

        `erased_at` of the receipt is None while the server is still erasing; ask again to see.
        """
        return self._json(Call("DELETE", job_path(job), repeatable=True))

    def results(
        self, job: str | Job, *, follow: bool = False, status: str | None = None
    ) -> Results:
        """Give the results there are, in the order of their commit, none lost and none repeated.

        With `follow`, go on as more arrive, until the job is over. Iterate them, or have them as a
        data frame or a file: `results(job).to_pandas()`, `results(job).save("boxes.coco.json")`.
        """
        return Results(
            chain.from_iterable(self.result_pages(job, follow=follow, status=status)),
            lambda form: self._blocks(job, form, status),
            (lambda: self.wait(job)) if follow else (lambda: None),
        )

    def results_ndjson(self, job: str | Job) -> Iterator[bytes]:
        """Give the results there are as raw NDJSON blocks; memory stays bounded.

        Raises ConnectionFailed if the stream breaks, or ends before all the rows that the server
        has told of: `results` goes on where it was, this cannot.
        """
        return self._blocks(job, "ndjson", None)

    def _blocks(self, job: str | Job, form: str, status: str | None) -> Iterator[bytes]:
        params = {"format": form, "status": status}
        call = Call("GET", results_path(job), params=params, repeatable=True)
        ending = FORMS[form].ending()
        with self._transport.stream(call) as response:
            yield from whole_stream(response, ending.take, ending.missing)

    def result_pages(
        self, job: str | Job, *, follow: bool = False, status: str | None = None
    ) -> Iterator[list[Result]]:
        """Give the results as they come from the server, some at a time; see `results`."""
        poller, after = (self.poller(job) if follow else None), None
        while True:
            # Read before the rows: rows of a job that was over then are all there.
            is_last_round = poller is None or poller.job.is_terminal
            params = {"limit": PAGE, "status": status}
            for page in pages(self._transport, results_path(job), params, after):
                yield list(map(Result.from_raw, page.rows))
                after = page.cursor
            if poller is None or is_last_round:
                return
            poller.next(WATCHED_HOLD_S)

    def _job_of(self, raw: Mapping[str, Any]) -> Job:
        results, events = Reader(self.results), Reader(self.events)
        return replace(Job.from_raw(raw), read_results=results, read_events=events)

    def _json(self, call: Call) -> dict[str, Any]:
        return json_object(self._transport.send(call))
