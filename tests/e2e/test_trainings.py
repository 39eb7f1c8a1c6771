"""Training through HTTP: from a folder a class to a version that answers, and through a kill."""

import time
from pathlib import Path

import numpy as np
import pytest

from models.pictures.data import encode, heldout_digits, train_digits
from pixelmill import Training
from tests.e2e.stacks import RunningStack, results_of, running_stack, wait_for

MOST_S = 60


@pytest.fixture(scope="session")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """scikit-learn's digits to train on, as PNG files, a folder a digit."""
    folder = tmp_path_factory.mktemp("classes")
    for number, (image, label) in enumerate(zip(*train_digits(), strict=True)):
        path = folder / str(label) / f"{number:04d}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encode(image, ".png"))
    return folder


def test_digits_are_trained_from_scratch_within_a_minute_and_the_version_answers(
    stack: RunningStack, classes: Path, digits_folder: Path
) -> None:
    params = {"epochs": 5, "learning_rate": 3e-3}
    began_at = time.monotonic()
    with stack.client() as client:
        training = client.trainings.create(classes, name="my/trained-digits", params=params)
        training = client.trainings.wait(training, timeout=2 * MOST_S)
        lasted_s = time.monotonic() - began_at
        assert (training.status, training.outcome) == ("completed", "succeeded")
        assert str(training.model) == "my/trained-digits@1"
        accuracy = training.progress["history"][training.progress["best_epoch"] - 1]
        print(f"validation accuracy {accuracy['validation_accuracy']:.4f} in {lasted_s:.0f} s")
        assert accuracy["validation_accuracy"] >= 0.95
        assert lasted_s < MOST_S
        job = client.wait(client.submit(digits_folder, model=str(training.model)), timeout=60)
        assert str(job.model) == "my/trained-digits@1"
        found = [row["predictions"][0]["class"] for row in results_of(client, job.id)]
    _, truth = heldout_digits()
    assert np.mean([name == str(label) for name, label in zip(found, truth, strict=True)]) >= 0.95


def test_a_killed_worker_goes_on_at_the_last_turn_and_small_jobs_do_not_wait(
    classes: Path, digits_folder: Path, tmp_path: Path
) -> None:
    # Turns of a second, and a training that would go on for minutes.
    params = {"epochs": 200, "patience": 200}
    with running_stack(tmp_path, PIXELMILL_TRAINING_TURN_S="1") as stack, stack.client() as client:
        training = client.trainings.create(classes, name="my/trained-digits", params=params)

        def steps() -> int:
            return steps_of(client.trainings.get(training))

        wait_for(lambda: steps() > 50, 60, "a few turns")
        stack.kill("worker-0")
        before = steps()
        wait_for(lambda: steps() != before, 60, "the next turn")
        assert steps() > before, "it went on where the last turn had ended"
        began_at = time.monotonic()
        few = sorted(digits_folder.iterdir())[:10]
        client.wait(client.submit(few, model="digits"), timeout=60).check()
        print(f"ten images beside a training took {time.monotonic() - began_at:.1f} s")
        assert client.trainings.cancel(training).status in ("cancelling", "cancelled")
        over = client.trainings.wait(training, timeout=30)
        assert (over.status, over.model.name) == ("cancelled", "")


def steps_of(training: Training) -> int:
    progress = training.progress
    return progress["epoch"] * progress["steps"] + progress["step"] if progress else 0
