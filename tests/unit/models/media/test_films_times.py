"""When frames are shown: the container's times, whatever the container."""

from pathlib import Path

import pytest

from models.media.films.clock import Clock
from tests.unit.models.media.films import seen
from tests.videos import ffmpeg, scene

STEP = 1000 / 24
SOUND = ["-f", "lavfi", "-i", "sine=duration=3"]


def expected_times(count: int, first_ms: float = 0.0) -> list[float]:
    return [first_ms + STEP * number for number in range(count)]


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("v.avi", ["-c:v", "libx264", "-bf", "2"]),
        ("v.avi", ["-c:v", "mpeg4", "-bf", "2"]),
        ("v.mp4", ["-c:v", "libx264", "-bf", "3"]),
        ("v.mkv", ["-c:v", "libx264", "-bf", "3"]),
        ("v.ts", ["-c:v", "libx264", "-bf", "3"]),
        ("v.m2ts", ["-c:v", "libx264", "-bf", "3"]),
        ("v.mpg", ["-c:v", "mpeg2video", "-bf", "2"]),
        ("v.vob", ["-c:v", "mpeg2video", "-bf", "2"]),
        ("v.flv", ["-c:v", "libx264", "-bf", "2"]),
        ("v.wmv", ["-c:v", "wmv2"]),
        ("v.3gp", ["-c:v", "libx264", "-bf", "2"]),
        ("v.mp4", ["-c:v", "libx265"]),
        ("v.mp4", ["-c:v", "libsvtav1"]),
    ],
)
def test_frames_that_are_stored_out_of_order_come_in_their_times(
    name: str, codec: list[str], tmp_path: Path
) -> None:
    path = tmp_path / name
    ffmpeg(*scene(2), *codec, path)
    film = seen(path)
    # Some containers keep milliseconds.
    assert film.times == pytest.approx(expected_times(48), abs=1)
    assert film.end_ms == pytest.approx(2000, abs=2)
    assert film.damage is None
    assert (film.facts.width, film.facts.height, film.facts.fps) == (96, 64, 24.0)
    assert film.facts.duration_ms == pytest.approx(2000, abs=2)


@pytest.mark.parametrize(
    ("name", "codecs"),
    [
        ("v.mp4", ["-c:v", "libx264", "-c:a", "aac"]),
        ("v.mkv", ["-c:v", "libx264", "-c:a", "libopus"]),
        ("v.ts", ["-c:v", "libx264", "-c:a", "mp2"]),
        ("v.mpg", ["-c:v", "mpeg2video", "-c:a", "mp2"]),
    ],
)
def test_a_picture_that_begins_after_the_sound_does_not_begin_at_0(
    name: str, codecs: list[str], tmp_path: Path
) -> None:
    path = tmp_path / name
    ffmpeg(*SOUND, "-itsoffset", 1.5, *scene(1), "-fps_mode", "passthrough", *codecs, path)
    film = seen(path)
    # Sound's first frames may hold some milliseconds that only its decoder hears.
    assert film.times == pytest.approx(expected_times(24, 1500), abs=40)
    assert film.times[1] - film.times[0] == pytest.approx(STEP, abs=1)


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv"])
def test_a_picture_that_begins_with_the_sound_begins_at_0(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    codecs = ["-c:v", "libx264", "-c:a", "aac" if name == "v.mp4" else "libopus"]
    ffmpeg(*SOUND, *scene(3), *codecs, path)
    assert seen(path).times == pytest.approx(expected_times(72), abs=1)


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
@pytest.mark.parametrize("container", ["mpegts", "vob"])
def test_streams_that_are_joined_into_one_go_on(codec: str, container: str, tmp_path: Path) -> None:
    if (codec, container) == ("libx264", "vob"):
        pytest.skip("no DVD holds H.264")
    part = tmp_path / "part"
    ffmpeg(*scene(2), "-c:v", codec, "-bf", 2, "-f", container, part)
    path = tmp_path / "joined"
    path.write_bytes(part.read_bytes() * 3)
    film = seen(path)
    assert film.times == pytest.approx(expected_times(144), abs=0.01)
    assert film.end_ms == pytest.approx(6000, abs=0.01)


def test_a_lossless_cut_begins_where_its_edit_list_says(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.mp4", tmp_path / "cut.mp4"
    ffmpeg(*scene(4), "-c:v", "libx264", "-bf", 2, "-g", 48, whole)
    ffmpeg("-ss", 1.5, "-i", whole, "-c", "copy", cut)
    film = seen(cut)
    # The film keeps what its first frame needs, from the key frame at 0, and does not show it.
    assert film.times == pytest.approx(expected_times(60), abs=0.01)
    assert (film.pixels == seen(whole).pixels[36:]).all()
    assert film.damage is None


def test_a_variable_frame_rate_keeps_its_times_in_matroska(tmp_path: Path) -> None:
    path = tmp_path / "v.mkv"
    chosen = "select='not(mod(n,7))+gt(n,40)'"
    ffmpeg(*scene(2), "-vf", chosen, "-fps_mode", "passthrough", "-c:v", "libx264", path)
    numbers = [n for n in range(48) if n % 7 == 0 or n > 40]
    assert seen(path).times == pytest.approx([STEP * n for n in numbers], abs=1)


def test_a_clock_goes_on_over_missing_repeated_and_lower_times() -> None:
    clock = Clock(100.0, 40.0, may_jump=False)
    stamps = [100.0, 150.0, None, 250.0, 250.0, 240.0, 400.0]
    assert [clock.note(stamp, 0) for stamp in stamps] == [0, 50, 100, 150, 200, 250, 300]
    assert clock.end_ms == 350


def test_only_containers_that_are_streams_may_jump_ahead() -> None:
    stamps = [0.0, 40.0, 90_000.0, 90_040.0]
    stream, film = Clock(0.0, 40.0, may_jump=True), Clock(0.0, 40.0, may_jump=False)
    assert [stream.note(stamp, 0) for stamp in stamps] == [0, 40, 80, 120]
    assert [film.note(stamp, 0) for stamp in stamps] == stamps
