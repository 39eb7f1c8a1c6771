"""What the gallery draws: masks looked at on a grid, lanes of films, addresses of a choice."""

import re

import numpy as np
import pytest

from api.page.drawing import shown
from api.page.gallery.bars import distribution_of, stages_of
from api.page.gallery.lanes import lanes_of
from api.page.gallery.masks import mask_shape
from api.page.gallery.wanted import read_wanted, words_of
from jobs.base.errors import InvalidRequest
from jobs.base.states import ItemStatus
from jobs.results.search import Wanted
from jobs.results.segments import Row, to_json
from jobs.results.summaries import Summary
from models.answers import rle

_RUN = re.compile(r"M(\d+) (\d+)h(\d+)v1H(\d+)z")


def painted(path: str, rows: int, columns: int) -> np.ndarray:
    bits = np.zeros((rows, columns), bool)
    for left, top, length, back in ((int(n) for n in run) for run in _RUN.findall(path)):
        assert back == left
        bits[top, left : left + length] = True
    return bits


@pytest.mark.parametrize("size", [(7, 5), (48, 48), (333, 90), (1, 400)])
def test_a_mask_on_a_grid_is_the_mask_at_the_middle_of_each_step(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(sum(size))
    mask = rng.random(size) < 0.5
    shape = mask_shape(rle.encode(mask), 3, 48)
    assert shape is not None
    rows, columns = min(48, size[0]), min(48, size[1])
    down = ((np.arange(rows) + 0.5) * size[0] / rows).astype(int)
    across = ((np.arange(columns) + 0.5) * size[1] / columns).astype(int)
    assert (painted(shape.path, rows, columns) == mask[np.ix_(down, across)]).all()
    assert (shape.across * columns, shape.down * rows) == pytest.approx((size[1], size[0]))


def test_an_empty_mask_and_one_that_is_all_edge_are_not_drawn() -> None:
    assert mask_shape(rle.encode(np.zeros((9, 9), bool)), 0, 48) is None
    assert mask_shape({"size": [9, 9], "counts": "0" * 200_000}, 0, 48) is None
    assert mask_shape({"size": [0, 9], "counts": ""}, 0, 48) is None


def test_lanes_of_a_film_stand_in_the_order_in_which_they_begin() -> None:
    spans = [("b", 0, 40), ("a", 40, 100), ("b", 100, 130)]
    segments = [
        {"class": name, "class_id": 9, "start_ms": start, "end_ms": end, "confidence": 0.5}
        for name, start, end in spans
    ]
    lanes = lanes_of({"segments": segments}, 120, 8)
    assert lanes is not None
    assert [(lane.label, [s[:2] for s in lane.stretches]) for lane in lanes.lanes] == [
        ("b", [(0, 40), (100, 30)]),
        ("a", [(40, 60)]),
    ]
    assert (lanes.length_ms, lanes.ticks_ms[-1], lanes.lanes[0].colour) == (130, 130, 1)
    assert lanes_of({"class": "a"}, 120, 8) is None


@pytest.mark.parametrize(
    "wanted",
    [Wanted(), Wanted(ItemStatus.ERRORED), Wanted(None, "a&b", 0.25, 0.5), Wanted(label="cat")],
)
def test_an_address_says_what_is_wanted(wanted: Wanted) -> None:
    assert read_wanted(words_of(wanted)) == wanted


@pytest.mark.parametrize("asked", [{"least": "2"}, {"below": "nan"}, {"least": "x"}, {"of": "x"}])
def test_what_cannot_be_wanted_is_refused(asked: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest):
        read_wanted(asked)


def test_bars_are_parts_of_the_highest_and_the_rest_is_counted() -> None:
    summary = Summary()
    for number in range(150):
        summary.classes[f"class {number}"] = 300 - number
    summary.confidences[19] = 8
    shown = distribution_of(summary, True)
    assert (len(shown.first), len(shown.rest), shown.other_classes) == (10, 90, 50)
    assert shown.first[0].percent == 100
    assert shown.others == sum(300 - number for number in range(100, 150))
    assert (shown.confidences[19].percent, shown.confidences[0].percent) == (100, 0)


def test_stages_stand_in_their_order_as_parts_of_the_longest() -> None:
    summary = Summary()
    assert stages_of(summary) == []
    summary.seconds.update({"infer": 4.0, "decode": 1.0, "commit": 9.0})
    assert [each[1:] for each in stages_of(summary)] == [(1.0, 25.0), (4.0, 100.0)]


def test_a_line_says_of_a_film_what_it_shows_and_how_many_stretches_it_has() -> None:
    segments = [
        {"class": "a", "start_ms": 0, "end_ms": 9},
        {"class": "b", "start_ms": 9, "end_ms": 12},
    ]
    row = Row(
        0,
        "f",
        ItemStatus.SUCCEEDED,
        predictions_json=to_json([{"class": "a", "segments": segments}]),
    )
    film = shown(row)
    assert ([each.label for each in film.first], film.more, film.stretches) == (["a"], 0, 2)
    picture = Row(0, "p", ItemStatus.SUCCEEDED, predictions_json=to_json([{"class": "a"}] * 5))
    assert (len(shown(picture).first), shown(picture).more, shown(picture).stretches) == (
        3,
        2,
        None,
    )
