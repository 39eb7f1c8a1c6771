"""torchvision's semantic segmentation: our masks against torchvision called directly."""

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
from models.records.record import Limits
from models.records.torchvision_names import SEMANTIC_SEGMENTERS
from models.runtime.registry import load
from models.runtime.torch_runtime import ARCHITECTURES
from models.runtime.weights import write

PHOTOS = list(make_photos(2, seed=7))
PIXELS = [decode(photo, 3, Limits()).pixels for photo in PHOTOS]


def pair(name):
    """One network built by torchvision itself, and ours with the same random weights."""
    torch.manual_seed(3)
    theirs = tv.get_model(name, weights=None, weights_backbone=None)
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0  # what it sees now is what it will expect
    crops = np.stack([pixels[:128, :128] for pixels in PIXELS])
    with torch.no_grad():
        theirs.train()(torch.from_numpy(crops).permute(0, 3, 1, 2) / 64 - 2)
    record = torchvision_record(f"torchvision/{name}")
    return theirs.eval(), load(record, write(theirs.state_dict()))


def directly(theirs, name, pixels):
    """Class and chance (H, W) of each pixel, by torchvision's published transforms."""
    transforms = tv.get_model_weights(name).DEFAULT.transforms()
    inputs = transforms(torch.from_numpy(pixels).permute(2, 0, 1).contiguous())
    with torch.inference_mode():
        logits = theirs(inputs.unsqueeze(0))["out"]
    whole = nn.functional.interpolate(logits, pixels.shape[:2], mode="bilinear")[0].softmax(0)
    return whole.amax(0).numpy(), whole.argmax(0).numpy()


@pytest.mark.parametrize("name", ["lraspp_mobilenet_v3_large", "deeplabv3_mobilenet_v3_large"])
def test_every_photo_gets_torchvisions_masks(name):
    theirs, ours = pair(name)
    params = check_params("segmentation", {"classes": list(ours.record.labels)})
    outputs = ours.forward([ours.prepare(photo) for photo in PHOTOS])
    for pixels, predictions in zip(PIXELS, ours.postprocess(outputs, params), strict=True):
        chances, classes = directly(theirs, name, pixels)
        found = np.full(classes.shape, -1)
        for each in predictions:
            found[rle.decode(each["mask"])] = each["class_id"]
            mine = classes == each["class_id"]
            if mine.sum() > 100:
                assert each["confidence"] == pytest.approx(chances[mine].mean(), abs=1e-3)
        assert len(np.unique(classes)) > 3, "too few classes to compare anything"
        assert (found == classes).mean() >= 0.999


def test_the_written_list_is_that_of_the_installed_torchvision():
    assert list(SEMANTIC_SEGMENTERS) == tv.list_models(module=tv.segmentation)


def test_every_network_has_a_record_that_survives_json():
    for name in SEMANTIC_SEGMENTERS:
        record = torchvision_record(f"torchvision/{name}")
        assert (len(record.labels), record.labels[0]) == (21, "__background__")
        assert record.preprocess["shorter"] == 520
        assert ModelRecord.from_json(record.to_json()) == record


def test_the_training_head_of_published_weights_is_left_out():
    name = "torchvision/deeplabv3_mobilenet_v3_large"
    full = tv.get_model(name[12:], weights=None, weights_backbone=None, aux_loss=True).state_dict()
    assert any(key.startswith("aux_classifier.") for key in full)
    assert not any("aux" in key for key in ARCHITECTURES[name](21).state_dict())
    load(torchvision_record(name), write(full))
