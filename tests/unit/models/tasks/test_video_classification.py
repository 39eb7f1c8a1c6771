"""Videos: frames into windows, steps into answers, answers into segments."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from models.catalog import ModelRecord, check_params, params_schema, result_schema
from models.media.sampling import Sampling
from models.preprocessing.frames import FramePreprocessing, to_frame
from models.records.errors import ImageTooLarge, ParamsError, RecordError
from models.records.record import Limits
from models.tasks.task import Clip, Step, Windows
from models.tasks.video_classification import TASK, pad

PREPROCESS = {
    "resize": [8],
    "crop": [8, 8],
    "channels": 1,
    "mean": [0.0],
    "std": [1.0],
    "fps": 8.0,
    "window": 16,
    "windows": [4, 64],
    "carries": False,
}
LABELS = ("a", "b", "c")
CPU = torch.device("cpu")


def record_of(labels=LABELS, **changes):
    fields = {**PREPROCESS, **changes}
    return ModelRecord("films", TASK.name, "films", labels, fields, input_kind="video")


def params_of(**given):
    return check_params(TASK.name, given)


def clip(start, end, *shares):
    """A clip whose classes have these shares, by their order."""
    return Clip(start, end, torch.tensor(shares).log())


def answer(*clips, **params):
    ((found,),) = TASK.postprocess(record_of(), [clips], params_of(**params))
    return found


def spans(found):
    return [(each["start_ms"], each["end_ms"], each["class"]) for each in found["segments"]]


class Counting(nn.Module):
    """Answers with the sum, the number and the first of the brightnesses that it was given."""

    def forward(self, clips):
        means = clips.mean((1, 3, 4))  # (B, T)
        count = torch.full((len(means),), float(means.shape[1]))
        return torch.stack([means.sum(1), count, means[:, 0]], 1)


class Adding(nn.Module):
    """Remembers the sum of the brightnesses so far, and their number."""

    def forward(self, frames, state=None):
        means = frames.mean((2, 3, 4))
        total, count = state or (torch.zeros(len(means), 1), torch.zeros(len(means), 1))
        total, count = total + means.sum(1, keepdim=True), count + means.shape[1]
        return torch.cat([total, count, means[:, -1:]], 1), (total, count)


def frames(*brightnesses):
    return torch.tensor(brightnesses, dtype=torch.uint8).reshape(-1, 1, 1, 1).expand(-1, 1, 8, 8)


def infer(module, *steps, carries=False):
    return TASK.infer(record_of(carries=carries), module, steps, CPU)


def logits(stepped):
    return [[round(value * 255) for value in each.logits.tolist()] for each in stepped]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, Windows(16, 16, False)),
        ({"overlap": 4}, Windows(16, 12, False)),
        ({"window": 10, "overlap": 9}, Windows(10, 1, False)),
    ],
)
def test_windows_are_those_of_the_record_unless_the_caller_chooses(given, expected):
    assert TASK.windows(record_of(), params_of(**given)) == expected


def test_a_network_that_carries_a_state_says_so():
    assert TASK.windows(record_of(carries=True), params_of()).carries


@pytest.mark.parametrize(
    ("given", "param"),
    [({"window": 3}, "window"), ({"window": 65}, "window"), ({"overlap": 16}, "overlap")],
)
def test_a_window_that_the_network_does_not_take_is_refused(given, param):
    for refuse in (
        lambda: TASK.windows(record_of(), params_of(**given)),
        lambda: check_params(TASK.name, given, LABELS, PREPROCESS),
    ):
        with pytest.raises(ParamsError, match=f"'{param}' is {given[param]}") as caught:
            refuse()
        assert caught.value.param == param


def test_a_window_of_one_length_alone_is_named():
    with pytest.raises(ParamsError, match="takes windows of 16 frames"):
        TASK.windows(record_of(windows=[16, 16]), params_of(window=8))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, Sampling(fps=8.0)),
        ({"fps": 2}, Sampling(fps=2.0)),
        ({"every_nth": 3}, Sampling(every_nth=3)),
    ],
)
def test_frames_are_sampled_at_the_records_rate_unless_the_caller_chooses(given, expected):
    assert TASK.sampling(record_of(), params_of(**given)) == expected


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"fps": 0}, "fps"),
        ({"fps": "8"}, "fps"),
        ({"fps": float("inf")}, "fps"),
        ({"every_nth": 0}, "every_nth"),
        ({"every_nth": 2.0}, "every_nth"),
        ({"fps": 8, "every_nth": 2}, "every_nth"),
        ({"window": 0}, "window"),
        ({"window": 513}, "window"),
        ({"overlap": -1}, "overlap"),
        ({"window": 8, "overlap": 8}, "overlap"),
        ({"top_k": 0}, "top_k"),
        ({"min_confidence": 1.5}, "min_confidence"),
        ({"stride": 4}, "stride"),
    ],
)
def test_a_bad_parameter_is_named(given, param):
    with pytest.raises(ParamsError, match=f"'{param}'") as caught:
        check_params(TASK.name, given)
    assert caught.value.param == param


def test_schemas_close_parameters_and_describe_the_one_prediction():
    assert params_schema(TASK.name)["additionalProperties"] is False
    items = result_schema(TASK.name)["items"]
    assert set(items["required"]) == {"class", "class_id", "confidence", "segments", "clips"}


def test_neighbouring_clips_of_one_class_become_one_segment():
    found = answer(
        clip(0, 2000, 0.7, 0.2, 0.1),
        clip(2000, 4000, 0.5, 0.3, 0.2),
        clip(4000, 6000, 0.1, 0.1, 0.8),
        clip(6000, 7000, 0.6, 0.2, 0.2),
    )
    assert spans(found) == [(0, 4000, "a"), (4000, 6000, "c"), (6000, 7000, "a")]
    assert [each["confidence"] for each in found["segments"]] == pytest.approx([0.6, 0.8, 0.6])


def test_the_videos_class_has_the_highest_mean_over_all_clips():
    # "a" is best in two of three clips, and yet "b" is surer on the whole.
    found = answer(
        clip(0, 1, 0.5, 0.45, 0.05), clip(1, 2, 0.5, 0.45, 0.05), clip(2, 3, 0.05, 0.9, 0.05)
    )
    assert (found["class"], found["class_id"]) == ("b", 1)
    assert found["confidence"] == pytest.approx(0.6)


def test_segments_of_overlapping_windows_meet_in_the_middle_of_what_they_share():
    found = answer(
        clip(0, 2000, 0.8, 0.1, 0.1),
        clip(1000, 3000, 0.8, 0.1, 0.1),
        clip(2000, 4000, 0.1, 0.8, 0.1),
        clip(3000, 4500, 0.1, 0.1, 0.8),
    )
    assert spans(found) == [(0, 2500, "a"), (2500, 3500, "b"), (3500, 4500, "c")]


def test_segments_do_not_overlap_however_much_their_windows_do():
    clips = [clip(100 * n, 100 * n + 1600, *np.roll([0.8, 0.1, 0.1], n)) for n in range(9)]
    found = spans(answer(*clips))
    assert len(found) == 9
    assert all(before[1] == after[0] for before, after in pairwise(found))
    assert all(start < end for start, end, _ in found)


def test_a_gap_between_clips_belongs_to_no_segment():
    found = answer(clip(0, 1000, 0.8, 0.1, 0.1), clip(1500, 2000, 0.1, 0.8, 0.1))
    assert spans(found) == [(0, 1000, "a"), (1500, 2000, "b")]


def test_clips_list_the_classes_that_were_asked_for():
    found = answer(clip(0, 2000, 0.2, 0.7, 0.1), clip(2000, 2500, 0.4, 0.35, 0.25), top_k=2)
    assert [(each["start_ms"], each["end_ms"]) for each in found["clips"]] == [
        (0, 2000),
        (2000, 2500),
    ]
    names = [[each["class"] for each in clip["predictions"]] for clip in found["clips"]]
    assert names == [["b", "a"], ["a", "b"]]
    assert found["clips"][0]["predictions"][0]["confidence"] == pytest.approx(0.7)
    assert len(answer(clip(0, 1, 0.2, 0.7, 0.1), top_k=9)["clips"][0]["predictions"]) == 3


def test_what_is_less_sure_than_wanted_is_left_out_but_for_the_videos_class():
    found = answer(
        clip(0, 1, 0.6, 0.3, 0.1), clip(1, 2, 0.1, 0.8, 0.1), top_k=3, min_confidence=0.7
    )
    assert spans(found) == [(1, 2, "b")]
    assert [len(each["predictions"]) for each in found["clips"]] == [0, 1]
    assert found["class"] == "b"


def test_a_prediction_is_what_its_schema_says():
    found = answer(clip(0, 2000, 0.2, 0.7, 0.1), clip(2000, 4000, 0.8, 0.1, 0.1))
    schema = result_schema(TASK.name)["items"]
    assert set(found) == set(schema["required"])
    assert set(found["segments"][0]) == set(schema["$defs"]["Segment"]["required"])
    assert set(found["clips"][0]) == set(schema["$defs"]["Clip"]["required"])


def test_steps_of_all_lengths_are_answered_in_their_order():
    steps = [Step(frames(*range(1, count + 1))) for count in (5, 4, 6, 4)]
    found = infer(Counting(), *steps)
    assert [round(each.logits[1].item()) for each in found] == [5, 4, 6, 4]
    assert [each.state for each in found] == [None] * 4
    alone = [infer(Counting(), step)[0].logits for step in steps]
    assert torch.equal(torch.stack(alone), torch.stack([each.logits for each in found]))


def test_a_clip_that_is_shorter_than_the_network_can_take_ends_in_its_last_frame():
    assert pad(frames(1, 2), 4).flatten(1)[:, 0].tolist() == [1, 2, 2, 2]
    assert len(pad(frames(1, 2, 3), 2)) == 3
    (found,) = infer(Counting(), Step(frames(1, 2)))
    assert found.logits.tolist() == pytest.approx([7 / 255, 4, 1 / 255])


def test_a_state_goes_with_its_own_video_from_step_to_step():
    first = infer(Adding(), Step(frames(1, 2)), Step(frames(10, 20)), carries=True)
    assert [each[0] for each in logits(first)] == [3, 30]
    # Of three steps that share a batch, one is another video's beginning.
    second = infer(
        Adding(),
        Step(frames(30, 40), first[1].state),
        Step(frames(7, 8)),
        Step(frames(3, 4), first[0].state),
        carries=True,
    )
    assert [each[0] for each in logits(second)] == [100, 15, 10]
    assert [round(each.state[1].item()) for each in second] == [4, 2, 4]
    assert all(part.shape == (1,) for each in second for part in each.state)


def test_a_video_of_one_frame_is_answered():
    (found,) = infer(Adding(), Step(frames(9)), carries=True)
    assert logits([found])[0][0] == 9


def test_a_frame_is_resized_by_its_shorter_side_and_cut_out_in_the_middle():
    spec = FramePreprocessing.read(PREPROCESS)
    pixels = np.zeros((16, 48, 3), np.uint8)
    pixels[:, 16:32] = 200
    frame = to_frame(pixels, spec, Limits())
    assert (frame.shape, frame.dtype) == ((1, 8, 8), torch.uint8)
    assert (frame == 200).all()


def test_colours_become_the_grey_that_a_person_sees():
    spec = FramePreprocessing.read(PREPROCESS)
    for colour, grey in (((255, 0, 0), 76), ((0, 255, 0), 150), ((255, 255, 255), 255)):
        pixels = np.full((8, 8, 3), colour, np.uint8)
        assert to_frame(pixels, spec, Limits()).unique().tolist() == [grey]


def test_a_strip_that_resizing_would_blow_up_is_too_large():
    spec = FramePreprocessing.read({**PREPROCESS, "resize": [256], "crop": [224, 224]})
    with pytest.raises(ImageTooLarge, match="less elongated"):
        to_frame(np.zeros((1, 400, 3), np.uint8), spec, Limits())


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": ()},
        {"crop": [8]},
        {"crop": [9, 8]},
        {"resize": [8, 8, 8]},
        {"resize": ["8"]},
        {"channels": 2},
        {"std": [0.0]},
        {"fps": 0.0},
        {"window": 3},
        {"windows": [4, 513]},
        {"windows": [16]},
        {"frames": 16},
    ],
)
def test_a_record_that_contradicts_itself_is_refused(changes):
    with pytest.raises(RecordError, match=r"\.$"):
        TASK.check(record_of(**changes))


def test_a_record_for_images_is_refused():
    record = ModelRecord("films", TASK.name, "films", LABELS, PREPROCESS)
    with pytest.raises(RecordError, match="input_kind"):
        TASK.check(record)
