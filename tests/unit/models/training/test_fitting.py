"""The training loop: it learns, stops early, tells bad files, and goes on after a break."""

from typing import Any

import pytest
import torch

from models.records.errors import DatasetError, TrainingFailed, WeightsError
from models.runtime.registry import load
from models.training.fitting import Fit
from models.training.new_records import new_record
from models.training.recipes import read_recipe
from tests.unit.models.training.labelled import DigitImages


def new_fit(images: DigitImages, state: bytes | None = None, **members: Any) -> Fit:
    recipe = read_recipe({"epochs": 3, "batch": 8, "learning_rate": 3e-3, **members})
    return Fit(new_record("mine", recipe, images.labels), recipe, images, state=state)


def never() -> bool:
    return False


def test_a_network_learns_to_tell_digits_apart_and_says_how_well() -> None:
    images = DigitImages((0, 1, 7), each=30)
    fit = new_fit(images, epochs=6)
    fit.advance(never)
    best = fit.progress.best
    assert best["validation_accuracy"] >= 0.9
    assert len(fit.progress.history) == fit.progress.epoch
    losses = [each["training_loss"] for each in fit.progress.history]
    assert losses[-1] < losses[0] / 2
    right = sum(fit.progress.confusion[each][each] for each in range(3))
    assert sum(map(sum, fit.progress.confusion)) == fit.sizes[1] == 18
    assert right / 18 == pytest.approx(best["validation_accuracy"])


def test_what_comes_of_it_is_a_version_that_answers_as_was_measured() -> None:
    images = DigitImages((3, 8), each=20)
    fit = new_fit(images)
    fit.advance(never)
    record = fit.finished_record()
    network = load(record, fit.best_weights())
    held_out = fit._split.validation
    samples = [network.prepare(images.files[row]) for row in held_out]
    answers = network.postprocess(network.forward(samples), {"top_k": 1, "min_confidence": 0.0})
    right = [
        answer[0]["class_id"] == images.classes[row]
        for answer, row in zip(answers, held_out, strict=True)
    ]
    assert sum(right) / len(right) == pytest.approx(record.metrics["validation_accuracy"])
    assert record.labels == ("3", "8")


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "adamw"])
@pytest.mark.parametrize(
    ("architecture", "digits", "each"),
    [("digits", (0, 1, 2), 8), ("torchvision/squeezenet1_1", (0, 1), 3)],
)
def test_a_run_that_is_broken_off_at_every_step_gives_the_same_weights(
    optimizer: str, architecture: str, digits: tuple[int, ...], each: int
) -> None:
    images = DigitImages(digits, each)
    members = {
        "architecture": architecture,
        "optimizer": optimizer,
        "augmentation": ["shift", "rotate", "brightness"],
        "weight_decay": 0.01,
        "epochs": 2,
        "batch": 4,
    }
    unbroken = new_fit(images, **members)
    unbroken.advance(never)
    state, turns = None, 0
    while True:
        # What others draw meanwhile is of no matter.
        torch.rand(3)
        broken = new_fit(images, state, **members)
        broken.advance(lambda: True)
        state, turns = broken.save(), turns + 1
        if broken.progress.is_over:
            break
    assert turns == 2 * unbroken.steps_an_epoch
    assert broken.best_weights() == unbroken.best_weights()
    assert broken.progress == unbroken.progress
    assert state == unbroken.save()


def test_batch_statistics_go_on_where_they_were() -> None:
    images = DigitImages((0, 1), each=4)
    members = {"architecture": "torchvision/mobilenet_v3_small", "epochs": 1, "batch": 4}
    unbroken = new_fit(images, **members)
    unbroken.advance(never)
    begun = new_fit(images, **members)
    begun.advance(lambda: True)
    resumed = new_fit(images, begun.save(), **members)
    resumed.advance(never)
    assert resumed.best_weights() == unbroken.best_weights()


def test_training_leaves_the_random_numbers_of_others_alone() -> None:
    images = DigitImages((0, 1), each=4)
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    new_fit(images, epochs=1).advance(never)
    assert torch.equal(torch.rand(2), expected)


def test_it_stops_when_nothing_gets_better_and_keeps_the_best() -> None:
    images = DigitImages((0, 1), each=10)
    fit = new_fit(images, epochs=50, patience=2, learning_rate=1e-9)
    fit.advance(never)
    assert fit.progress.is_over
    assert fit.progress.epoch == fit.progress.best_epoch + 2 < 50


def test_without_patience_it_goes_to_the_end() -> None:
    fit = new_fit(DigitImages((0, 1), each=4), epochs=8, patience=None, learning_rate=1e-9)
    fit.advance(never)
    assert fit.progress.epoch == 8


def test_a_bad_file_costs_itself_and_is_told() -> None:
    images = DigitImages((0, 1), each=10, broken=[3, 15])
    fit = new_fit(images)
    fit.advance(never)
    assert sorted(fit.progress.skipped) == [3, 15]
    assert all("truncated" in why for why in fit.progress.skipped.values())


def test_a_class_of_which_no_file_can_be_used_is_an_error_that_names_one() -> None:
    images = DigitImages((0, 1), each=4, broken=range(4, 8))
    with pytest.raises(DatasetError, match=r"No file of class '1' is left.*'1/\d.png'"):
        new_fit(images).advance(never)


def test_steps_that_are_too_large_end_in_a_word_about_the_learning_rate() -> None:
    fit = new_fit(DigitImages((0, 1), each=4))
    with torch.no_grad():
        next(fit._module.parameters()).fill_(float("inf"))
    with pytest.raises(TrainingFailed, match="learning rate below"):
        fit.advance(never)


def test_a_state_of_another_training_is_refused() -> None:
    images = DigitImages((0, 1), each=4)
    fit = new_fit(images)
    fit.advance(lambda: True)
    with pytest.raises(WeightsError, match="another training"):
        new_fit(images, fit.save(), seed=1)


def test_a_damaged_state_is_refused() -> None:
    images = DigitImages((0, 1), each=4)
    fit = new_fit(images)
    fit.advance(lambda: True)
    with pytest.raises(WeightsError):
        new_fit(images, fit.save()[:5000])
