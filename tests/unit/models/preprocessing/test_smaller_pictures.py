"""Pictures that their decoder scales down become the samples that they would become in full."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode

from models.answers import rle
from models.catalog import SHIPPED, check_params, shipped_weights
from models.contracts import inherited_params
from models.media.pictures import Picture, decode
from models.networks.torchvision import torchvision_record
from models.pictures.data import encode, sample_photos
from models.pictures.scenes import heldout_scenes
from models.preprocessing.preprocess import Preprocessing
from models.preprocessing.whole_pictures import WholePicture, resize_whole
from models.records.decoding import EXACT, FAST
from models.records.record import Limits, ModelRecord
from models.runtime.registry import load
from models.runtime.task_tables import TASKS

LIMITS = Limits()
SCALE = {"channels": 3, "mean": [0.5] * 3, "std": [0.5] * 3}
TASK_PREPROCESS = [
    ("classification", {"resize": 64, "crop": 56}),
    ("classification", {"resize": 64, "crop": 56, "interpolation": "bicubic"}),
    ("embedding", {"resize": 64, "crop": 64}),
    ("detection", {"shorter": 64}),
    ("detection", {"shorter": 90, "longer": 100}),
    ("segmentation", {"fixed": [64, 64]}),
    ("segmentation", {"fixed": [40, 72]}),
]


def record(task: str, **preprocess) -> ModelRecord:
    return ModelRecord("m", task, "digits", labels=("a", "b"), preprocess={**SCALE, **preprocess})


def photo(height: int, width: int, orientation: int = 1) -> bytes:
    """A real photo enlarged to this size as it is stored: JPEG by Pillow."""
    image = Image.fromarray(sample_photos()["flower"]).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=92, exif=exif)
    return buffer.getvalue()


def both(
    task: str, preprocess: dict, data: bytes
) -> tuple[Picture, Picture, torch.Tensor, torch.Tensor]:
    """Decode with and without the way down; gives both pictures and both samples."""
    made, what = record(task, **preprocess), TASKS[task]
    small, full = (decode(data, 3, LIMITS, least) for least in (what.least(made), None))
    return small, full, what.prepare(made, small).pixels, what.prepare(made, full).pixels


@pytest.mark.parametrize(("task", "preprocess"), TASK_PREPROCESS)
@pytest.mark.parametrize("size", [(640, 960), (960, 640), (648, 1400), (512, 512)])
def test_a_smaller_picture_becomes_nearly_the_same_sample(task, preprocess, size):
    small, full, fast, exact = both(task, preprocess, photo(*size))
    assert small.pixels.size < full.pixels.size
    assert (small.width, small.height) == (full.width, full.height) == size[::-1]
    assert fast.shape == exact.shape
    apart = (fast.float() - exact.float()).abs()
    assert apart.mean() < 1.0
    assert apart.max() < 24


@pytest.mark.parametrize("orientation", [3, 5, 6, 8])
def test_a_turned_picture_is_scaled_down_and_turned(orientation):
    small, full, fast, exact = both(
        "classification", {"resize": 64, "crop": 56}, photo(640, 960, orientation)
    )
    assert small.pixels.size < full.pixels.size
    assert (small.width, small.height) == (full.width, full.height)
    assert (small.width < small.height) == (orientation >= 5)
    assert (fast.float() - exact.float()).abs().mean() < 1.0


def test_a_sample_has_the_size_that_the_original_would_become():
    # 64 x 121.9 pixels, where the smaller picture alone would become 64 x 122.1.
    small = np.zeros((250, 477, 3), np.uint8)
    spec, original = WholePicture(**SCALE, shorter=64), (1000, 1905)
    assert resize_whole(small, spec, LIMITS).shape == (3, 64, 122)
    assert resize_whole(small, spec, LIMITS, original).shape == (3, 64, 121)


@pytest.mark.parametrize("size", [(127, 400), (128, 4000), (255, 255), (641, 963), (2, 2000)])
def test_small_pictures_strips_and_odd_sizes_keep_all_pixels(size):
    data = photo(*size)
    least = TASKS["classification"].least(record("classification", resize=64, crop=64))
    small, full = decode(data, 3, LIMITS, least), decode(data, 3, LIMITS)
    assert np.array_equal(small.pixels, full.pixels)


@pytest.mark.parametrize(
    ("task", "preprocess"),
    [
        ("classification", {"resize": 64, "crop": 64, "antialias": False}),
        ("classification", {"resize": 64, "crop": 64, "interpolation": "nearest"}),
        ("detection", {"shorter": 64, "antialias": False}),
        ("segmentation", {"fixed": [64, 64], "antialias": False}),
    ],
)
def test_without_a_filter_every_pixel_is_wanted(task, preprocess):
    assert TASKS[task].least(record(task, **preprocess)) is None


def test_both_sides_keep_twice_what_is_taken_of_them():
    assert Preprocessing(64, 56, **SCALE).least == 128
    assert Preprocessing(64, 56, **SCALE, interpolation=InterpolationMode.BICUBIC).least == 128
    assert WholePicture(**SCALE, shorter=64, longer=80).least == 128
    for fixed in ([40, 72], [72, 40]):
        assert WholePicture(**SCALE, fixed=fixed).least == 144


def test_jobs_choose_and_those_from_before_there_was_a_choice_get_all_pixels(digits):
    assert digits.least(check_params("classification", {"decode": "fast"})) == 56
    assert digits.least(check_params("classification", {"decode": "exact"})) is None
    assert digits.least({"top_k": 1, "min_confidence": 0.0}) is None


def test_torchvisions_detectors_look_at_single_pixels_of_the_original():
    made = torchvision_record("torchvision/fasterrcnn_resnet50_fpn")
    assert TASKS[made.task].least(made) is None
    classifier = torchvision_record("torchvision/mobilenet_v3_small")
    assert TASKS[classifier.task].least(classifier) == 512


@pytest.mark.parametrize("task", TASKS)
def test_every_task_on_pictures_has_the_choice(task):
    needed = {"labels": ["a cat"]} if task == "zero-shot-classification" else {}
    for mode in (FAST, EXACT):
        assert check_params(task, {**needed, "decode": mode})["decode"] == mode
    fast = check_params(task, {**needed, "decode": "fast"})
    assert inherited_params(task, fast) == {"decode": "fast"}
    assert inherited_params(task, {}) == {"decode": "exact"}
    assert inherited_params("video-classification", {}) == {}


@pytest.mark.parametrize("name", ["scenes-detector", "scenes-segmenter"])
def test_boxes_and_masks_are_in_pixels_of_the_original(name):
    network = load(SHIPPED[name], shipped_weights(name).read_bytes())
    scene = heldout_scenes(3)[2].image
    large = np.asarray(Image.fromarray(scene).resize((960, 960), Image.Resampling.BICUBIC))
    data = encode(np.repeat(large[:, :, None], 3, 2), ".jpg", 92)
    answers = []
    for mode in (FAST, EXACT):
        params = check_params(network.record.task, {"decode": mode})
        picture = decode(data, network.channels, LIMITS, network.least(params))
        assert (picture.pixels.shape[0] < 960) == (mode == FAST)
        outputs = network.forward([network.sample(picture)])
        answers.append(network.postprocess(outputs, params)[0])
    fast, exact = answers
    assert [each["class"] for each in fast] == [each["class"] for each in exact]
    assert len(exact) > 1
    for one, other in zip(fast, exact, strict=True):
        assert one["confidence"] == pytest.approx(other["confidence"], abs=0.02)
        if "box" in one:
            assert one["box"] == pytest.approx(other["box"], abs=5)
            assert other["box"]["width"] > 96
        if "mask" in one:
            first, second = rle.decode(one["mask"]), rle.decode(other["mask"])
            assert first.shape == second.shape == (960, 960)
            assert (first & second).sum() / (first | second).sum() > 0.95
