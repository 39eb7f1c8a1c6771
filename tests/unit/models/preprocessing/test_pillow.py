"""Pictures resized by Pillow are those of torchvision's transforms on its images, to the bit."""

import numpy as np
import pytest
from PIL import Image
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from models.preprocessing.preprocess import Preprocessing, to_sample
from models.records.errors import RecordError
from models.records.record import Limits

SCALE = {"mean": [0.5], "std": [0.5]}
SIZES = [(375, 500), (500, 333), (224, 224), (60, 999), (1200, 900)]


@pytest.mark.parametrize("mode", ["bicubic", "bilinear", "lanczos", "nearest"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("resize", [256, [240, 300]])
def test_it_is_theirs(mode: str, size: tuple[int, int], resize: int | list[int]) -> None:
    pixels = np.random.default_rng(size[0]).integers(0, 256, (*size, 3), dtype=np.uint8)
    theirs = transforms.Compose(
        [transforms.Resize(resize, InterpolationMode(mode)), transforms.CenterCrop(224)]
    )
    spec = Preprocessing.read(
        {
            "resize": resize,
            "crop": 224,
            "interpolation": mode,
            "resize_by": "pillow",
            "channels": 3,
            "mean": [0.5] * 3,
            "std": [0.5] * 3,
        }
    )
    found = to_sample(pixels, spec, Limits())
    assert np.array_equal(found.permute(1, 2, 0), np.asarray(theirs(Image.fromarray(pixels))))


def test_grey_pictures_stay_grey() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (40, 50, 1), dtype=np.uint8)
    spec = Preprocessing.read(
        {"resize": 28, "crop": 28, "resize_by": "pillow", "channels": 1, **SCALE}
    )
    expected = Image.fromarray(pixels[:, :, 0]).resize((35, 28), Image.Resampling.BILINEAR)
    assert np.array_equal(to_sample(pixels, spec, Limits())[0], np.asarray(expected)[:, 4:32])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"interpolation": "lanczos"}, "Pillow's alone"),
        ({"resize_by": "gimp"}, "'torchvision' or 'pillow'"),
        ({"crop": [28, 30]}, "crop <= resize"),
        ({"resize": [28, 28, 28]}, "cannot be used"),
    ],
)
def test_what_cannot_be_done_is_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(RecordError, match=says):
        Preprocessing.read({"resize": 28, "crop": 28, "channels": 1, **SCALE, **change})


def test_a_decoder_may_scale_down_to_twice_the_larger_side() -> None:
    spec = {"resize": [100, 300], "crop": 100, "channels": 1, "resize_by": "pillow", **SCALE}
    assert Preprocessing.read(spec).least == 600
    assert Preprocessing.read({**spec, "interpolation": "nearest"}).least is None
