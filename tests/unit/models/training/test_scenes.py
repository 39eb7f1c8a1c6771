"""Scenes: the same for a seed, true to what they say they show, and apart by their split."""

import numpy as np

from models.pictures.scenes import SCENE_SIZE, heldout_scenes, inks_of, make_scenes

SPLITS = ("train", "heldout")


def test_the_same_seed_gives_the_same_scenes_and_another_gives_others():
    first, again = (list(make_scenes(5, 1, "train")) for _ in range(2))
    other = next(make_scenes(1, 2, "train"))
    for one, two in zip(first, again, strict=True):
        assert (one.image == two.image).all()
        assert (one.boxes == two.boxes).all()
        assert (one.mask == two.mask).all()
    assert (first[0].image != other.image).any()


def test_a_scene_is_what_it_says():
    for scene in make_scenes(50, 3, "train"):
        assert scene.image.shape == scene.mask.shape == (SCENE_SIZE, SCENE_SIZE)
        assert scene.image.dtype == scene.mask.dtype == np.uint8
        assert 1 <= len(scene.labels) == len(scene.boxes) <= 5
        assert set(np.unique(scene.mask)) == {0, *(scene.labels + 1)}


def test_boxes_lie_just_around_the_ink_of_their_digit():
    for scene in make_scenes(50, 4, "train"):
        for (x1, y1, x2, y2), label in zip(scene.boxes.astype(int), scene.labels, strict=True):
            ink = scene.mask[y1:y2, x1:x2] == label + 1
            assert ink[0].any()
            assert ink[-1].any()
            assert ink[:, 0].any()
            assert ink[:, -1].any()
        covered = np.zeros(scene.mask.shape, int)
        for x1, y1, x2, y2 in scene.boxes.astype(int):
            covered[y1:y2, x1:x2] += 1
        assert covered.max() == 1, "no two digits overlap"
        assert not scene.mask[covered == 0].any()


def test_ink_is_brighter_than_the_ground_around_it():
    scenes = list(make_scenes(50, 5, "train"))
    ink = np.mean([scene.image[scene.mask > 0].mean() for scene in scenes])
    ground = np.mean([scene.image[scene.mask == 0].mean() for scene in scenes])
    assert ink > ground + 80


def test_no_handwriting_is_in_scenes_of_both_splits():
    training, heldout = ({ink.tobytes() for ink in inks_of(split)[0]} for split in SPLITS)
    assert (len(training), len(heldout)) == (1437, 360)
    assert not training & heldout


def test_held_out_scenes_are_many_and_show_every_digit():
    scenes = heldout_scenes()
    assert len(scenes) == 500
    counts = np.bincount(np.concatenate([scene.labels for scene in scenes]), minlength=10)
    assert counts.min() > 100
