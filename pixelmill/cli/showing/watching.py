"""Waiting for a job before the user's eyes, and the exit status that comes of it."""

import json
import sys
from typing import Any, NoReturn

import typer

from pixelmill.cli.exits import ExitCode, code_of_job
from pixelmill.cli.showing.display import fault_lines, job_lines, job_progress, say
from pixelmill.client.client import Client
from pixelmill.client.records import Job
from pixelmill.wire.errors import WaitTimeout


def finish(
    client: Client,
    job: Job,
    *,
    wait: bool,
    timeout: float | None,
    as_json: bool,
    quiet: bool = False,
    code: ExitCode | None = None,
    told: bool = False,
) -> NoReturn:
    """Wait if asked to, print the job, and exit with the status that it stands for, or `code`.

    `told`: whether it was said already which items failed.
    """
    if wait:
        job, code = watch(client, job, timeout)
    if as_json:
        print_json(job.raw)
    elif not quiet:
        sys.stdout.write(job_lines(job))
    else:
        _say_faults(job)
        if job.skipped.count:
            say(str(job.skipped))
        if job.is_terminal and job.request_counts.failed and not told:
            say(f"`pixelmill results {job.id}` says of each failed item why")
    raise typer.Exit(code_of_job(job) if code is None else code)


def _say_faults(job: Job) -> None:
    faults = fault_lines(job)
    if not faults and job.status == "failed" and job.status_reason:
        faults = [job.status_reason]
    for fault in faults:
        say(f"error: {fault}")


def watch(client: Client, job: Job, timeout: float | None) -> tuple[Job, ExitCode | None]:
    """Wait for a job before the user's eyes; gives a status where the wait ended before it."""
    try:
        with job_progress() as show:
            return client.wait(job, timeout, show), None
    except WaitTimeout as err:
        say(f"{err} To resume: {how_to_resume(job)}")
        return err.job, ExitCode.TIMED_OUT
    except KeyboardInterrupt as err:
        say(f"interrupted; job {job.id} goes on. To resume: {how_to_resume(job)}")
        raise typer.Exit(ExitCode.INTERRUPTED) from err


def how_to_resume(job: Job) -> str:
    """Give the command that watches a job again."""
    return f"pixelmill status {job.id} --wait"


def print_json(value: Any) -> None:
    """Print one JSON document to stdout."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")
