"""Segmentation: masks at the original's size, by class and by object."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models.detection.roi_heads import paste_masks_in_image

from models.answers import rle
from models.answers.class_maps import kept_layers
from models.catalog import ModelRecord, check_params
from models.media.pictures import decode
from models.pictures.data import encode
from models.records.errors import ImageTooLarge
from models.tasks import segmentation
from models.tasks.detection import Found
from models.tasks.task import Sample
from models.tasks.whole_pictures import inputs_by_shape

RECORD = ModelRecord(
    name="masks",
    task="segmentation",
    architecture="none",
    labels=("__background__", "cat", "dog"),
    preprocess={"channels": 1, "mean": [0.0], "std": [1.0], "shorter": 8},
)
CPU = torch.device("cpu")


def sample_of(data):
    return segmentation.prepare(RECORD, decode(data, 1, RECORD.limits))


def params(**given):
    return check_params("segmentation", given, RECORD.labels)


def predicted(output, **given):
    (predictions,) = segmentation.postprocess(RECORD, [output], params(**given))
    return predictions


def halves(height=4, width=6):
    """Background on the left third, cat (surely) in the middle, dog (hardly) on the right."""
    chances = torch.zeros(3, height, width)
    for class_id, chance in enumerate((0.9, 0.8, 0.6)):
        columns = slice(class_id * width // 3, (class_id + 1) * width // 3)
        chances[:, :, columns] = (1 - chance) / 2
        chances[class_id, :, columns] = chance
    return kept_layers(chances, "chances", (height, width))


def test_each_class_that_is_present_has_one_mask_and_the_background_none():
    predictions = predicted(halves())
    assert [each["class"] for each in predictions] == ["cat", "dog"]
    assert [each["area"] for each in predictions] == [8, 8]
    assert predictions[0]["confidence"] == pytest.approx(0.8)
    expected = np.zeros((4, 6), bool)
    expected[:, 2:4] = True
    assert (rle.decode(predictions[0]["mask"]) == expected).all()


def test_the_background_is_reported_where_it_is_asked_for():
    assert [each["class"] for each in predicted(halves(), classes=["__background__"])] == [
        "__background__"
    ]


def test_unsure_and_small_masks_can_be_left_out():
    assert [each["class"] for each in predicted(halves(), min_confidence=0.7)] == ["cat"]
    assert predicted(halves(), min_area=9) == []
    assert [each["class"] for each in predicted(halves(), max_detections=1)] == ["cat"]


def test_masks_have_the_originals_size_and_leave_no_pixel_out():
    enlarged = replace(halves(), size=(37, 61))
    everything = predicted(enlarged, classes=list(RECORD.labels))
    masks = [rle.decode(each["mask"]) for each in everything]
    assert all(mask.shape == (37, 61) for mask in masks)
    assert (np.sum(masks, axis=0) == 1).all()
    assert [each["area"] for each in everything] == [int(mask.sum()) for mask in masks]


class Brightness(nn.Module):
    """Takes dark pixels for background, grey ones for cats and bright ones for dogs."""

    def forward(self, batch):
        kinds = (batch[:, 0] * 2).round().long()
        return {"out": nn.functional.one_hot(kinds, 3).movedim(-1, 1) * 20.0}


def test_pictures_of_several_sizes_are_segmented_each_at_its_own():
    small = np.zeros((16, 16), np.uint8)
    small[:, 8:] = 128
    large = np.full((40, 80), 255, np.uint8)
    samples = [sample_of(encode(each, ".png")) for each in (small, large, small)]
    outputs = segmentation.infer(RECORD, Brightness(), samples, CPU)
    found = segmentation.postprocess(RECORD, outputs, params())
    assert found == [
        segmentation.postprocess(RECORD, outputs[i : i + 1], params())[0] for i in range(3)
    ]
    assert [each["class"] for each in found[0]] == ["cat"]
    assert found[0] == found[2]
    assert (rle.decode(found[0][0]["mask"]) == (small > 0)).mean() > 0.9
    assert (found[1][0]["class"], found[1][0]["area"]) == ("dog", 3200)


def instances(boxes):
    torch.manual_seed(5)
    count = len(boxes)
    scores = torch.linspace(0.9, 0.4, count)
    masks = torch.rand(count, 7, 7)
    return Found(60, 90, torch.tensor(boxes), scores, torch.ones(count, dtype=torch.int64), masks)


BOXES = [[10.0, 5, 40, 30], [-8.0, -3, 20, 12], [70.2, 40.7, 95, 66], [30, 30, 30.5, 30.5]]


def test_masks_of_objects_are_pasted_as_torchvision_pastes_them():
    found = instances(BOXES)
    theirs = paste_masks_in_image(found.masks[:, None], found.boxes, (60, 90))[:, 0] >= 0.5
    predictions = predicted(found, min_confidence=0.0)
    assert len(predictions) == len(BOXES)
    for each, mask in zip(predictions, theirs.numpy(), strict=True):
        assert (rle.decode(each["mask"]) == mask).all()
        assert each["area"] == mask.sum()
        assert set(each) == {"class", "class_id", "confidence", "area", "mask", "box"}


def test_objects_need_half_the_confidence_unless_told_otherwise():
    assert len(predicted(instances(BOXES))) == 3
    assert predicted(instances(BOXES), classes=["dog"]) == []


def test_an_object_beside_the_picture_has_no_mask_and_is_left_out():
    assert predicted(instances([[200.0, 200, 210, 210]])) == []


@pytest.mark.parametrize("width", [1, 2])
def test_a_strip_that_would_be_blown_up_is_too_large(width):
    strip = encode(np.zeros((300, width), np.uint8), ".png")
    with pytest.raises(ImageTooLarge, match="less elongated"):
        sample_of(strip)
    panorama = encode(np.zeros((10, 45), np.uint8), ".png")
    assert sample_of(panorama).pixels.shape == (1, 8, 36)


def test_no_input_has_more_pixels_than_a_batch_of_usual_samples():
    record = replace(RECORD, max_batch=2)  # of 8 x 10 pixels each
    wide = [Sample(torch.zeros(1, 8, 35, dtype=torch.uint8), 8, 35)] * 3
    usual = [Sample(torch.zeros(1, 8, 10, dtype=torch.uint8), 8, 10)] * 3
    sizes = [
        (positions, tuple(batch.shape[-2:]))
        for positions, batch in inputs_by_shape(record, [*wide, *usual], CPU)
    ]
    assert sizes == [
        ([0], (8, 35)), ([1], (8, 35)), ([2], (8, 35)), ([3, 4], (8, 10)), ([5], (8, 10)),
    ]  # fmt: skip


def test_a_small_object_takes_no_place_from_a_large_one():
    boxes = torch.tensor([[0.0, 0, 4, 4], [0, 0, 50, 50]])
    masks = torch.ones(2, 28, 28)
    objects = Found(60, 60, boxes, torch.tensor([0.9, 0.8]), torch.tensor([1, 2]), masks)
    (large,) = predicted(objects, min_area=500, max_detections=1)
    assert large["class"] == "dog"


def test_more_classes_than_a_byte_counts_have_masks():
    record = replace(RECORD, labels=tuple(f"class {n}" for n in range(300)))
    chances = torch.zeros(300, 10, 30)
    for n in range(300):
        chances[n, n // 30, n % 30] = 1.0
    layers = kept_layers(chances, "chances", (10, 30))
    params = check_params("segmentation", {"max_detections": 300}, record.labels)
    (predictions,) = segmentation.postprocess(record, [layers], params)
    assert {each["class_id"] for each in predictions} == set(range(300))
