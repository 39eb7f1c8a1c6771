"""What the network for moving digits is measured by: films held out of training, frame by frame.

Frames as a decoder gives them -> prepare_frame -> steps -> forward -> postprocess, the state being
carried from window to window. Only the encoding as a video file is left out.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch

from models.contracts import check_params
from models.pictures.clips import CLIP_FRAMES, DIRECTIONS, Film, heldout_clips, heldout_streams
from models.runtime.network import VideoNetwork
from models.tasks.task import Clip, State, Step

_AT_ONCE = 50


def measure_motion(network: VideoNetwork) -> Mapping[str, float]:
    """Return how often digit and direction are right, in single clips and in long streams."""
    return {
        **_accuracies(network, heldout_clips(), "heldout"),
        **_accuracies(network, heldout_streams(), "stream"),
    }


def answers(network: VideoNetwork, films: Sequence[Film]) -> Iterator[list[int]]:
    """Yield the best label of each window of each film; all films have the same length."""
    params = check_params(network.record.task, {})
    for start in range(0, len(films), _AT_ONCE):
        videos = _clips(network, films[start : start + _AT_ONCE])
        for (found,), clips in zip(network.postprocess(videos, params), videos, strict=True):
            assert len(found["clips"]) == len(clips)
            yield [each["predictions"][0]["class_id"] for each in found["clips"]]


def _clips(network: VideoNetwork, films: Sequence[Film]) -> list[list[Clip]]:
    """Run films side by side, window after window."""
    states: list[State | None] = [None] * len(films)
    videos: list[list[Clip]] = [[] for _ in films]
    for start in range(0, len(films[0].frames), CLIP_FRAMES):
        steps = [
            Step(_prepared(network, film, start), state)
            for film, state in zip(films, states, strict=True)
        ]
        for number, stepped in enumerate(network.forward(steps)):
            states[number] = stepped.state
            videos[number].append(Clip(start, start + CLIP_FRAMES, stepped.logits))
    return videos


def _prepared(network: VideoNetwork, film: Film, start: int) -> torch.Tensor:
    frames = film.frames[start : start + CLIP_FRAMES]
    return torch.stack([network.prepare_frame(np.stack([grey] * 3, -1)) for grey in frames])


def _accuracies(network: VideoNetwork, films: Sequence[Film], name: str) -> dict[str, float]:
    found = np.array(list(answers(network, films)))
    ends = slice(CLIP_FRAMES - 1, None, CLIP_FRAMES)
    digits, directions = np.divmod(found, len(DIRECTIONS))
    return {
        f"{name}_digit_accuracy": float(np.mean(digits == [film.digits[ends] for film in films])),
        f"{name}_direction_accuracy": float(
            np.mean(directions == [film.directions[ends] for film in films])
        ),
    }
