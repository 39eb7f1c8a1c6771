"""The package holds to what Pixelmill's workers expect, and finds lamps where they are."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from own_model.make_weights import write

from pixelmill.testing import Check, check_package, checks_of, predict


@pytest.mark.parametrize("check", checks_of("own_model"), ids=str)
def test_any_weights(check: Check) -> None:
    check()


def test_our_weights(tmp_path: Path) -> None:
    check_package("own_model", weights=write(tmp_path / "lamps.safetensors"))


def test_a_lamp_is_found_where_it_is(tmp_path: Path) -> None:
    pixels = np.full((200, 300, 3), 40, np.uint8)
    pixels[50:90, 100:160] = (20, 30, 230)  # blue, green, red: OpenCV's order
    weights = write(tmp_path / "lamps.safetensors")
    (lamp,) = predict("own_model", cv2.imencode(".png", pixels)[1].tobytes(), weights=weights)
    assert (lamp["class"], lamp["confidence"] > 0.9) == ("red", True)
    box = lamp["box"]
    assert box["x"] == pytest.approx(100, abs=5)
    assert box["y"] == pytest.approx(50, abs=5)
    assert box["width"] == pytest.approx(60, abs=10)
    assert box["height"] == pytest.approx(40, abs=10)
