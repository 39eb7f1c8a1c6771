"""`pixelmill train DATA --name my/cats --wait`, and a look at trainings."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from pixelmill.cli.exits import EXIT_HELP, Commands, ExitCode, code_of_job
from pixelmill.cli.options import AsJson, ParamList, Priority, Timeout, Wait, read_params
from pixelmill.cli.showing.display import aligned, say, say_left_out, timestamp, upload_progress
from pixelmill.cli.showing.watching import print_json
from pixelmill.client.client import Client
from pixelmill.client.trainings import Training
from pixelmill.wire.errors import WaitTimeout
from pixelmill.wire.remembering import state_folder

TrainingId = Annotated[
    str, typer.Argument(metavar="TRAINING", help="The training's id.", show_default=False)
]

trainings = typer.Typer(
    cls=Commands, no_args_is_help=True, help="Look at trainings, cancel and delete them."
)


def train(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="A folder, zip or tar that has a folder for each class.",
            show_default=False,
        ),
    ],
    name: Annotated[
        str, typer.Option("--name", help="The model to be, such as my/cats.", show_default=False)
    ],
    architecture: Annotated[
        str, typer.Option("--architecture", "-a", help="digits, torchvision/resnet18, …")
    ] = "digits",
    param: ParamList = None,
    priority: Priority = None,
    wait: Wait = False,
    timeout: Timeout = None,
    as_json: AsJson = False,
) -> None:
    """Train a network on images of yours; a new version of a model comes of it.

    Parameters are epochs, batch, optimizer, learning_rate, weight_decay, augmentation, validation,
    patience and seed; for digits also kernel_size, activation and pooling. Such as: --param
    epochs=10 --param 'augmentation=["shift","rotate"]'.
    """
    with Client(remember=state_folder()) as client:
        with upload_progress() as on_upload:
            training = client.trainings.create(
                data,
                name=name,
                architecture=architecture,
                params=read_params(param),
                priority=priority,
                on_upload=on_upload,
            )
        if not as_json:
            typer.echo(training.id)
        say_left_out(training)
        _finish(client, training, wait=wait, timeout=timeout, as_json=as_json)


@trainings.command("status", epilog=EXIT_HELP)
def status(
    training_id: TrainingId, wait: Wait = False, timeout: Timeout = None, as_json: AsJson = False
) -> None:
    """Show how far a training is."""
    with Client() as client:
        training = client.trainings.get(training_id)
        _finish(client, training, wait=wait, timeout=timeout, as_json=as_json, shows=True)


@trainings.command("list")
def list_trainings(
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the trainings, newest first."""
    with Client() as client:
        found = list(islice(client.trainings.list(), limit))
    if as_json:
        print_json([each.raw for each in found])
    else:
        header = ("TRAINING", "STATUS", "OUTCOME", "NAME", "EPOCH", "MODEL", "CREATED")
        sys.stdout.write(aligned(header, [_row(each) for each in found]))


@trainings.command()
def cancel(training_id: TrainingId, as_json: AsJson = False) -> None:
    """Cancel a training; no version comes of it."""
    with Client() as client:
        training = client.trainings.cancel(training_id)
    if as_json:
        print_json(training.raw)
    else:
        sys.stdout.write(training_lines(training))


@trainings.command()
def delete(training_id: TrainingId, as_json: AsJson = False) -> None:
    """Delete a training; the version that came of it stays."""
    with Client() as client:
        receipt = client.trainings.delete(training_id)
    if as_json:
        print_json(receipt)
    else:
        typer.echo(f"{training_id} deleted")


def add_to(app: typer.Typer) -> None:
    """Put the commands about trainings into the command line."""
    app.command(epilog=EXIT_HELP)(train)
    app.add_typer(trainings, name="trainings")


def training_lines(training: Training) -> str:
    """Describe a training in a few lines, its epochs in a table, and its confusion."""
    outcome = f" ({training.outcome})" if training.outcome else ""
    rows = [
        ("training", training.id),
        ("status", training.status + outcome),
        ("reason", _reason(training)),
        ("name", training.name),
        ("model", str(training.model)),
    ]
    lines = "".join(f"{word:<10}{value}\n" for word, value in rows if value)
    history = training.progress.get("history") or []
    if history:
        header = ("EPOCH", "LOSS", "ACCURACY", "VAL-LOSS", "VAL-ACCURACY")
        lines += "\n" + aligned(header, [_epoch_row(epoch) for epoch in history])
    confusion = training.progress.get("confusion")
    if confusion:
        labels = training.progress["labels"]
        table = [(label, *map(str, row)) for label, row in zip(labels, confusion, strict=True)]
        lines += "\n" + aligned(("TRUE \\ FOUND", *labels), table)
    return lines


def _finish(
    client: Client,
    training: Training,
    *,
    wait: bool,
    timeout: float | None,
    as_json: bool,
    shows: bool = False,
) -> None:
    """Wait if asked to, print the training, and exit with the status that it stands for."""
    code = ExitCode.OK
    if wait:
        try:
            with training_progress() as show:
                training = client.trainings.wait(training, timeout, show)
        except WaitTimeout as err:
            say(f"{err} To resume: pixelmill trainings status {training.id} --wait")
            code = ExitCode.TIMED_OUT
    if as_json:
        print_json(training.raw)
    elif wait or shows:
        sys.stdout.write(training_lines(training))
    raise typer.Exit(code or code_of_job(training))


@contextmanager
def training_progress() -> Iterator[Callable[[Training], None]]:
    """Give a function that shows a training: a bar on a terminal, else a line an epoch."""
    if not sys.stderr.isatty():
        yield _Lines().show
        return
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[text]}")
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("validating", total=None, text="")

        def show(training: Training) -> None:
            done, total = _steps(training)
            bar.update(
                task,
                description=training.status,
                total=total or None,
                completed=done,
                text=_progress_text(training),
            )

        yield show


class _Lines:
    """Progress as plain lines, where stderr is a file or a pipe."""

    def __init__(self) -> None:
        self._shown = ""

    def show(self, training: Training) -> None:
        text = f"{training.id} {training.status}: {_progress_text(training)}"
        if text != self._shown:
            self._shown = text
            say(text)


def _steps(training: Training) -> tuple[int, int]:
    progress = training.progress
    if not progress:
        return 0, 0
    total = progress["epochs"] * progress["steps"]
    done = progress["epoch"] * progress["steps"] + progress["step"]
    return (total if training.is_terminal else done), total


def _progress_text(training: Training) -> str:
    progress = training.progress
    if not progress:
        return f"{training.queue.position or 0} in the queue before it"
    text = f"epoch {progress['epoch']}/{progress['epochs']}"
    if progress["history"]:
        accuracy = progress["history"][-1]["validation_accuracy"]
        text += f", validation accuracy {accuracy:.4f}"
    return text


def _reason(training: Training) -> str:
    error = training.error or {}
    return str(error.get("message") or training.status_reason or "")


def _epoch_row(epoch: Any) -> tuple[str, ...]:
    figures = ("training_loss", "training_accuracy", "validation_loss", "validation_accuracy")
    return (str(epoch["epoch"]), *(f"{epoch[figure]:.4f}" for figure in figures))


def _row(training: Training) -> tuple[str, ...]:
    progress = training.progress
    epoch = f"{progress['epoch']}/{progress['epochs']}" if progress else ""
    model, created = str(training.model), timestamp(training.created_at)
    outcome = training.outcome or ""
    return (training.id, training.status, outcome, training.name, epoch, model, created)
