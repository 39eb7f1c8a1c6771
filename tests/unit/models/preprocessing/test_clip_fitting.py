"""Training on videos: a classifier with memory learns which way something moves."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from models.records.errors import InputError
from models.runtime.network import VideoNetwork
from models.runtime.registry import load
from models.tasks.task import Step
from models.training.augmentation import augment
from models.training.datasets import Rows
from models.training.fitting import Fit
from models.training.new_records import new_record
from models.training.recipes import read_recipe
from tests.videos import jpeg, movie
from tests.walks import FRAME_MS, walk


class Walks:
    """Films of walks to the left and to the right; `broken` rows cannot be decoded."""

    labels = ("left", "right")

    def __init__(self, each: int, broken: int | None = None) -> None:
        self.classes: Rows = np.repeat([0, 1], each)
        self.files = [walk(bool(label), row) for row, label in enumerate(self.classes)]
        if broken is not None:
            self.files[broken] = self.files[broken][:200]

    def read(self, rows: Rows) -> Iterator[bytes | InputError]:
        return (self.files[row] for row in rows)

    def name(self, row: int) -> str:
        return f"{self.labels[self.classes[row]]}/{row}.mov"


def new_fit(images: Walks, state: bytes | None = None, **members: Any) -> Fit:
    plain = {"architecture": "recurrent/digits-lstm", "epochs": 8, "batch": 8}
    recipe = read_recipe({**plain, "learning_rate": 3e-3, **members})
    return Fit(new_record("walks", recipe, images.labels), recipe, images, state=state)


@pytest.fixture(scope="module")
def fitted() -> Fit:
    fit = new_fit(Walks(12))
    fit.advance(lambda: False)
    return fit


def test_a_classifier_with_memory_learns_which_way_something_moves(fitted: Fit) -> None:
    assert fitted.progress.best["validation_accuracy"] == 1.0
    record = fitted.finished_record()
    assert (record.task, record.input_kind) == ("video-classification", "video")


def test_what_comes_of_it_answers_frames_that_come_one_by_one(fitted: Fit) -> None:
    network = load(fitted.finished_record(), fitted.best_weights())
    assert isinstance(network, VideoNetwork)
    network.warm_up()
    answers = []
    for right in (False, True):
        clip = fitted._examples.read(walk(right, seed=99))
        state = None
        for frame in clip:
            (stepped,) = network.forward([Step(frame[None], state)])
            state = stepped.state
        answers.append(network.record.labels[int(stepped.logits.argmax())])
    assert answers == ["left", "right"]


def test_a_video_shorter_than_a_window_is_learned_with_its_last_frame_repeated() -> None:
    fit = new_fit(Walks(2))
    clip = fit._examples.read(walk(True, seed=1, frames=10))
    assert clip.shape == (16, 1, 28, 28)
    assert torch.equal(clip[9], clip[15])


def test_of_a_long_video_the_middle_of_its_first_windows_is_learned() -> None:
    levels = list(range(0, 240, 2))
    pictures = [jpeg(np.full((28, 28, 3), level, np.uint8)) for level in levels]
    clip = new_fit(Walks(2))._examples.read(movie(pictures, FRAME_MS, width=28, height=28))
    # Frames 24 to 39 of the 64 that are looked at.
    assert clip.float().mean((1, 2, 3)).tolist() == pytest.approx(levels[24:40], abs=2)


def test_a_broken_film_costs_itself() -> None:
    fit = new_fit(Walks(5), epochs=1)
    row = int(fit._split.training[0])
    fit = new_fit(Walks(5, broken=row), epochs=1)
    fit.advance(lambda: False)
    assert list(fit.progress.skipped) == [row]


def test_a_run_on_videos_goes_on_where_it_was_broken_off() -> None:
    images, members = (
        Walks(4),
        {"architecture": "recurrent/digits-gru", "epochs": 2, "batch": 4, "kernel_size": 5},
    )
    unbroken = new_fit(images, **members)
    unbroken.advance(lambda: False)
    broken = new_fit(images, **members)
    while not broken.progress.is_over:
        broken.advance(lambda: True)
        broken = new_fit(images, broken.save(), **members)
    assert broken.best_weights() == unbroken.best_weights()


def test_the_frames_of_a_video_are_varied_all_alike() -> None:
    frames = torch.rand(4, 1, 3, 20, 28).expand(4, 5, 3, 20, 28)
    names = ("flip", "shift", "rotate", "zoom", "brightness")
    varied = augment(frames, names, torch.Generator().manual_seed(3))
    assert varied.shape == frames.shape
    assert torch.equal(varied, varied[:, :1].expand_as(varied))
    assert not torch.equal(varied, frames)


def test_a_network_of_torchvision_for_videos_can_be_trained_too() -> None:
    recipe = read_recipe({"architecture": "torchvision/s3d"})
    record = new_record("walks", recipe, ("left", "right"))
    assert (record.task, record.labels) == ("video-classification", ("left", "right"))
