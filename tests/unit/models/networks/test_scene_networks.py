"""The shipped networks for scenes: their figures, their answers and their training."""

import numpy as np
import pytest
import torch

from models import train
from models.answers import rle
from models.answers.measures import box_iou
from models.catalog import SHIPPED, check_params, shipped_weights
from models.measuring.evaluation import boxes_of, class_map_of, evaluate
from models.media.opencv import cv2
from models.networks import scenes_detector, scenes_segmenter
from models.pictures.data import encode
from models.pictures.scenes import heldout_scenes
from models.runtime.registry import load
from models.runtime.torch_runtime import build
from models.runtime.weights import digest, write
from models.training.scene_training import SceneRecipe, train_on_scenes

MARKS = {
    "scenes-detector": {"heldout_map50": 0.90, "heldout_map75": 0.85},
    "scenes-segmenter": {"heldout_mean_iou": 0.85},
}
SCENES = heldout_scenes(12)
FILES = [encode(scene.image, ".png") for scene in SCENES]


@pytest.fixture(scope="module", params=MARKS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def network(name):
    return load(SHIPPED[name], shipped_weights(name).read_bytes())


def answers(network, files, **params):
    checked = check_params(network.record.task, params, network.record.labels)
    return network.postprocess(network.forward([network.prepare(each) for each in files]), checked)


def test_the_shipped_weights_reach_their_card_on_held_out_scenes(name):
    measured = evaluate(SHIPPED[name], shipped_weights(name).read_bytes())
    for figure, mark in MARKS[name].items():
        print(f"{name}: {figure} {measured[figure]:.4f}")
        assert measured[figure] >= mark
        assert measured[figure] == pytest.approx(SHIPPED[name].metrics[figure], abs=0.01)


def test_a_network_has_the_weights_that_its_card_counts(network):
    parameters = sum(each.numel() for each in build(network.record).parameters())
    assert parameters == network.record.metrics["parameters"]


def test_the_neighbours_in_a_batch_change_nothing(network):
    together = answers(network, FILES)
    for alone, among in zip((answers(network, [each])[0] for each in FILES), together, strict=True):
        assert [each["class"] for each in alone] == [each["class"] for each in among]
        assert [each["confidence"] for each in alone] == pytest.approx(
            [each["confidence"] for each in among], abs=1e-4
        )


def test_the_detector_finds_the_digits_where_they_are():
    detector = load(SHIPPED["scenes-detector"], shipped_weights("scenes-detector").read_bytes())
    found = [boxes_of(each) for each in answers(detector, FILES)]
    right = 0
    for boxes, scene in zip(found, SCENES, strict=True):
        overlaps = box_iou(scene.boxes, boxes.boxes) > 0.7
        same = scene.labels[:, None] == boxes.labels
        right += int((overlaps & same).any(1).sum())
    assert right >= 0.9 * sum(len(scene.labels) for scene in SCENES)


@pytest.mark.parametrize("size", [(192, 192), (96, 160), (75, 101)])
def test_scenes_of_other_sizes_are_answered_in_their_own_pixels(size):
    height, width = size
    scene = SCENES[0]
    # The scene fills the upper left square; what is left beside it stays dark.
    side = min(size)
    canvas = np.zeros(size, np.uint8)
    canvas[:side, :side] = cv2.resize(scene.image, (side, side), interpolation=cv2.INTER_AREA)
    detector = load(SHIPPED["scenes-detector"], shipped_weights("scenes-detector").read_bytes())
    segmenter = load(SHIPPED["scenes-segmenter"], shipped_weights("scenes-segmenter").read_bytes())
    (found,) = answers(detector, [encode(canvas, ".png")], classes=[str(scene.labels[0])])
    overlap = box_iou(scene.boxes[:1] * side / 96, boxes_of(found).boxes)
    assert overlap.max() > 0.6
    (masks,) = answers(segmenter, [encode(canvas, ".png")])
    assert all(each["mask"]["size"] == [height, width] for each in masks)
    ink = class_map_of(masks, size)[:side, :side] > 0
    wanted = cv2.resize((scene.mask > 0).astype(np.uint8), (side, side)) > 0
    assert (ink & wanted).sum() / (ink | wanted).sum() > 0.6


def test_the_masks_of_the_segmenter_cover_a_pixel_once():
    segmenter = load(SHIPPED["scenes-segmenter"], shipped_weights("scenes-segmenter").read_bytes())
    labels = list(segmenter.record.labels)
    for predictions in answers(segmenter, FILES, classes=labels):
        masks = [rle.decode(each["mask"]) for each in predictions]
        assert (np.sum(masks, axis=0) == 1).all()


def test_a_few_steps_of_training_lower_the_loss_and_the_random_state_stays(name):
    before = torch.random.get_rng_state()
    short = train_on_scenes(SHIPPED[name], SceneRecipe(2, 8, 3e-3), print)
    longer = train_on_scenes(SHIPPED[name], SceneRecipe(25, 8, 3e-3), print)
    assert longer.loss < short.loss
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_same_seed_gives_the_same_bytes(name):
    recipes = [SceneRecipe(2, 4, 3e-3, seed) for seed in (0, 0, 1)]
    first, again, other = (
        digest(write(train_on_scenes(SHIPPED[name], recipe, print).module.state_dict()))
        for recipe in recipes
    )
    assert first == again != other


def test_the_command_trains_and_writes_weights_and_card(tmp_path):
    name = "scenes-detector"
    train.main([name, "--out", str(tmp_path), "--steps", "2", "--batch", "4"])
    load(SHIPPED[name], (tmp_path / f"{name}.safetensors").read_bytes())
    card = (tmp_path / f"{name}.md").read_text()
    assert f"python -m models.train {name} --out DIR --steps 2 --batch 4" in card
    assert "| heldout_map50 | 0." in card


def test_the_target_of_a_box_is_one_at_its_centre_and_less_around_it():
    box = torch.tensor([[20.0, 40.0, 44.0, 88.0]])
    truth = scenes_detector.truth_of([box], [torch.tensor([7])], classes=10, size=96)
    assert truth.heat.shape == (1, 10, 24, 24)
    assert (truth.heat == 1).nonzero().tolist() == [[0, 7, 16, 8]]  # (64, 32) pixels, by fours
    assert truth.heat[0, 7, 16, 7] < truth.heat[0, 7, 15, 8] < 1, "the box is taller than wide"
    assert truth.boxes[0, :, 16, 8].tolist() == box[0].tolist()


def test_a_detector_that_is_right_has_no_loss_and_one_that_is_wrong_much():
    box = torch.tensor([[20.0, 40.0, 44.0, 88.0]])
    truth = scenes_detector.truth_of([box], [torch.tensor([7])], classes=10, size=96)
    sure = torch.where(truth.heat == 1, 20.0, -20.0)
    right = scenes_detector.loss((sure, truth.boxes), truth)
    moved = scenes_detector.loss((sure, truth.boxes + 50), truth)
    blind = scenes_detector.loss((-sure, truth.boxes), truth)
    assert right < 0.01 < 1 < moved < blind


def test_a_segmenter_that_is_right_has_no_loss_and_one_that_is_wrong_much():
    truth = torch.from_numpy(np.stack([scene.mask for scene in SCENES])).long()
    scores = torch.nn.functional.one_hot(truth, 11).movedim(-1, 1) * 30.0
    assert scenes_segmenter.loss(scores, truth) < 0.01
    assert scenes_segmenter.loss(scores.roll(1, dims=1), truth) > 5
