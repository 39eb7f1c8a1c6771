"""A whole stack, a real job, its results: what `make demo` runs.

Starts `pixelmill up` on a folder of its own, submits the held-out handwritten digits (which no
training has seen) over HTTP, waits, compares the answers with the truth, and stops the stack.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from models.pictures.data import heldout_digits, write_png_folder
from pixelmill import Client, Result
from pixelmill.stack.stack import find_stack

DATA = Path(".pixelmill/demo")
EXPECTED_ACCURACY = 0.97

console = Console()


@contextmanager
def running_stack(data: Path) -> Iterator[dict[str, str]]:
    """Run a stack on a free port; gives its stack.json."""
    command = [sys.executable, "-m", "pixelmill", "up", "--data", str(data), "--port", "0"]
    with (data / "stack.log").open("wb") as log:
        stack = subprocess.Popen([*command, "--cpu"], stdout=log, stderr=log)  # noqa: S603  # ours
    try:
        while (found := find_stack(data)) is None:
            if stack.poll() is not None:
                raise SystemExit(f"The stack did not start; {data / 'stack.log'} says why.")
            time.sleep(0.05)
        yield found
    finally:
        stack.terminate()
        stack.wait()


def show(results: list[Result], labels: dict[str, int], seconds: float) -> float:
    """Print some predictions and the figures; gives the accuracy."""
    table = Table(title="The first ten results")
    for heading in ("item", "truth", "prediction", "confidence"):
        table.add_column(heading, justify="right")
    for result in results[:10]:
        best = (result.predictions or [{}])[0]
        truth, answer = str(labels[result.custom_id]), best.get("class", "-")
        colour = "green" if truth == answer else "red"
        confidence = f"{best.get('confidence', 0):.3f}"
        table.add_row(result.custom_id, truth, f"[{colour}]{answer}[/]", confidence)
    console.print(table)
    right = sum(
        bool(result.predictions) and result.predictions[0]["class_id"] == labels[result.custom_id]
        for result in results
    )
    accuracy = right / len(labels)
    console.print(f"accuracy    {accuracy:.4f} ({right} of {len(labels)})")
    console.print(f"speed       {len(results) / seconds:,.0f} images/s, from submission to results")
    return accuracy


def main() -> None:
    """Run the demonstration; exits with 1 when the accuracy is not what it should be."""
    shutil.rmtree(DATA, ignore_errors=True)
    DATA.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        images, truths = heldout_digits()
        written = write_png_folder(Path(folder), images, truths)
        labels = {path.name: label for path, label in written}
        console.print("starting the stack: Redis, database, API, worker, io worker, beat")
        with running_stack(DATA) as stack, Client(stack["url"], stack["api_key"]) as client:
            console.print(f"the stack is ready at {stack['url']}")
            client.wait(client.submit([written[0][0]], model="digits"))  # warms the worker up
            started = time.perf_counter()
            job = client.submit(Path(folder), model="digits")
            console.print(f"submitted {len(labels)} images as {job.id}")
            job = client.wait(job)
            seconds = time.perf_counter() - started
            results = sorted(client.results(job), key=lambda result: result.index)
    console.print(f"the job is {job.status}: {job.outcome}")
    accuracy = show(results, labels, seconds)
    segments = DATA.resolve() / "blobs" / "jobs" / job.id / "segments"
    console.print(f"results     {segments} (Parquet)", soft_wrap=True)
    if accuracy < EXPECTED_ACCURACY:
        raise SystemExit(f"The accuracy is below {EXPECTED_ACCURACY}.")


if __name__ == "__main__":
    main()
