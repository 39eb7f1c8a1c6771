"""Films of moving digits: the same for a seed, true to what they say they show."""

import numpy as np
import pytest

from models.pictures.clips import (
    CLIP_FRAMES,
    CLIP_SIZE,
    DIRECTIONS,
    LATENCY,
    Stream,
    heldout_clips,
    heldout_streams,
    make_streams,
)

AHEAD = {"left": (1, -1), "right": (1, 1), "up": (0, -1), "down": (0, 1)}


@pytest.fixture(scope="module")
def films():
    return [stream.take(400) for stream in make_streams(12, 1, "train")]


def ways(film):
    """Where the digit has gone from each frame to the next: (T - 1, 2), down and to the right."""
    return np.diff(film.centres, axis=0)


def test_the_same_seed_gives_the_same_film_and_another_gives_another():
    first, again, other = (
        Stream(np.random.default_rng(seed), "train").take(80) for seed in (1, 1, 2)
    )
    assert (first.frames == again.frames).all()
    assert (first.digits == again.digits).all()
    assert (first.frames != other.frames).any()


def test_a_film_goes_on_where_it_stopped():
    whole = Stream(np.random.default_rng(1), "train").take(100)
    stream = Stream(np.random.default_rng(1), "train")
    parts = [stream.take(count) for count in (1, 40, 59)]
    for field in ("frames", "digits", "directions", "centres"):
        joined = np.concatenate([getattr(part, field) for part in parts])
        assert (joined == getattr(whole, field)).all()


def test_a_film_is_what_it_says(films):
    for film in films:
        assert film.frames.shape == (400, CLIP_SIZE, CLIP_SIZE)
        assert film.frames.dtype == np.uint8
        assert set(np.unique(film.directions)) <= set(range(len(DIRECTIONS)))
        assert set(np.unique(film.digits)) <= set(range(10))


def test_a_digit_moves_to_where_it_is_said_to_some_frames_later(films):
    seen = 0
    for film in films:
        moved, told = ways(film), film.directions[LATENCY:]
        for last in range(8, len(told)):
            before = slice(last - 7, last)
            if len(set(told[last - 7 : last + 1])) > 1 or np.abs(moved[before]).max() > 4:
                continue  # it turned, or the film was cut
            axis, sign = AHEAD[DIRECTIONS[told[last]]]
            gone = moved[before].sum(0)
            assert gone[axis] * sign > 0.75 * 7 - 1
            assert abs(gone[1 - axis]) < abs(gone[axis])
            seen += 1
    assert seen > 1000


def test_what_is_shown_changes_no_sooner_than_a_clip_is_long(films):
    for film in films:
        pairs = film.digits * 4 + film.directions
        (changes,) = np.flatnonzero(np.diff(pairs))[None]
        assert len(changes) > 4
        assert np.diff(changes).min() >= CLIP_FRAMES


def test_a_digit_stays_in_the_picture_and_is_brighter_than_what_is_around_it(films):
    for film in films:
        assert film.centres.min() >= 2
        assert film.centres.max() <= CLIP_SIZE - 2
        rows, columns = film.centres.astype(int).T
        around = [
            frame[max(0, row - 6) : row + 7, max(0, column - 5) : column + 6].max()
            for frame, row, column in zip(film.frames, rows, columns, strict=True)
        ]
        assert np.mean(around) > 180


def test_every_digit_and_direction_is_shown_and_turns_and_cuts_happen(films):
    digits = np.concatenate([film.digits for film in films])
    directions = np.concatenate([film.directions for film in films])
    assert np.bincount(digits, minlength=10).min() > 0
    assert np.bincount(directions, minlength=4).min() > 0.1 * len(directions)
    jumps = np.concatenate([np.abs(ways(film)).max(1) for film in films])
    assert 30 < (jumps > 4).sum() < 130


def test_held_out_films_are_clips_of_one_thing_and_streams_of_minutes():
    clips = heldout_clips(20)
    for clip in clips:
        assert len(clip.frames) == CLIP_FRAMES
        assert len(np.unique(clip.digits)) == len(np.unique(clip.directions)) == 1
    (stream,) = heldout_streams(1)
    assert len(stream.frames) == 960
