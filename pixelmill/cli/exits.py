"""What the exit status of `pixelmill` means, and how errors come to it."""

import contextlib
import os
import sys
from enum import IntEnum
from typing import Any

import typer
from typer.core import TyperGroup

from pixelmill.cli.showing.display import say
from pixelmill.client.records import Job
from pixelmill.wire.errors import (
    ApiError,
    InvalidInput,
    JobFailed,
    PixelmillError,
    ServerError,
    WaitTimeout,
)


class ExitCode(IntEnum):
    """The exit statuses; EXIT_HELP says the same to the user."""

    OK = 0
    JOB_FAILED = 1
    UNUSABLE = 2
    REFUSED = 3
    TIMED_OUT = 4
    BROKEN = 70
    INTERRUPTED = 130


EXIT_HELP = (
    "Exit status: 0 ok; 1 the job has failed items, or it failed, was cancelled or expired; "
    "2 wrong usage, unreadable input, no server or key known, server unreachable or broken; "
    "3 not found or refused by the server; 4 timed out, the job goes on; 70 a fault of this "
    "program; 130 interrupted."
)


def code_of_job(job: Job) -> ExitCode:
    """Give the status that a job stands for; one that is not over is no failure."""
    return ExitCode.JOB_FAILED if job.is_terminal and not job.succeeded else ExitCode.OK


def code_of_error(error: PixelmillError) -> ExitCode:
    """Give the status that an error stands for."""
    if isinstance(error, WaitTimeout):
        return ExitCode.TIMED_OUT
    if isinstance(error, JobFailed):
        return ExitCode.JOB_FAILED
    if isinstance(error, ApiError) and not isinstance(error, ServerError):
        return ExitCode.REFUSED
    return ExitCode.UNUSABLE


class Commands(TyperGroup):
    """A group of commands that turns what they raise into one line and an exit status."""

    # Any: typer carries its own private copy of click, whose Context is not to be imported.
    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            if sys.stdout is None:
                # Whatever is opened next would take its place, a connection for instance.
                raise InvalidInput("stdout is closed; send it to /dev/null if it is not wanted.")
            try:
                return super().invoke(ctx)
            finally:
                # Here and not at exit, where a closed pipe could no longer be caught.
                sys.stdout.flush()
        except PixelmillError as err:
            say(f"error: {err}")
            if err.idempotency_key:
                say(
                    "it may have been submitted all the same: `pixelmill jobs --idempotency-key "
                    f"{err.idempotency_key}` shows it, or `pixelmill trainings`"
                )
            raise typer.Exit(code_of_error(err)) from err
        except KeyboardInterrupt as err:
            say("interrupted")
            raise typer.Exit(ExitCode.INTERRUPTED) from err
        except BrokenPipeError as err:
            # The reader, such as `head`, has what it wanted: that is no failure.
            _silence_stdout()
            raise typer.Exit(ExitCode.OK) from err
        except UnicodeEncodeError as err:
            say(f"error: {_cannot_write(err)}")
            raise typer.Exit(ExitCode.UNUSABLE) from err
        except OSError as err:
            _silence_stdout()
            say(f"error: {err.filename or 'stdout'}: {err.strerror or err}")
            raise typer.Exit(ExitCode.UNUSABLE) from err


def run(app: typer.Typer) -> None:
    """Run a command line; a fault of ours shows its trace and has an exit status of its own."""
    try:
        app(prog_name="pixelmill")
    except Exception:
        sys.excepthook(*sys.exc_info())
        raise SystemExit(ExitCode.BROKEN) from None


def _cannot_write(err: UnicodeEncodeError) -> str:
    return (
        f"stdout is written as {err.encoding}, which has no {err.object[err.start]!a}; set "
        "PYTHONIOENCODING=utf-8, or write to a file with -o, which is always UTF-8."
    )


def _silence_stdout() -> None:
    # What is still in the buffer goes nowhere, so that the interpreter's last flush is quiet.
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
