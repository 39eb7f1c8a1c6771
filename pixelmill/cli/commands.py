"""The command line: `pixelmill submit photos/ --model digits --wait`."""

import sys
from itertools import islice
from typing import Annotated

import typer

from pixelmill.cli import (
    admin_commands,
    child_commands,
    event_commands,
    operator_commands,
    sharing_commands,
    training_commands,
    watch_commands,
    webhook_commands,
)
from pixelmill.cli.choosing import chosen_model
from pixelmill.cli.exits import EXIT_HELP, Commands, ExitCode, code_of_job, run
from pixelmill.cli.models import evaluation_commands, hub_commands, model_commands
from pixelmill.cli.options import (
    AsJson,
    Connection,
    Form,
    Gallery,
    JobId,
    MetadataList,
    ModelName,
    Output,
    Overlays,
    ParamList,
    Priority,
    Timeout,
    Wait,
    read_metadata,
    read_params,
)
from pixelmill.cli.outputs import (
    OutputConnection,
    OutputFormat,
    OutputPlace,
    bucket_output,
    file_of,
    finish_output,
)
from pixelmill.cli.showing.display import (
    aligned,
    job_lines,
    say,
    say_left_out,
    timestamp,
    upload_progress,
)
from pixelmill.cli.showing.failures import tell_failures
from pixelmill.cli.showing.formats import form_of, outcome_text, save_results
from pixelmill.cli.showing.watching import finish, how_to_resume, print_json, watch
from pixelmill.client.client import Client
from pixelmill.client.records import Job
from pixelmill.wire.errors import InvalidInput
from pixelmill.wire.remembering import state_folder
from pixelmill.wire.transport import installed_version

_FAILED = "errored"

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    # A traceback with values of variables could show a key.
    pretty_exceptions_show_locals=False,
    help="Batch image inference as a service. The server and key are those of PIXELMILL_URL and "
    "PIXELMILL_API_KEY, else of the local stack in PIXELMILL_DATA (./.pixelmill).",
    epilog=EXIT_HELP,
)


def _tell_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(installed_version())
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", is_eager=True, callback=_tell_version),
    ] = False,
) -> None:
    """Look at what stands before every command."""


@app.command(epilog=EXIT_HELP)
def submit(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Files and folders, one archive or JSONL file, URLs, or a folder of a bucket: "
            "s3://bucket/path/, gs://…, az://…, or file:///… on the server.",
            show_default=False,
        ),
    ],
    model: ModelName = None,
    param: ParamList = None,
    name: Annotated[
        str | None, typer.Option("--name", help="What you call the job; kept in its metadata.")
    ] = None,
    metadata: MetadataList = None,
    priority: Priority = None,
    webhook_url: Annotated[
        str | None, typer.Option("--webhook-url", help="Who is called when the job is over.")
    ] = None,
    overlays: Overlays = False,
    gallery: Gallery = False,
    include: Annotated[
        list[str] | None,
        typer.Option("--include", metavar="GLOB", help="Of a bucket: only these; repeatable."),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", metavar="GLOB", help="Of a bucket: not these; repeatable."),
    ] = None,
    connection: Connection = None,
    output: OutputPlace = None,
    output_format: OutputFormat = None,
    output_connection: OutputConnection = None,
    form: Form = None,
    wait: Wait = False,
    timeout: Timeout = None,
    as_json: AsJson = False,
) -> None:
    """Submit a batch; its job's id goes to stdout."""
    file = file_of(output)
    wanted = form_of(form, file)
    in_bucket = bucket_output(output, output_format, output_connection)
    with Client(remember=state_folder()) as client:
        model = chosen_model(client, model, paths)
        with upload_progress() as on_upload:
            job = client.submit(
                paths,
                model=model,
                params=read_params(param),
                metadata=read_metadata(metadata, name),
                priority=priority,
                webhook=webhook_url,
                overlays=overlays or None,
                gallery=gallery or None,
                include=include,
                exclude=exclude,
                connection=connection,
                output=in_bucket,
                on_upload=on_upload,
            )
        if not as_json:
            # At once: whoever interrupts the wait needs it to find the job again.
            typer.echo(job.id)
        say_left_out(job)
        if in_bucket and wait:
            finish_output(client, job, timeout, as_json=as_json)
        if file is None:
            finish(client, job, wait=wait, timeout=timeout, as_json=as_json, quiet=True)
        job, code = watch(client, job, timeout)
        if code is None:
            save_results(client.results(job), wanted, file)
            tell_failures(job, client.results(job))
        finish(
            client,
            job,
            wait=False,
            timeout=None,
            as_json=as_json,
            quiet=True,
            code=code,
            told=code is None,
        )


@app.command(epilog=EXIT_HELP)
def status(
    job_id: JobId, wait: Wait = False, timeout: Timeout = None, as_json: AsJson = False
) -> None:
    """Show how far a job is."""
    with Client() as client:
        finish(client, client.job(job_id), wait=wait, timeout=timeout, as_json=as_json)


