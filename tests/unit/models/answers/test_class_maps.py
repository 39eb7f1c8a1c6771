"""Class maps are those of all classes enlarged at once, however few of them are."""

import numpy as np
import pytest
import torch
from torch.nn import functional as nn

from models.answers.class_maps import class_map, kept_layers
from models.answers.enlarging import Window


def logits(classes, height, width, spread=3.0, seed=0):
    """Smooth logits (classes, height, width), as networks give them."""
    chance = torch.Generator().manual_seed(seed)
    rough = torch.randn(1, classes, height // 4 + 1, width // 4 + 1, generator=chance) * spread
    return nn.interpolate(rough, (height, width), mode="bicubic")[0]


def directly(scores, form, size):
    """Class and chance (H, W) of each pixel: everything enlarged, then compared."""
    whole = nn.interpolate(scores[None], size, mode="bilinear")[0]
    shares = whole.softmax(0) if form == "logits" else whole / whole.sum(0)
    return whole.argmax(0).numpy(), shares.amax(0).numpy()


def told(layers):
    """Class of each pixel (H, W), and the mean chance of each class that wins one."""
    found = class_map(layers)
    classes = layers.class_ids.numpy()
    present = np.flatnonzero(found.areas)
    means = {int(classes[row]): found.sums[row] / found.areas[row] for row in present}
    assert np.array_equal(found.areas, np.bincount(found.rows.ravel(), minlength=len(classes)))
    return classes[found.rows], means


def assert_same(scores, form, size):
    layers = kept_layers(scores, form, size)
    ours, means = told(layers)
    theirs, chances = directly(scores, form, size)
    assert (ours == theirs).mean() > 0.9999
    for class_id in np.unique(theirs):
        if (theirs == class_id).sum() > 20:
            assert means[class_id] == pytest.approx(chances[theirs == class_id].mean(), abs=1e-3)
    return layers


@pytest.mark.parametrize("size", [(128, 128), (75, 131), (401, 33), (600, 700), (13, 9), (1, 300)])
@pytest.mark.parametrize("classes", [2, 5, 21, 150])
def test_logits_are_enlarged_and_then_compared(classes, size):
    assert_same(logits(classes, 16, 24), "logits", size)


@pytest.mark.parametrize("size", [(128, 128), (75, 131), (401, 33), (600, 700)])
@pytest.mark.parametrize("classes", [2, 150])
def test_chances_are_enlarged_and_compared_as_they_are(classes, size):
    # They need not make up 1 at a place: MaskFormer's are sums over masks.
    amounts = logits(classes, 20, 14).softmax(0) * logits(1, 20, 14).exp()
    assert_same(amounts, "chances", size)


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (6, 1)])
def test_networks_of_one_line_of_places_have_maps_too(size):
    assert_same(logits(4, 6, 6)[:, : size[0], : size[1]], "logits", (50, 70))


def test_a_class_that_wins_at_no_place_may_win_between():
    """Two sure classes share the places, and a third is everybody's second."""
    scores = torch.tensor([[[9.0, 0.0]], [[0.0, 9.0]], [[5.0, 5.0]]])
    classes, _ = told(assert_same(scores, "logits", (10, 100)))
    assert set(np.unique(classes)) == {0, 1, 2}
    chances = torch.tensor([[[0.9, 0.0]], [[0.0, 0.9]], [[0.1, 0.1]]])
    classes, _ = told(assert_same(chances, "chances", (10, 100)))
    assert set(np.unique(classes)) == {0, 1}


def test_classes_that_can_win_nowhere_are_not_kept():
    scores = logits(1000, 16, 16)
    scores[:3] += 30
    layers = assert_same(scores, "logits", (300, 200))
    assert layers.class_ids.tolist() == [0, 1, 2]
    everywhere = assert_same(logits(6, 16, 16, spread=0.1), "logits", (90, 70))
    assert everywhere.rest is None, "nobody is left where all are near"


def test_many_small_classes_count_together():
    """None of 3000 reaches a thousandth, and all of them are a good part of what there is."""
    scores = torch.cat((logits(2, 12, 12, spread=1.0) + 8, logits(3000, 12, 12, spread=0.2)))
    layers = assert_same(scores, "logits", (97, 203))
    assert layers.class_ids.tolist() == [0, 1]
    assert float(layers.rest.exp().min()) > 0.05


def test_a_picture_in_a_part_of_the_places_has_its_own_map():
    """What lies beside its window is nobody's: other numbers there change nothing."""
    scores = logits(5, 16, 24)
    window = Window(0.25, 0.5, 15.5, 23.0)
    ours, _ = told(kept_layers(scores, "logits", (155, 230), window))
    # The same pixels of a picture that is 10 pixels a place and cut afterwards.
    theirs, _ = directly(scores, "logits", (160, 240))
    steps = nn.interpolate(scores[None], (640, 960), mode="bilinear")[0].argmax(0).numpy()
    assert ours.shape == (155, 230)
    assert (ours == steps[12:632:4, 22:942:4][:155, :230]).mean() > 0.97
    assert (ours == theirs[2:157, 5:235]).mean() > 0.97


def test_what_is_sure_or_impossible_stays_a_number():
    scores = torch.full((3, 4, 4), -torch.inf)
    scores[0, :, :2], scores[1, :, 2:] = 0.0, 0.0
    found = class_map(kept_layers(scores, "logits", (40, 40)))
    assert found.areas.tolist() == [800, 800]
    assert np.isfinite(found.sums).all()
    broken = torch.full((3, 4, 4), torch.nan)
    assert class_map(kept_layers(broken, "logits", (8, 8))).areas.sum() == 64
