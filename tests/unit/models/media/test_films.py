"""Decoding videos: times, sampling, rotation, limits, and what is broken or hostile."""

import random
import socket
import struct
import tempfile
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from models.media.containers import Claims
from models.media.films import Frame, Position, Video, open_video
from models.media.sampling import Sampling
from models.records.errors import InputError, UnsupportedMedia, VideoDecodeFailed, VideoTooLarge
from models.records.record import Limits
from tests.videos import film, grey, jpeg, levels, movie, written

ALL = Sampling(every_nth=1)
LIMITS = Limits(max_pixels=1_000_000)


@contextmanager
def opened(data: bytes, limits: Limits = LIMITS) -> Iterator[Video]:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        with open_video(file, len(data), limits) as video:
            yield video


def frames_of(data: bytes, sampling: Sampling = ALL, after: Position | None = None) -> list[Frame]:
    with opened(data) as video:
        return list(video.frames(sampling, after))


def times(frames: list[Frame]) -> list[tuple[float, float]]:
    return [(frame.position.at_ms, frame.end_ms) for frame in frames]


def damage_of(data: bytes) -> tuple[int, str | None]:
    with opened(data) as video:
        return len(list(video.frames(ALL))), video.damage


def levels_of(frames: list[Frame]) -> list[int]:
    return [round(float(frame.pixels.mean())) for frame in frames]


def test_every_frame_comes_with_its_time_and_its_pixels() -> None:
    frames = frames_of(film(30))
    assert [frame.position.number for frame in frames] == list(range(30))
    assert times(frames) == [(40.0 * n, 40.0 * n + 40) for n in range(30)]
    assert levels_of(frames) == pytest.approx(levels(30), abs=1)
    assert frames[0].pixels.shape == (48, 64, 3)
    assert frames[0].pixels.dtype == np.uint8


def test_colours_come_as_red_green_blue() -> None:
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 2] = 255
    (frame,) = frames_of(movie([jpeg(red)]))
    assert frame.pixels[24, 32] == pytest.approx([254, 0, 0], abs=3)


def test_a_variable_frame_rate_keeps_its_times() -> None:
    frames = frames_of(movie([grey(level) for level in levels(6)], [20, 100, 40, 500, 40, 300]))
    assert times(frames) == [(0, 20), (20, 120), (120, 160), (160, 660), (660, 700), (700, 1000)]


@pytest.mark.parametrize(
    ("fps", "expected"),
    [
        (5.0, [0, 5, 10, 15, 20, 25]),
        (25.0, list(range(30))),
        (100.0, list(range(30))),
        (1.0, [0, 25]),
        (10.0, [0, 3, 5, 8, 10, 13, 15, 18, 20, 23, 25, 28]),
    ],
)
def test_frames_are_sampled_at_so_many_a_second(fps: float, expected: list[int]) -> None:
    frames = frames_of(film(30), Sampling(fps=fps))
    assert [frame.position.number for frame in frames] == expected
    ends = [frame.end_ms for frame in frames]
    assert ends == [40.0 * number for number in [*expected[1:], 30]]


def test_sampling_by_time_holds_for_a_variable_frame_rate() -> None:
    data = movie([grey(level) for level in levels(7)], [10, 10, 980, 2500, 100, 400, 100])
    # Shown at 0, 10, 20, 1000, 3500, 3600 and 4000 ms: no frame is taken twice to fill a gap.
    frames = frames_of(data, Sampling(fps=1.0))
    assert [frame.position.at_ms for frame in frames] == [0, 1000, 3500, 4000]


def test_a_rate_whose_times_matroska_rounds_loses_no_frame(tmp_path: Path) -> None:
    pictures = [np.full((48, 64, 3), level, np.uint8) for level in levels(60)]
    data = written(tmp_path / "v.mkv", "mp4v", pictures, 30000 / 1001).read_bytes()
    assert len(frames_of(data, Sampling(fps=30000 / 1001))) == 60


def test_every_nth_frame_is_taken() -> None:
    frames = frames_of(film(30), Sampling(every_nth=7))
    assert [frame.position.number for frame in frames] == [0, 7, 14, 21, 28]


