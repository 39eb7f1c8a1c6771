"""A video's result drawn on some of its frames: which are chosen, and where they stand."""

import numpy as np
import pytest

from models.answers.contact_sheet import MOST_FRAMES, ContactSheet
from models.answers.drawing import FRAME_SIDE, colour_of
from models.media.films import Frame, Position
from models.media.pictures import decode
from models.records.record import Limits

NOTHING = {"segments": []}


def frame(number, pixels=None, every_ms=40.0):
    if pixels is None:
        pixels = np.full((48, 64, 3), number % 256, np.uint8)
    return Frame(Position(number, number * every_ms), (number + 1) * every_ms, pixels)


def sheet_of(count, **more):
    sheet = ContactSheet()
    for number in range(count):
        sheet.add(frame(number, **more))
    return sheet


def drawn(sheet, prediction=NOTHING):
    return decode(sheet.draw_jpeg(prediction), 3, Limits()).pixels


@pytest.mark.parametrize(
    ("count", "chosen"),
    [
        (0, []),
        (1, [0]),
        (15, list(range(15))),
        (16, list(range(16))),
        (17, list(range(0, 17, 2))),
        (32, list(range(0, 32, 2))),
        (33, list(range(0, 33, 4))),
        (1000, list(range(0, 1000, 64))),
    ],
)
def test_frames_are_chosen_evenly_over_a_video_of_any_length(count, chosen):
    assert sheet_of(count, every_ms=40.0).times == [40 * number for number in chosen]


def test_a_full_sheet_is_never_thinned_to_less_than_half():
    sheet = sheet_of(MOST_FRAMES)
    for number in range(MOST_FRAMES, 5000):
        sheet.add(frame(number))
        assert MOST_FRAMES // 2 < len(sheet.times) <= MOST_FRAMES


def test_times_are_whole_milliseconds():
    assert sheet_of(3, every_ms=1000 / 30).times == [0, 33, 67]


@pytest.mark.parametrize(
    ("count", "columns", "rows"),
    [(1, 1, 1), (2, 2, 1), (3, 2, 2), (5, 3, 2), (9, 3, 3), (16, 4, 4)],
)
def test_frames_stand_row_by_row_in_their_order(count, columns, rows):
    sheet = ContactSheet()
    for number in range(count):
        sheet.add(frame(number, np.full((240, 320, 3), 40 + 10 * number, np.uint8)))
    picture = drawn(sheet)
    assert picture.shape == (4 + rows * 244, 4 + columns * 324, 3)
    for number in range(columns * rows):
        row, column = divmod(number, columns)
        middle = picture[4 + row * 244 + 120, 4 + column * 324 + 160]
        expected = 40 + 10 * number if number < count else 24
        assert np.abs(middle.astype(int) - expected).max() <= 3


def test_each_frame_bears_the_class_of_its_own_segment():
    spans = [(0, 80, 1), (80, 120, 5)]
    segments = [
        {"start_ms": start, "end_ms": end, "class": "a", "class_id": number, "confidence": 0.9}
        for start, end, number in spans
    ]
    sheet = ContactSheet()
    for number in range(4):
        sheet.add(frame(number, np.full((240, 320, 3), 100, np.uint8)))
    picture = drawn(sheet, {"segments": segments}).astype(int)
    for place, expected in zip(
        [(6, 6), (6, 330), (250, 6), (250, 330)],
        [colour_of(1), colour_of(1), colour_of(5), (100, 100, 100)],
        strict=True,
    ):
        assert np.abs(picture[place] - expected).max() < 40


def test_large_frames_are_kept_small_and_apart_from_the_originals():
    pixels = np.full((1080, 1920, 3), 100, np.uint8)
    sheet = ContactSheet()
    sheet.add(frame(0, pixels))
    pixels[:] = 0
    picture = drawn(sheet)
    assert picture.shape == (4 + 184, 4 + 324, 3)
    assert abs(int(picture[90, 160, 0]) - 100) <= 3


@pytest.mark.parametrize("shape", [(1, 5000, 3), (5000, 1, 3), (1, 1, 3)])
def test_frames_of_any_shape_are_drawn(shape):
    sheet = sheet_of(3, pixels=np.zeros(shape, np.uint8))
    assert max(drawn(sheet).shape) <= 2 * (FRAME_SIDE + 4) + 4


def test_frames_that_change_their_size_are_drawn_all_the_same():
    sheet = ContactSheet()
    sheet.add(frame(0, np.full((160, 320, 3), 100, np.uint8)))
    sheet.add(frame(1, np.full((320, 160, 3), 200, np.uint8)))
    assert drawn(sheet).shape == (328, 652, 3)


def test_a_sheet_without_a_frame_is_none():
    with pytest.raises(ValueError, match="empty"):
        ContactSheet().draw_jpeg(NOTHING)
