"""Letterboxes are their exporters' own, to the pixel, and answers come back from them."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.parity import letterboxes
from benchmarks.parity.letterboxes import SIZES, ultralytics, yolox
from models.answers import rle
from models.catalog import ModelRecord, check_params
from models.media.pictures import Picture
from models.preprocessing.letterbox import Placement
from models.preprocessing.preprocess import normalise
from models.preprocessing.whole_pictures import WholePicture, resize_whole
from models.records.errors import ImageTooLarge, RecordError
from models.records.record import Limits
from models.tasks import detection, segmentation
from models.tasks.task import Sample

LIMITS = Limits()
CPU = torch.device("cpu")
SCALE = {"channels": 3, "mean": [0.0] * 3, "std": [1.0] * 3}
YOLO = {**SCALE, "letterbox": [64, 96], "resize_by": "opencv"}


def noise(height, width, channels=3):
    return np.random.default_rng(height * width).integers(
        0, 256, (height, width, channels), dtype=np.uint8
    )


@pytest.mark.parametrize("sample", [(64, 96), (96, 96), (160, 128)])
@pytest.mark.parametrize("size", SIZES)
def test_a_centred_letterbox_is_ultralytics_to_the_pixel(size, sample):
    picture = noise(*size)
    ours = resize_whole(picture, WholePicture(**{**YOLO, "letterbox": [*sample]}), LIMITS)
    assert ours.dtype == torch.uint8
    assert np.array_equal(ours.permute(1, 2, 0).numpy(), ultralytics(picture, *sample))


@pytest.mark.parametrize("size", SIZES)
def test_a_letterbox_at_the_corner_is_yoloxs_to_the_pixel_channels_swapped(size):
    picture = noise(*size)
    spec = WholePicture(**{**YOLO, "std": [1 / 255] * 3}, align="corner", order="bgr")
    ours = resize_whole(picture, spec, LIMITS)
    theirs = yolox(picture, 64, 96)
    assert np.array_equal(ours.permute(1, 2, 0).numpy(), theirs)
    fed = normalise(ours[None], spec)[0].permute(1, 2, 0).numpy()
    assert np.allclose(fed, theirs.astype(np.float32), rtol=1e-6), "values of 0 to 255"


def test_the_rows_of_the_table_hold():
    rows = list(letterboxes.rows())
    assert len(rows) == 2
    assert [row for row in rows if not row.holds] == []


def test_grey_pictures_strips_and_other_fills():
    spec = WholePicture(1, [0.0], [1.0], letterbox=[8, 8], fill=7, resize_by="opencv")
    ours = resize_whole(np.full((4, 16, 1), 200, np.uint8), spec, LIMITS)[0]
    assert ours[3:5].unique().tolist() == [200]
    assert ours[:3].unique().tolist() == ours[5:].unique().tolist() == [7]
    with pytest.raises(ImageTooLarge, match="less elongated"):
        resize_whole(np.zeros((1, 1000, 1), np.uint8), spec, LIMITS)


def test_a_fixed_size_can_be_resized_by_opencv_too():
    picture = noise(37, 91)
    spec = WholePicture(**SCALE, fixed=[24, 40], resize_by="opencv", order="bgr")
    theirs = cv2.resize(picture, (40, 24), interpolation=cv2.INTER_LINEAR)[:, :, ::-1]
    assert np.array_equal(resize_whole(picture, spec, LIMITS).permute(1, 2, 0).numpy(), theirs)


def test_a_sample_in_a_letterbox_keeps_no_pixel_of_the_picture():
    picture = noise(64, 96)
    for change in ({}, {"resize_by": "torchvision"}):
        sample = resize_whole(picture, WholePicture(**{**YOLO, **change}), LIMITS)
        assert not np.may_share_memory(sample.numpy(), picture), "decoders write there again"


@pytest.mark.parametrize("antialias", [True, False])
def test_torchvisions_resizing_goes_into_a_letterbox_as_well(antialias):
    picture = noise(50, 90)
    spec = WholePicture(**SCALE, letterbox=[64, 96], antialias=antialias)
    alone = WholePicture(**SCALE, fixed=[53, 96], antialias=antialias)
    ours, inner = (resize_whole(picture, each, LIMITS) for each in (spec, alone))
    assert torch.equal(ours[:, 5:58], inner)
    grey = torch.tensor(114 if antialias else 114 / 255)
    assert torch.equal(ours[:, :5].unique(), grey[None].to(ours.dtype))


def test_a_picture_scaled_down_by_its_decoder_lands_where_the_full_one_would():
    full = np.repeat(np.repeat(noise(250, 400) // 4, 3, 0), 3, 1)[:749, :1199]
    small = cv2.resize(full, (400, 250), interpolation=cv2.INTER_AREA)
    spec = WholePicture(**SCALE, letterbox=[64, 96])
    ours, place = resize_whole(small, spec, LIMITS, full.shape[:2]), spec.place(749, 1199)
    theirs = resize_whole(full, spec, LIMITS)
    assert place == Placement(2, 0, 60, 96)
    assert torch.equal(ours == 114, theirs == 114)
    assert (ours.float() - theirs.float()).abs().mean() < 1


def test_how_far_a_decoder_may_go():
    assert WholePicture(**SCALE, letterbox=[64, 96]).least == 128
    assert WholePicture(**YOLO).least is None, "OpenCV looks at single pixels"
    assert WholePicture(**SCALE, fixed=[64, 96], resize_by="opencv").least is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"fixed": [64, 96]}, "one of `fixed`, `shorter` and `letterbox`"),
        ({"letterbox": None}, "one of `fixed`, `shorter` and `letterbox`"),
        ({"letterbox": [64]}, "sides"),
        ({"letterbox": [0, 64]}, "sides"),
        ({"fill": 256}, "fill"),
        ({"fill": 1.5}, "fill"),
        ({"align": "left"}, "'center', 'corner'"),
        ({"resize_by": "gimp"}, "'torchvision', 'pillow', 'opencv'"),
        ({"order": "grb"}, "'rgb', 'bgr'"),
        ({"letterbox": None, "shorter": 64}, "resize_by"),
        ({"channels": 1, "mean": [0.0], "std": [1.0], "order": "bgr"}, "three channels"),
    ],
)
def test_letterboxes_that_contradict_themselves_are_refused(change, says):
    with pytest.raises(RecordError, match=says):
        WholePicture.read({**YOLO, **change})


def record(task="detection", **preprocess):
    return ModelRecord("m", task, "none", ("a", "b"), {**YOLO, **preprocess})


def sample_of(height, width, **preprocess):
    picture = Picture(noise(height, width), width, height)
    return detection.prepare(record(**preprocess), picture)


def output(*boxes):
    rows = len(boxes)
    return {
        "boxes": torch.tensor(boxes, dtype=torch.float32),
        "scores": torch.ones(rows),
        "labels": torch.zeros(rows, dtype=torch.int64),
    }


@pytest.mark.parametrize("align", ["center", "corner"])
@pytest.mark.parametrize("size", SIZES[9:])
def test_boxes_come_back_to_the_original_and_are_clipped_to_it(size, align):
    height, width = size
    sample = sample_of(height, width, align=align)
    place = sample.inside
    inner = [0.25, 0.5, 0.75, 1.0]  # shares of the picture, as x1 y1 x2 y2
    across, down = (torch.tensor(inner[i::2]) for i in (0, 1))
    box = torch.stack([place.left + across * place.width, place.top + down * place.height], 1)
    found = detection.read_output(output(box.flatten().tolist(), [-9, -9, 999, 999]), sample)
    expected = [0.25 * width, 0.5 * height, 0.75 * width, height]
    assert found.boxes[0].tolist() == pytest.approx(expected, rel=1e-5, abs=1e-3)
    assert found.boxes[1].tolist() == [0, 0, width, height]


def test_boxes_agree_with_ultralytics_within_half_a_pixel_of_the_sample():
    for height, width in SIZES[9:]:
        sample = sample_of(height, width)
        gain = min(64 / height, 96 / width)
        left, top = (round((s - w * gain) / 2 - 0.1) for s, w in ((96, width), (64, height)))
        box = torch.tensor([10.0, 12.0, 80.0, 50.0])
        theirs = ((box - torch.tensor([left, top] * 2)) / gain).clamp(min=0)
        theirs = theirs.minimum(torch.tensor([width, height] * 2, dtype=torch.float32))
        ours = detection.read_output(output(box.tolist()), sample).boxes[0]
        assert (ours - theirs).abs().max() <= 0.51 / gain


class Layered(nn.Module):
    """Class 1 on the right half of the picture in the letterbox, at a quarter of its resolution."""

    def forward(self, batch):
        scores = torch.zeros(len(batch), 2, *(side // 4 for side in batch.shape[-2:]))
        scores[:, 0], scores[:, 1, :, 12:] = 5, 10
        scores[:, :, :4] = scores[:, :, -4:] = torch.tensor([99.0, 0])[:, None, None]
        return scores


def test_layers_of_a_letterbox_are_those_of_the_picture():
    made = record("segmentation")
    sample = sample_of(80, 240)  # 32 x 96 of 64 x 96
    assert sample.inside == Placement(16, 0, 32, 96)
    params = check_params("segmentation", {}, made.labels)
    outputs = segmentation.infer(made, Layered(), [sample], CPU)
    (predictions,) = segmentation.postprocess(made, outputs, params)
    masks = {each["class"]: rle.decode(each["mask"]) for each in predictions}
    assert masks["a"].shape == (80, 240)
    assert masks["b"][:, 125:].mean() > 0.95
    assert masks["a"][:, :115].all()
    assert (masks["a"] ^ masks["b"]).all()


def test_a_blank_sample_is_a_letterbox():
    blank = detection.blank(record())
    assert blank.pixels.shape == (3, 64, 96)
    assert blank.pixels.dtype == torch.uint8
    with_filter = detection.blank(record(resize_by="torchvision", antialias=False))
    assert with_filter.pixels.dtype == torch.float32


def test_samples_without_a_letterbox_are_not_clipped():
    plain = Sample(torch.zeros(3, 10, 10), 20, 40)
    found = detection.read_output(output([-1, -1, 11, 11]), plain)
    assert found.boxes.tolist() == [[-4, -2, 44, 22]]
    assert replace(found).inside is None
