"""The shipped network for moving digits: its figures, its memory and its training."""

import numpy as np
import pytest
import torch

from models import train
from models.catalog import SHIPPED, check_params, shipped_weights
from models.measuring.clip_evaluation import answers
from models.measuring.evaluation import evaluate
from models.networks import motion
from models.pictures.clips import CLIP_FRAMES, heldout_clips, heldout_streams
from models.records.errors import RecordError
from models.runtime.network import VideoNetwork
from models.runtime.registry import load
from models.runtime.torch_runtime import build
from models.runtime.weights import digest, write
from models.tasks.task import Clip, Step
from models.training.clip_training import ClipRecipe, train_on_clips

RECORD = SHIPPED["motion"]
WEIGHTS = shipped_weights("motion").read_bytes()
SMALL = ClipRecipe(steps=2, epochs=1, batch=4)


@pytest.fixture(scope="module")
def network():
    return load(RECORD, WEIGHTS)


@pytest.fixture(scope="module")
def film():
    (stream,) = heldout_streams(1, 64)
    return stream


@pytest.fixture(scope="module")
def frames(network, film):
    return torch.stack([network.prepare_frame(np.stack([each] * 3, -1)) for each in film.frames])


def test_the_shipped_weights_reach_their_card_on_held_out_films():
    measured = evaluate(RECORD, WEIGHTS)
    assert len(measured) == 4
    for figure, value in measured.items():
        print(f"motion: {figure} {value:.4f}")
        assert value >= 0.95
        assert value == pytest.approx(RECORD.metrics[figure], abs=0.01)


def test_a_network_has_the_weights_that_its_card_counts(network):
    assert isinstance(network, VideoNetwork)
    parameters = sum(each.numel() for each in build(network.record).parameters())
    assert parameters == RECORD.metrics["parameters"]


def test_a_clip_is_told_by_digit_and_direction(network):
    clips = heldout_clips(8)
    right = [
        RECORD.labels[found[0]].split() == [str(clip.digits[-1]), WAYS[clip.directions[-1]]]
        for found, clip in zip(answers(network, clips), clips, strict=True)
    ]
    assert sum(right) >= 7


WAYS = ("left", "right", "up", "down")


@pytest.mark.parametrize("cuts", [[32], [1], [5, 6, 30], list(range(1, 64))])
def test_however_a_video_is_cut_into_steps_the_answer_is_that_of_one_pass(network, frames, cuts):
    (whole,) = network.forward([Step(frames)])
    state = None
    for part in torch.tensor_split(frames, cuts):
        (stepped,) = network.forward([Step(part, state)])
        state = stepped.state
    assert torch.allclose(stepped.logits, whole.logits, atol=1e-4)
    for mine, other in zip(stepped.state, whole.state, strict=True):
        assert torch.allclose(mine, other, atol=1e-4)


def test_what_else_is_in_a_batch_changes_no_step(network, frames):
    (first,) = network.forward([Step(frames[:16])])
    steps = [Step(frames[16:32], first.state), Step(frames[16:32]), Step(frames[:9])]
    together = network.forward(steps)
    for step, among in zip(steps, together, strict=True):
        (alone,) = network.forward([step])
        assert torch.allclose(alone.logits, among.logits, atol=1e-4)


def test_a_stream_becomes_segments_that_follow_what_it_shows(network, film, frames):
    state, clips = None, []
    for start in range(0, 64, CLIP_FRAMES):
        (stepped,) = network.forward([Step(frames[start : start + CLIP_FRAMES], state)])
        state = stepped.state
        clips.append(Clip(start * 125, (start + CLIP_FRAMES) * 125, stepped.logits))
    ((found,),) = network.postprocess([clips], check_params(RECORD.task, {}))
    told = [
        segment["class"]
        for segment in found["segments"]
        for _ in range(segment["start_ms"], segment["end_ms"], 2000)
    ]
    shown = [
        f"{film.digits[end]} {WAYS[film.directions[end]]}" for end in range(15, 64, CLIP_FRAMES)
    ]
    assert told == shown


def test_the_chances_of_a_pair_are_the_product_of_those_of_its_parts():
    digits, directions = torch.randn(3, 10), torch.randn(3, 4)
    shares = motion.joined(digits, directions).softmax(1)
    assert shares[1, 7 * 4 + 2] == pytest.approx(
        float(digits[1].softmax(0)[7] * directions[1].softmax(0)[2]), abs=1e-6
    )
    first, second = motion.marginals(shares)
    assert torch.allclose(first, digits.softmax(1), atol=1e-6)
    assert torch.allclose(second, directions.softmax(1), atol=1e-6)


def test_labels_that_are_no_pairs_are_refused():
    with pytest.raises(RecordError, match="4 directions"):
        motion.build(41)


def test_training_lowers_the_loss_and_the_random_state_stays():
    before = torch.random.get_rng_state()
    short = train_on_clips(RECORD, SMALL, print)
    longer = train_on_clips(RECORD, ClipRecipe(steps=2, epochs=4, batch=4), print)
    assert longer.loss < short.loss
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_same_seed_gives_the_same_bytes():
    recipes = [ClipRecipe(2, 1, 4, seed=seed) for seed in (0, 0, 1)]
    first, again, other = (
        digest(write(train_on_clips(RECORD, recipe, print).module.state_dict()))
        for recipe in recipes
    )
    assert first == again != other


def test_the_command_trains_and_writes_weights_and_card(tmp_path):
    train.main(["motion", "--out", str(tmp_path), "--steps", "2", "--epochs", "1", "--batch", "4"])
    load(RECORD, (tmp_path / "motion.safetensors").read_bytes())
    card = (tmp_path / "motion.md").read_text()
    assert "python -m models.train motion --out DIR --steps 2 --epochs 1 --batch 4" in card
    assert "| stream_direction_accuracy | 0." in card
