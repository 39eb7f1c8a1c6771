"""torchvision's video classifiers: our way against torchvision called directly."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import models as tv
from torchvision.models.video.mvit import MSBlockConfig
from torchvision.transforms._presets import VideoClassification

from models.catalog import TORCHVISION_TASKS, ModelRecord, check_params
from models.networks.torchvision import torchvision_record
from models.networks.torchvision_videos import CLIP_SIZES
from models.pictures.data import sample_photos
from models.preprocessing.frames import FramePreprocessing
from models.records.torchvision_names import VIDEO_CLASSIFIERS
from models.runtime.network import VideoNetwork
from models.runtime.registry import load
from models.runtime.torch_runtime import ARCHITECTURES, build
from models.runtime.weights import write
from models.tasks.task import Clip, Step

# One of each family; the frames of a clip, few where the network takes few, and of S3D less than it
# takes; the side of a frame, small where the network takes other sides than its own.
FAMILIES = [("r3d_18", 3, 56), ("s3d", 3, 224), ("mvit_v2_s", 16, 64), ("swin3d_t", 3, 64)]
PHOTO = sample_photos()["china"]


def film(count):
    """A window of 240 x 180 pixels that moves over a photo: uint8 RGB (count, 180, 240, 3)."""
    return np.stack([PHOTO[4 * n : 4 * n + 180, 9 * n : 9 * n + 240] for n in range(count)])


def network_of(name):
    """A network of torchvision with random weights; of MViT, whose sizes are fixed, a small one."""
    torch.manual_seed(5)
    if not name.startswith("mvit"):
        return tv.get_model(name, weights=None).eval()
    blocks = [
        MSBlockConfig(1, 32, 64, [], [3, 3, 3], [], [1, 4, 4]),
        MSBlockConfig(2, 64, 64, [3, 3, 3], [3, 3, 3], [1, 2, 2], [1, 2, 2]),
    ]
    return tv.video.MViT(
        spatial_size=(64, 64),
        temporal_size=16,
        block_setting=blocks,
        residual_pool=True,
        residual_with_cls_embed=False,
        rel_pos_embed=True,
        proj_after_attn=True,
    ).eval()


def small(record, side):
    """The record of a network for smaller frames, to keep tests short."""
    sizes = {"resize": [side + 8], "crop": [side, side]}
    return replace(record, preprocess={**record.preprocess, **sizes})


def directly(theirs, name, pixels, side):
    """What torchvision answers, by its published transforms but for the sizes of the frames."""
    scale = tv.get_model_weights(name).DEFAULT.transforms()
    transforms = VideoClassification(
        crop_size=(side, side), resize_size=(side + 8,), mean=scale.mean, std=scale.std
    )
    with torch.inference_mode():
        return theirs(transforms(torch.from_numpy(pixels).permute(0, 3, 1, 2))[None])[0]


@pytest.mark.parametrize(("name", "count", "side"), FAMILIES)
def test_a_clip_gets_torchvisions_classes_and_confidences(name, count, side):
    theirs = network_of(name)
    ours = VideoNetwork(small(torchvision_record(f"torchvision/{name}"), side), theirs)
    pixels = film(count)
    filled = np.stack(
        [pixels[min(n, count - 1)] for n in range(max(count, CLIP_SIZES[name].least))]
    )
    logits = directly(theirs, name, filled, side)
    assert logits.std() > 1e-3, "all classes are alike"
    (stepped,) = ours.forward([Step(torch.stack([ours.prepare_frame(each) for each in pixels]))])
    assert stepped.state is None
    assert torch.allclose(stepped.logits, logits, atol=1e-3 * float(logits.abs().max()))
    params = check_params("video-classification", {"top_k": 5})
    ((found,),) = ours.postprocess([[Clip(0, 1000, stepped.logits)]], params)
    best = logits.softmax(0).topk(5)
    (clip,) = found["clips"]
    assert [each["class_id"] for each in clip["predictions"]] == best.indices.tolist()
    assert [each["confidence"] for each in clip["predictions"]] == pytest.approx(
        best.values.tolist(), abs=1e-4
    )
    assert found["class"] == tv.video.R3D_18_Weights.DEFAULT.meta["categories"][best.indices[0]]


@pytest.mark.parametrize("name", ["r3d_18", "s3d", "swin3d_t"])
def test_a_frame_is_prepared_as_torchvision_does_bit_for_bit(name):
    record = torchvision_record(f"torchvision/{name}")
    spec = FramePreprocessing.read(record.preprocess)
    network = VideoNetwork(record, nn.Identity())
    (pixels,) = film(1)
    transforms = tv.get_model_weights(name).DEFAULT.transforms()
    theirs = transforms(torch.from_numpy(pixels).permute(2, 0, 1)[None])[:, 0]
    ours = network.prepare_frame(pixels).float() / 255
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in (spec.mean, spec.std))
    assert torch.equal((ours - mean) / std, theirs)


def test_a_network_is_loaded_from_weights_and_its_neighbours_change_no_clip():
    record = small(replace(torchvision_record("torchvision/r3d_18"), labels=("cat", "dog")), 56)
    network = load(record, write(build(record).state_dict()))
    assert isinstance(network, VideoNetwork)
    network.warm_up()
    frames = torch.stack([network.prepare_frame(each) for each in film(4)])
    steps = [Step(frames[:2]), Step(frames[2:]), Step(frames[:3])]
    together = network.forward(steps)
    for step, among in zip(steps, together, strict=True):
        assert torch.allclose(network.forward([step])[0].logits, among.logits, atol=1e-5)


def test_the_written_list_is_that_of_the_installed_torchvision():
    assert list(VIDEO_CLASSIFIERS) == tv.list_models(module=tv.video)
    tasks = {TORCHVISION_TASKS[f"torchvision/{name}"] for name in VIDEO_CLASSIFIERS}
    assert tasks == {"video-classification"}


@pytest.mark.parametrize("name", VIDEO_CLASSIFIERS)
def test_clips_have_the_frames_that_the_weights_were_measured_with(name):
    size = CLIP_SIZES[name]
    for weights in tv.get_model_weights(name):
        words = weights.meta["_docs"]
        assert float(re.search(r"`frame_rate=([\d.]+)`", words)[1]) == size.fps
        assert int(re.search(r"`clip_len=(\d+)`", words)[1]) == size.frames
        assert size.least >= weights.meta.get("min_temporal_size", 1)


def test_every_network_has_a_record_that_survives_json():
    for name in VIDEO_CLASSIFIERS:
        record = torchvision_record(f"torchvision/{name}")
        assert (record.task, record.input_kind) == ("video-classification", "video")
        assert (len(record.labels), record.labels[0]) == (400, "abseiling")
        assert ModelRecord.from_json(record.to_json()) == record
        FramePreprocessing.read(record.preprocess)


def test_every_network_is_built_for_the_records_number_of_labels():
    for name in VIDEO_CLASSIFIERS:
        with torch.device("meta"):
            state = ARCHITECTURES[f"torchvision/{name}"](2).state_dict()
        assert list(state.values())[-1].shape[0] == 2, name
