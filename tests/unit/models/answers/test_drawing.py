"""Results drawn over their images."""

import subprocess
import sys

import numpy as np
import pytest

from models.answers import rle
from models.answers.drawing import colour_of, draw, draw_frame, label_of, time_of
from models.media.pictures import decode
from models.pictures.data import encode
from models.records.errors import UnsupportedMedia
from models.records.record import Limits

GREY = np.full((500, 600, 3), 100, np.uint8)


def drawn(predictions, pixels=GREY):
    return decode(draw(encode(pixels, ".png"), predictions), 3, Limits()).pixels


def box(class_id, x, y, width, height, **more):
    sides = {"x": x, "y": y, "width": width, "height": height}
    return {"class": "thing", "class_id": class_id, "confidence": 0.5, "box": sides, **more}


def test_without_predictions_the_picture_is_the_original():
    assert (drawn([]) == GREY).all()
    assert (drawn([{"embedding": [0.1, 0.2]}]) == GREY).all()


def test_a_box_is_drawn_in_its_classs_colour_and_empty_inside():
    picture = drawn([box(3, 100.2, 200.0, 150.0, 99.8)])
    for place in ((200, 175), (300, 175), (250, 100), (250, 250)):
        assert tuple(picture[place]) == colour_of(3)
    assert (picture[210:290, 110:240] == GREY[0, 0]).all()
    assert (picture[310:] == GREY[0, 0]).all()
    assert (picture[185:199, 100:140] != GREY[0, 0]).any(), "the label stands above the box"


def test_a_label_at_the_upper_border_stands_inside_the_picture():
    picture = drawn([box(0, 100, 0, 200, 100)])
    assert (picture[3:15, 105:150] != GREY[0, 0]).any()


def test_a_mask_is_tinted_and_what_lies_around_it_is_not():
    mask = np.zeros((500, 600), bool)
    mask[300:350, 300:400] = True
    picture = drawn(
        [{"class": "a", "class_id": 1, "confidence": 0.9, "area": 5000, "mask": rle.encode(mask)}]
    )
    expected = (np.array(colour_of(1)) + 100) / 2
    assert np.abs(picture[310, 310].astype(float) - expected).max() <= 1
    assert (picture[mask] == picture[310, 310]).all()
    assert (picture[200:][~mask[200:]] == GREY[0, 0]).all()


def test_classes_are_listed_in_the_corner():
    picture = drawn([{"class": "cat", "class_id": 2, "confidence": 0.9}])
    assert tuple(picture[1, 1]) == colour_of(2)
    assert (picture[50:] == GREY[0, 0]).all()


def test_a_small_picture_is_enlarged_with_all_that_is_drawn_on_it():
    picture = drawn([box(3, 10, 40, 30, 20)], np.full((96, 120), 100, np.uint8))
    assert picture.shape == (480, 600, 3)
    assert tuple(picture[250, 50]) == colour_of(3)


def test_boxes_that_leave_the_picture_are_cut_off():
    assert drawn([box(3, -50, -50, 2000, 2000)]).shape == GREY.shape


def test_colours_of_neighbouring_classes_differ():
    colours = np.array([colour_of(number) for number in range(12)], float)
    distances = np.linalg.norm(colours[:, None] - colours, axis=2)
    assert distances[np.triu_indices(12, 1)].min() > 30


def test_a_label_tells_class_and_confidence():
    assert label_of({"class": "fire hydrant", "class_id": 1, "confidence": 0.934}) == (
        "fire hydrant 93 %"
    )


def test_a_frame_of_a_video_bears_the_class_of_its_segment_and_its_time():
    spans = [(0, 2000, 1), (2000, 3000, 5)]
    segments = [
        {"start_ms": start, "end_ms": end, "class": "a", "class_id": number, "confidence": 0.9}
        for start, end, number in spans
    ]
    prediction = {"class": "a", "class_id": 1, "confidence": 0.9, "segments": segments, "clips": []}
    for at_ms, class_id in ((0, 1), (1999, 1), (2000, 5)):
        frame = draw_frame(GREY, prediction, at_ms)
        assert tuple(frame[1, 1]) == colour_of(class_id)
        assert tuple(frame[-1, 0]) == (0, 0, 0)
        assert (frame[50:-50] == GREY[0, 0]).all()
    assert (draw_frame(GREY, prediction, 3000)[:-50] == GREY[0, 0]).all()
    assert (GREY == 100).all(), "the frame itself stays as it was"
    assert draw_frame(np.zeros((64, 64, 3), np.uint8), prediction, 0).shape == (320, 320, 3)


@pytest.mark.parametrize(
    ("at_ms", "told"),
    [
        (0, "0:00.000"),
        (2040, "0:02.040"),
        (59_999, "0:59.999"),
        (725_500, "12:05.500"),
        (3_600_000, "1:00:00.000"),
        (90_061_001, "25:01:01.001"),
    ],
)
def test_a_time_is_told_to_the_millisecond(at_ms, told):
    assert time_of(at_ms) == told


def test_what_is_no_image_is_refused():
    with pytest.raises(UnsupportedMedia):
        draw(b"%PDF-1.7", [])


def test_drawing_needs_no_training_data():
    # scikit-learn comes with the training extra, which workers go without.
    rooms = "models.answers.drawing, models.runtime.registry"
    code = f"import sys, {rooms}; print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
