"""`--output` of `submit`: a file of this machine, or a folder of a bucket, for the server."""

import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from pixelmill.cli.exits import ExitCode, code_of_job
from pixelmill.cli.showing.display import say
from pixelmill.cli.showing.watching import how_to_resume, print_json, watch
from pixelmill.client.client import Client
from pixelmill.client.records import Job
from pixelmill.wire.errors import InvalidInput, WaitTimeout

OutputPlace = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Wait, then write the results to this file (.csv, .parquet, …); or a folder, as in "
        "s3://bucket/results/, for the server to write them into.",
    ),
]
OutputFormat = Annotated[
    str | None,
    typer.Option("--output-format", help="Of results in a bucket: parquet (as a rule) or ndjson."),
]
OutputConnection = Annotated[
    str | None,
    typer.Option("--output-connection", help="What opens that bucket; else the server."),
]


def is_address(output: str | None) -> bool:
    """Say whether an output is a bucket's, and not a file of this machine."""
    return output is not None and "://" in output


def file_of(output: str | None) -> Path | None:
    """Give the file that results are to be written to; None without one.

    Raises InvalidInput where no file can be written, before anything is sent.
    """
    if output is None or is_address(output):
        return None
    file = Path(output)
    if file.is_dir():
        raise InvalidInput(
            f"{output} is a folder: name a file in it, or {file.resolve().as_uri()}/ for the "
            "server to write into"
        )
    if not file.parent.is_dir():
        raise InvalidInput(f"there is no folder {file.parent} to write {file.name} into; make it")
    return file


def bucket_output(
    output: str | None, form: str | None, connection: str | None
) -> dict[str, Any] | None:
    """Give the output as a job says it; raises InvalidInput for what goes with a bucket alone."""
    if is_address(output):
        said = {"url": output, "format": form, "connection": connection}
        return {name: value for name, value in said.items() if value is not None}
    for name, value in (("--output-format", form), ("--output-connection", connection)):
        if value is not None:
            raise InvalidInput(f"{name} goes with --output s3://bucket/path/; name that too")
    return None


def finish_output(client: Client, job: Job, timeout: float | None, *, as_json: bool) -> NoReturn:
    """Wait until a job's results lie in its bucket, say so, and exit."""
    job, code = watch(client, job, timeout)
    if code is None:
        try:
            job = client.wait_for_output(job, timeout)
        except WaitTimeout as err:
            say(f"the results are not written yet. To look again: {how_to_resume(job)}")
            job, code = err.job, ExitCode.TIMED_OUT
        except KeyboardInterrupt as err:
            raise typer.Exit(ExitCode.INTERRUPTED) from err
    if as_json:
        print_json(job.raw)
    output = job.output or {}
    if output.get("status") == "failed":
        say(f"error: {output['error']['message']}")
        raise typer.Exit(ExitCode.JOB_FAILED)
    if output.get("manifest") and not as_json:
        sys.stdout.write(f"{output['manifest']}\n")
    raise typer.Exit(code_of_job(job) if code is None else code)
