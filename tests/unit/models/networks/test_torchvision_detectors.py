"""torchvision's detectors and Mask R-CNN: our way against torchvision called directly."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import models as tv

from models.answers import rle
from models.catalog import ModelRecord, check_params
from models.media.pictures import decode
from models.networks.torchvision import torchvision_record
from models.pictures.data import make_photos
from models.preprocessing.whole_pictures import WholePicture
from models.records.record import Limits
from models.records.torchvision_names import DETECTORS, INSTANCE_SEGMENTERS
from models.runtime.registry import load
from models.runtime.torch_runtime import ARCHITECTURES
from models.runtime.weights import write

PHOTOS = list(make_photos(3, seed=7))
PIXELS = [decode(photo, 3, Limits()).pixels for photo in PHOTOS]
# Heavy networks are compared on small pictures: torchvision takes the size as an argument.
SMALL = {"min_size": 160, "max_size": 224}
# Random weights leave many objects equally sure, and which of them covers the other is chance.
ENOUGH = 0.95
# The part that says how sure a network is, and by how much to turn it up: random weights leave
# every class near 1/91, and then nothing passes a network's own threshold.
LOUDNESS = {
    "ssdlite320_mobilenet_v3_large": ("head.classification_head", 5),
    "fasterrcnn_mobilenet_v3_large_320_fpn": ("roi_heads.box_predictor.cls_score", 2),
    "maskrcnn_resnet50_fpn": ("roi_heads.box_predictor.cls_score", 1),
    "retinanet_resnet50_fpn": ("head.classification_head.cls_logits", 6),
    "fcos_resnet50_fpn": ("head.classification_head.cls_logits", 60),
}


def lively(network, part, factor):
    """Give random weights that react to pictures: normalised features, and a loud last part."""
    for module in network.backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0  # what it sees now is what it will expect
    crops = np.stack([pixels[:128, :128] for pixels in PIXELS])
    with torch.no_grad():
        network.backbone.train()(torch.from_numpy(crops).permute(0, 3, 1, 2) / 64 - 2)
    for name, values in network.state_dict().items():
        if name.startswith(part) and values.dim() > 1:
            values.mul_(factor)
    return network.eval()


def pair(name, **options):
    """One network built by torchvision itself, and ours with the same random weights."""
    torch.manual_seed(3)
    theirs = tv.get_model(name, weights=None, weights_backbone=None, **options)
    lively(theirs, *LOUDNESS[name])
    if name in ("maskrcnn_resnet50_fpn", "retinanet_resnet50_fpn"):
        for module in theirs.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = 0.0  # as torchvision sets it when it loads the published weights
    record = torchvision_record(f"torchvision/{name}")
    if options:
        size = {"shorter": options["min_size"], "longer": options["max_size"]}
        record = replace(record, preprocess={**record.preprocess, **size})
    return theirs, load(record, write(theirs.state_dict()))


def directly(theirs, pixels):
    """What torchvision finds, by its published transforms."""
    transforms = tv.get_model_weights("ssd300_vgg16").DEFAULT.transforms()
    with torch.inference_mode():
        return theirs([transforms(torch.from_numpy(pixels).permute(2, 0, 1))])[0]


def matches(predictions, expected):
    """Give (index of ours, index of theirs) of the objects that agree within a thousandth.

    Not by position alone: where two are equally sure, either may come first.
    """
    boxes = torch.tensor([list(each["box"].values()) for each in predictions])
    boxes[:, 2:] += boxes[:, :2]
    scores = torch.tensor([each["confidence"] for each in predictions])
    labels = torch.tensor([each["class_id"] for each in predictions])
    close = (scores[:, None] - expected["scores"]).abs() < 1e-3
    close &= labels[:, None] == expected["labels"]
    # A thousandth of the pictures' longer side, about half a pixel.
    close &= (boxes[:, None] - expected["boxes"]).abs().amax(2) < 1e-3 * 500
    return [(int(row.int().argmax()), theirs) for theirs, row in enumerate(close.T) if row.any()]


def everything(ours, count):
    """What we find with nothing left out."""
    params = {"min_confidence": 0.0, "max_detections": 1000}
    outputs = ours.forward([ours.prepare(photo) for photo in PHOTOS[:count]])
    return ours.postprocess(outputs, check_params(ours.record.task, params))


@pytest.mark.parametrize(
    ("name", "photos", "options"),
    [
        ("ssdlite320_mobilenet_v3_large", 3, {}),
        ("fasterrcnn_mobilenet_v3_large_320_fpn", 3, {}),
        ("retinanet_resnet50_fpn", 1, SMALL),
        ("fcos_resnet50_fpn", 1, SMALL),
    ],
)
def test_every_photo_gets_torchvisions_boxes_classes_and_confidences(name, photos, options):
    theirs, ours = pair(name, **options)
    for pixels, predictions in zip(PIXELS, everything(ours, photos), strict=False):
        expected = directly(theirs, pixels)
        count = len(expected["scores"])
        assert count > 20, "too few objects to compare anything"
        assert expected["scores"].std() > 1e-3, "all objects are alike"
        assert len(predictions) == count
        # Of those as sure as the last of a full list, others may have found a place in it.
        surer = expected["scores"] > expected["scores"][-1] + 1e-3
        assert surer.sum() > 20, "too few objects to compare anything"
        expected = {key: values[surer] for key, values in expected.items()}
        assert len(matches(predictions, expected)) >= ENOUGH * surer.sum()


def test_every_object_gets_torchvisions_mask():
    theirs, ours = pair("maskrcnn_resnet50_fpn", **SMALL)
    (predictions,) = everything(ours, 1)
    expected = directly(theirs, PIXELS[0])
    # Objects too thin to cover a pixel are not reported.
    seen = int(((expected["masks"] >= 0.5).flatten(1).sum(1) > 0).sum())
    pairs = matches(predictions, expected)
    assert len(predictions) == seen > 20
    assert len(pairs) >= ENOUGH * seen
    agreed = [
        (rle.decode(predictions[mine]["mask"]) == (expected["masks"][other, 0] >= 0.5).numpy())
        for mine, other in pairs
    ]
    # A box that is rounded the other way moves its whole mask by a pixel.
    assert np.mean(agreed) >= 0.999
    assert min(each.mean() for each in agreed) >= 0.99


def test_the_written_lists_are_those_of_the_installed_torchvision():
    written = sorted((*DETECTORS, *INSTANCE_SEGMENTERS, "keypointrcnn_resnet50_fpn"))
    assert written == tv.list_models(module=tv.detection)


def test_every_network_has_a_record_that_survives_json():
    for name in DETECTORS + INSTANCE_SEGMENTERS:
        record = torchvision_record(f"torchvision/{name}")
        assert record.task == ("segmentation" if name.startswith("mask") else "detection")
        assert (len(record.labels), record.labels[18]) == (91, "dog")
        assert ModelRecord.from_json(record.to_json()) == record
        WholePicture.read(record.preprocess)
    assert torchvision_record("torchvision/ssd300_vgg16").preprocess["fixed"] == [300, 300]
    assert torchvision_record("torchvision/fcos_resnet50_fpn").preprocess["longer"] == 1333


def test_published_weights_without_the_counters_of_training_fit():
    # Frozen batch normalisation, which torchvision trains detectors with, keeps none.
    name = "torchvision/fasterrcnn_mobilenet_v3_large_320_fpn"
    record = torchvision_record(name)
    state = ARCHITECTURES[name](91).state_dict()
    bare = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    assert len(bare) < len(state)
    load(record, write(bare))


def test_a_network_runs_in_lower_precision_and_on_a_blank_sample():
    name = "torchvision/ssdlite320_mobilenet_v3_large"
    record = torchvision_record(name)
    weights = write(ARCHITECTURES[name](91).state_dict())
    load(record, weights, autocast=torch.bfloat16).warm_up()