@pytest.mark.parametrize(
    ("rotation", "bright"),
    [(0, "top"), (90, "right"), (180, "bottom"), (270, "left")],
)
def test_rotation_is_honoured(rotation: int, bright: str) -> None:
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:24] = 255
    with opened(movie([jpeg(picture)], rotation=rotation)) as video:
        (frame,) = video.frames(ALL)
        assert video.size == frame.pixels.shape[1::-1]
    height, width = frame.pixels.shape[:2]
    assert (height, width) == ((48, 64) if rotation in (0, 180) else (64, 48))
    halves = {
        "top": frame.pixels[: height // 2],
        "bottom": frame.pixels[height // 2 :],
        "left": frame.pixels[:, : width // 2],
        "right": frame.pixels[:, width // 2 :],
    }
    assert max(halves, key=lambda side: halves[side].mean()) == bright


@pytest.mark.parametrize("sampling", [ALL, Sampling(fps=7.0), Sampling(every_nth=3)])
@pytest.mark.parametrize("reached", [0, 4, 8])
def test_a_resumed_video_gives_the_very_frames_that_were_left(
    sampling: Sampling, reached: int, tmp_path: Path
) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (60, 48, 64, 3), np.uint8)
    data = written(tmp_path / "v.avi", "XVID", list(noise)).read_bytes()
    whole = frames_of(data, sampling)
    rest = frames_of(data, sampling, whole[reached].position)
    assert [frame.position for frame in rest] == [frame.position for frame in whole[reached + 1 :]]
    assert times(rest) == times(whole[reached + 1 :])
    for one, other in zip(rest, whole[reached + 1 :], strict=True):
        assert np.array_equal(one.pixels, other.pixels)


@pytest.mark.parametrize(
    ("name", "fourcc"),
    [
        ("v.mp4", "mp4v"),
        ("v.mov", "mp4v"),
        ("v.webm", "VP80"),
        ("v.webm", "VP90"),
        ("v.mkv", "mp4v"),
        ("v.avi", "MJPG"),
        ("v.ts", "mpg2"),
        ("v.mpg", "mpg2"),
    ],
)
def test_every_container_is_read_to_its_end(name: str, fourcc: str, tmp_path: Path) -> None:
    pictures = [np.full((48, 64, 3), level, np.uint8) for level in levels(30)]
    data = written(tmp_path / name, fourcc, pictures).read_bytes()
    frames = frames_of(data)
    assert times(frames) == [(40.0 * n, 40.0 * n + 40) for n in range(30)]
    assert levels_of(frames) == pytest.approx(levels(30), abs=6)
    assert damage_of(data) == (30, None)


def test_a_video_of_one_frame_is_a_video() -> None:
    (frame,) = frames_of(movie([grey(100)]))
    assert (frame.position, frame.end_ms) == (Position(0, 0.0), 40.0)


def test_a_video_without_a_frame_is_refused() -> None:
    with pytest.raises(VideoDecodeFailed, match="has no frame"):
        frames_of(movie([]))
    with pytest.raises(VideoDecodeFailed, match="has no frame"):
        frames_of(movie([b"\xff\xd8no picture at all"] * 3))


def test_a_truncated_video_gives_what_it_has_and_says_so(tmp_path: Path) -> None:
    data = film(100)
    count, damage = damage_of(data[: len(data) * 6 // 10])
    assert 50 < count < 65
    assert damage == (
        f"The video is truncated or damaged: {count} frames of 100 could be decoded, up to "
        f"{(count - 1) * 0.04:.1f} s; 1 of them is damaged."
    )
    pictures = [np.full((48, 64, 3), level, np.uint8) for level in levels(100)]
    for name, fourcc in (("v.webm", "VP80"), ("v.avi", "MJPG"), ("v.ts", "mpg2")):
        data = written(tmp_path / name, fourcc, pictures).read_bytes()
        count, damage = damage_of(data[: len(data) * 7 // 10 + 1])
        assert 20 < count < 100
        assert damage is not None, name


def test_a_video_that_ends_before_its_index_is_refused() -> None:
    with pytest.raises(VideoDecodeFailed, match="could not be opened"):
        frames_of(film(30)[:300])


def test_frames_that_cannot_be_decoded_are_left_out_and_told() -> None:
    pictures = [grey(level) for level in levels(30)]
    pictures[10:15] = [b"\xff\xd8no picture"] * 5
    count, damage = damage_of(movie(pictures))
    assert count == 25
    assert damage is not None
    assert "25 frames of 30" in damage


def test_a_claim_of_more_frames_than_there_are_allocates_nothing() -> None:
    data = movie([grey(9)] * 5, stated=200_000)
    tracemalloc.start()
    count, damage = damage_of(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Twice the index, which has 800 kB.
    assert (count, peak < 2_000_000) == (5, True)
    assert damage is not None
    assert "5 frames of 200,000" in damage


def test_a_frame_that_is_shown_for_days_is_a_frame_all_the_same() -> None:
    frames = frames_of(movie([grey(9)] * 3, [40, 2**31 - 100, 40]), Sampling(fps=25.0))
    assert [frame.position.at_ms for frame in frames] == [0.0, 40.0, 2**31 - 60.0]


@pytest.mark.parametrize(("kind", "data"), [
    ("MP4", movie([grey(1)], width=65_535, height=65_535)),
    ("AVI", b"RIFF\xff\0\0\0AVI LIST\xff\0\0\0hdrlavih" + bytes(36) + b"\xff\xff\0\0" * 2),
    ("Matroska", bytes.fromhex("1a45dfa3 80 18538067 91 1654ae6b 8c ae 8a e0 88")
        + bytes.fromhex("b0 82 ffff ba 82 ffff")),
])  # fmt: skip
def test_frames_that_a_header_says_are_too_large_are_refused(kind: str, data: bytes) -> None:
    with pytest.raises(VideoTooLarge, match=f"The {kind} video is 65535 x 65535 pixels"):
        frames_of(data)


def test_frames_that_are_larger_than_the_container_says_are_refused() -> None:
    data = movie([grey(1, 1200, 900)], width=64, height=48)
    with pytest.raises(VideoTooLarge, match="1200 x 900"):
        frames_of(data)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        yield server


PLAYLISTS = {
    "m3u8 of a URL": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{url}\n#EXT-X-ENDLIST\n",
    "m3u8 of a file": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{file}\n#EXT-X-ENDLIST\n",
    "ffconcat of a URL": "ffconcat version 1.0\nfile {url}\n",
    "ffconcat of a file": "ffconcat version 1.0\nfile {file}\n",
    "DASH": '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT9S"><Period><AdaptationSet mimeType="video/mp4">'
    '<Representation id="1" bandwidth="1"><BaseURL>{url}</BaseURL></Representation>'
    "</AdaptationSet></Period></MPD>",
    "SDP": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nm=video {port} RTP/AVP 32\n",
}


@pytest.mark.parametrize("name", PLAYLISTS)
@pytest.mark.parametrize("wall", ["magic bytes", "FFmpeg's lists"])
def test_a_playlist_opens_no_connection_and_no_file(
    name: str, wall: str, listener: socket.socket, tmp_path: Path
) -> None:
    port = listener.getsockname()[1]
    bait = tmp_path / "bait.mov"
    bait.write_bytes(film(3))
    url = f"http://127.0.0.1:{port}/x.mp4"
    text = PLAYLISTS[name].format(url=url, file=bait, port=port)
    playlist = tmp_path / "film.mp4"
    playlist.write_text(text)
    with playlist.open("rb") as file:
        if wall == "magic bytes":
            with pytest.raises(UnsupportedMedia):
                open_video(file, len(text), LIMITS)
        else:
            with pytest.raises(VideoDecodeFailed):
                Video(file, "MP4", Claims())
    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.mark.parametrize(
    ("data", "seen"),
    [
        (b"", "unknown binary data"),
        (grey(1), "a JPEG picture"),
        (b"GIF89a" + bytes(500), "a GIF picture"),
        (b"RIFF\x10\0\0\0WAVE" + bytes(500), "an AVI video or a sound file"),
        (b"\x7fELF" + bytes(500), "a program"),
        (b"\0\0\0\x18ftypheic" + bytes(500), "an HEIC picture"),
        (bytes(2000), "unknown binary data"),
    ],
)
def test_what_is_no_video_is_named(data: bytes, seen: str) -> None:
    with pytest.raises(UnsupportedMedia, match="not a video") as refused:
        frames_of(data)
    if data:
        assert seen in str(refused.value)


@pytest.mark.parametrize("seed", range(4))
def test_flipped_bits_cost_frames_and_no_more(seed: int, tmp_path: Path) -> None:
    choose = random.Random(seed)
    pictures = [np.full((48, 64, 3), level, np.uint8) for level in levels(30)]
    sources = [
        film(30),
        written(tmp_path / "v.mp4", "mp4v", pictures).read_bytes(),
        written(tmp_path / "v.webm", "VP80", pictures).read_bytes(),
        written(tmp_path / "v.avi", "MJPG", pictures).read_bytes(),
        written(tmp_path / "v.ts", "mpg2", pictures).read_bytes(),
    ]
    for data in sources:
        for flips in (1, 20, 400):
            broken = bytearray(data)
            for _ in range(flips):
                broken[choose.randrange(len(broken))] ^= 1 << choose.randrange(8)
            try:
                frames = frames_of(bytes(broken))
            except InputError:
                continue
            stamps = [frame.position.at_ms for frame in frames]
            assert stamps == sorted(stamps)


def test_a_box_that_states_an_impossible_length_ends_the_walk() -> None:
    data = struct.pack(">I4s", 2**31, b"ftyp") + b"isom" + bytes(600)
    with pytest.raises(VideoDecodeFailed):
        frames_of(data)


def test_a_container_that_is_not_on_the_list_is_not_opened_whatever_it_begins_with(
    tmp_path: Path,
) -> None:
    picture = np.zeros((48, 64, 3), np.uint8)
    path = written(tmp_path / "v.flv", "FLV1", [picture] * 3)
    with path.open("rb") as file, pytest.raises(VideoDecodeFailed):
        Video(file, "MP4", Claims())
