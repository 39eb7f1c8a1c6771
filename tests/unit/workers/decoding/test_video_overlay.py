"""A video's overlay on its way: whatever goes wrong with it goes no further."""

import numpy as np
import pytest

from models.media.films import Frame, Position
from workers.engine.overlays import VideoOverlay

PREDICTION = {"class": "a", "class_id": 0, "confidence": 0.9, "segments": [], "clips": []}


def frame(pixels):
    return Frame(Position(0, 0.0), 40.0, pixels)


SOUND = frame(np.zeros((48, 64, 3), np.uint8))
EMPTY = frame(np.zeros((0, 0, 3), np.uint8))


def test_what_was_seen_is_drawn():
    overlay = VideoOverlay(1, 0)
    overlay.see(SOUND)
    assert overlay.draw([PREDICTION])[:2] == b"\xff\xd8"


@pytest.mark.parametrize(
    ("frames", "predictions"),
    [
        ([], [PREDICTION]),
        ([EMPTY, SOUND], [PREDICTION]),
        ([SOUND, EMPTY, SOUND], [PREDICTION]),
        ([SOUND], []),
        ([SOUND], [{"class": "a"}]),
    ],
)
def test_what_cannot_be_kept_or_drawn_leaves_no_picture(frames, predictions):
    overlay = VideoOverlay(1, 0)
    for each in frames:
        overlay.see(each)
    assert overlay.draw(predictions) is None