@app.command(epilog=EXIT_HELP)
def predict(
    path: Annotated[str, typer.Argument(metavar="PATH", help="One image: a file or a URL.")],
    model: ModelName = None,
    param: ParamList = None,
    wait: Annotated[float, typer.Option("--timeout", help="Seconds to wait for it.")] = 30,
    as_json: AsJson = False,
) -> None:
    """Predict for one image and print what was found."""
    with Client() as client:
        model = chosen_model(client, model, [path])
        answer = client.predict(path, model=model, params=read_params(param), wait=wait)
    if as_json:
        print_json(answer.raw)
    if isinstance(answer, Job):
        say(f"not there within {wait:g} s; it goes on. To resume: {how_to_resume(answer)}")
        raise typer.Exit(ExitCode.TIMED_OUT)
    if not as_json:
        typer.echo(outcome_text(answer))
    raise typer.Exit(ExitCode.OK if answer.succeeded else ExitCode.JOB_FAILED)


@app.command()
def jobs(
    status: Annotated[str | None, typer.Option("--status", help="Only those.")] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Only its jobs.")] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", help="Only those in whose name, or other metadata, this stands."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--idempotency-key", help="Only the one submitted under it."),
    ] = None,
    of_watch: Annotated[
        str | None, typer.Option("--of-watch", help="Only those that came of this watch.")
    ] = None,
    tenant: Annotated[
        str | None,
        typer.Option("--tenant", help="With an operator's key: of this tenant, or * for all."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the jobs, newest first."""
    with Client() as client:
        every = client.jobs(
            status=status,
            model=model,
            idempotency_key=key,
            watch=of_watch,
            text=name,
            tenant=tenant,
        )
        found, more = list(islice(every, limit)), next(every, None)
    if as_json:
        print_json([job.raw for job in found])
    else:
        header = ("JOB", "STATUS", "OUTCOME", "MODEL", "DONE", "FAILED", "CREATED", "ABOUT")
        sys.stdout.write(aligned(header, [_job_row(job) for job in found]))
    if more is not None:
        say(f"there are more than these {limit}; --limit N lists N of them")


@app.command(epilog=EXIT_HELP)
def results(
    job_id: JobId,
    form: Form = None,
    output: Output = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Only the items that failed, and why.")
    ] = False,
    status: Annotated[
        str | None,
        typer.Option("--status", help="Only succeeded, errored, cancelled or expired items."),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on as results arrive, until the job is over.")
    ] = False,
) -> None:
    """Print one row for every image that is done, or write them in another form.

    FORMAT is table, json, jsonl, csv or parquet; coco, geojson, yolo (a data set to train on, as a
    zip) or label-studio where the job's model finds such things. Else it follows from FILE:
    .parquet, .csv, .jsonl, .coco.json, .geojson, .zip, .label-studio.json.
    """
    wanted = form_of(form, output)
    if failed and status not in (None, _FAILED):
        raise InvalidInput(f"--failed and --status {status} are not one: leave one of them out.")
    with Client() as client:
        rows = client.results(job_id, follow=follow, status=_FAILED if failed else status)
        save_results(rows, wanted, output, follow=follow)
        if follow:
            raise typer.Exit(code_of_job(client.job(job_id)))


@app.command()
def cancel(job_id: JobId, as_json: AsJson = False) -> None:
    """Cancel a job; results that are there stay."""
    with Client() as client:
        job = client.cancel(job_id)
    if as_json:
        print_json(job.raw)
    else:
        sys.stdout.write(job_lines(job))


@app.command()
def delete(job_id: JobId, as_json: AsJson = False) -> None:
    """Delete a job with its results and all that it holds."""
    with Client() as client:
        receipt = client.delete(job_id)
    if as_json:
        print_json(receipt)
    else:
        erased = "erased" if receipt.get("erased_at") else "is being erased"
        typer.echo(f"{job_id} deleted; what it held {erased}")


@app.command("version")
def show_version() -> None:
    """Print the version of this program."""
    typer.echo(installed_version())


child_commands.add_to(app)
sharing_commands.add_to(app)
event_commands.add_to(app)
model_commands.add_to(app)
hub_commands.add_to(app)
evaluation_commands.add_to(app)
training_commands.add_to(app)
watch_commands.add_to(app)
webhook_commands.add_to(app)
operator_commands.add_to(app)
admin_commands.add_to(app)


def main() -> None:
    """Run the command line; it ends in an exit status."""
    run(app)


def _job_row(job: Job) -> tuple[str, ...]:
    counts = job.request_counts
    done = f"{counts.finished}/{counts.total}"
    outcome, created = job.outcome or "", timestamp(job.created_at)
    failed, about = str(counts.failed), _about(job)
    return (job.id, job.status, outcome, str(job.model), done, failed, created, about)


def _about(job: Job) -> str:
    """Say what tells a job from its neighbours: the caller's own notes, and its parent."""
    notes = [f"{name}={value}" for name, value in job.metadata.items()]
    return ", ".join(notes + ([f"{job.kind} of {job.parent_id}"] if job.parent_id else []))
