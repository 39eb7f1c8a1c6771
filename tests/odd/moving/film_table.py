"""The odd films, one a line: codecs and containers, turns, fields, times, streams, damage."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from tests.odd.moving.ffmpeg import FPS, Shown
from tests.odd.moving.films import REGULAR, Make, Recipe, encoded, ran

_X264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "10")
_COPY = ("-c", "copy")
_SOUND = ("-c:a", "aac", "-ac", "1")
_FIELDS = ("-flags", "+ildct+ilme", "-field_order", "tt")
BOTH: tuple[Shown, ...] = tuple((number / FPS, number) for number in range(60))


def _codecs() -> Mapping[str, Recipe]:
    """Every codec that the command line writes and that people send, in its usual containers."""
    h264 = {
        name: Recipe(encoded(*_X264, *options))
        for name, options in {
            "h264.mp4": ("-bf", "0"),
            "h264-b.mp4": ("-bf", "3", "-x264-params", "b-pyramid=normal"),
            "h264-b.mov": ("-bf", "2"),
            "h264-b.mkv": ("-bf", "2"),
            "h264-b.ts": ("-bf", "2"),
            "h264-b.m2ts": ("-bf", "2", "-f", "mpegts", "-mpegts_m2ts_mode", "1"),
            "h264-b.3gp": ("-bf", "2"),
            "h264-baseline.mp4": ("-profile:v", "baseline"),
            "h264-intra.mp4": ("-g", "1"),
            "h264-open-gop.mp4": ("-bf", "2", "-x264-params", "open-gop=1"),
            "h264-full-range.mp4": ("-pix_fmt", "yuvj420p"),
            "h264-444.mp4": ("-pix_fmt", "yuv444p"),
            "h264-10-bit.mp4": ("-pix_fmt", "yuv420p10le"),
            "h264-fragments.mp4": ("-movflags", "frag_keyframe+empty_moov"),
            "h264-faststart.mp4": ("-movflags", "+faststart"),
            "h264-slices.mp4": ("-slices", "4"),
        }.items()
    }
    others = {
        name: Recipe(encoded(*options))
        for name, options in {
            "hevc.mp4": ("-c:v", "libx265", "-x265-params", "log-level=none:pools=1"),
            "hevc.mkv": ("-c:v", "libx265", "-x265-params", "log-level=none:pools=1"),
            "hevc-10-bit.ts": ("-c:v", "libx265", "-pix_fmt", "yuv420p10le"),
            "mpeg1.mpg": ("-c:v", "mpeg1video", "-bf", "2", "-b:v", "2M"),
            "mpeg2.mpg": ("-c:v", "mpeg2video", "-bf", "2", "-b:v", "2M"),
            "mpeg2.vob": ("-c:v", "mpeg2video", "-bf", "2", "-b:v", "2M", "-f", "vob"),
            "mpeg2.ts": ("-c:v", "mpeg2video", "-bf", "2", "-b:v", "2M"),
            "mpeg2.mkv": ("-c:v", "mpeg2video", "-bf", "2", "-b:v", "2M"),
            "mpeg4.mp4": ("-c:v", "mpeg4", "-bf", "2", "-q:v", "3"),
            "mpeg4.avi": ("-c:v", "mpeg4", "-bf", "0", "-q:v", "3"),
            "vp8.webm": ("-c:v", "libvpx", "-b:v", "1M", "-deadline", "realtime"),
            "vp9.webm": ("-c:v", "libvpx-vp9", "-b:v", "1M", "-deadline", "realtime"),
            "vp9.mp4": ("-c:v", "libvpx-vp9", "-b:v", "1M", "-deadline", "realtime"),
            "av1.mp4": ("-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "realtime"),
            "av1.mkv": ("-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "realtime"),
            "prores.mov": ("-c:v", "prores_ks"),
            "mjpeg.avi": ("-c:v", "mjpeg", "-q:v", "3"),
            "mjpeg.mov": ("-c:v", "mjpeg", "-q:v", "3"),
            "huffyuv.avi": ("-c:v", "huffyuv"),
            "utvideo.avi": ("-c:v", "utvideo"),
            "ffv1.mkv": ("-c:v", "ffv1"),
            "ffv1.avi": ("-c:v", "ffv1"),
            "raw.avi": ("-c:v", "rawvideo", "-pix_fmt", "yuv420p"),
            "raw.mov": ("-c:v", "rawvideo", "-pix_fmt", "uyvy422"),
            "qtrle.mov": ("-c:v", "qtrle"),
            "png.mov": ("-c:v", "png"),
            "cinepak.avi": ("-c:v", "cinepak"),
            "msmpeg4v2.avi": ("-c:v", "msmpeg4v2", "-q:v", "3"),
            "svq1.mov": ("-c:v", "svq1", "-q:v", "2"),
            "h263.3gp": ("-c:v", "h263", "-s", "176x144", "-q:v", "3"),
        }.items()
    }
    return h264 | others | _doubtful()


def _doubtful() -> Mapping[str, Recipe]:
    """What may be read, or be refused by its name."""
    return {
        name: Recipe(encoded(*options), may_refuse=True, says=says, slack_s=slack)
        for name, says, slack, options in (
            ("flash.flv", "flv", 0.02, ("-c:v", "flv", "-q:v", "3")),
            ("h264.flv", "flv", 0.02, _X264),
            ("wmv2.wmv", "wmv", 0.02, ("-c:v", "wmv2", "-q:v", "3")),
            ("theora.ogv", "ogg", 0.02, ("-c:v", "libtheora", "-q:v", "8")),
        )
    }


def _fields() -> Mapping[str, Recipe]:
    """Interlaced films, of whole pictures and of two moments a frame."""
    x264 = (*_X264, "-bf", "2", *_FIELDS)
    # At twice the rate, so that the woven frames come at the usual one.
    weave = ("-r", "50", "-i", "master.mkv", "-vf", "tinterlace=mode=interleave_top")
    two = tuple((number / FPS, 2 * number) for number in range(15))
    size = ("-s", "720x576")
    return {
        "interlaced-h264-top.mp4": Recipe(encoded(*x264, "-x264-params", "tff=1")),
        "interlaced-h264-bottom.mp4": Recipe(encoded(*x264, "-x264-params", "bff=1")),
        "interlaced-h264.ts": Recipe(encoded(*x264, "-x264-params", "tff=1")),
        "interlaced-mpeg2.mpg": Recipe(
            encoded("-c:v", "mpeg2video", "-bf", "2", "-b:v", "3M", *_FIELDS)
        ),
        "interlaced-prores.mov": Recipe(encoded("-c:v", "prores_ks", *_FIELDS)),
        "interlaced-dv.avi": Recipe(encoded("-c:v", "dvvideo", "-pix_fmt", "yuv420p", *size)),
        "interlaced-dv.mov": Recipe(encoded("-c:v", "dvvideo", "-pix_fmt", "yuv420p", *size)),
        "two-moments-h264.mp4": Recipe(
            ran(*weave, *x264, "-x264-params", "tff=1"), two, fields=True
        ),
        "two-moments-mpeg2.ts": Recipe(
            ran(*weave, "-c:v", "mpeg2video", "-bf", "2", "-b:v", "3M", *_FIELDS),
            two, fields=True,
        ),
    }  # fmt: skip


def _turned() -> Mapping[str, Recipe]:
    """Films that are stored turned or mirrored, and say so in their display matrix."""
    stored = {
        ("90", False): "transpose=1", ("180", False): "hflip,vflip", ("270", False): "transpose=2",
        ("0", True): "hflip", ("90", True): "transpose=3", ("180", True): "vflip",
        ("270", True): "transpose=0",
    }  # fmt: skip
    found = {}
    for (degrees, is_mirrored), chain in stored.items():
        for suffix in ("mp4", "mov"):
            if suffix == "mov" and is_mirrored:
                continue
            name = f"turned-{degrees}{'-mirrored' * is_mirrored}.{suffix}"
            found[name] = Recipe(_turn(chain, degrees, is_mirrored))
    return found


def _turn(chain: str, degrees: str, is_mirrored: bool) -> Make:
    def make(folder: Path, out: Path) -> None:
        plain = out.with_name(f"plain-{out.name}")
        encoded(*_X264, "-vf", chain)(folder, plain)
        mirror = ["-display_hflip"] if is_mirrored else []
        ran("-display_rotation", degrees, *mirror, "-i", plain.name, *_COPY)(folder, out)
        plain.unlink()

    return make


def _timed() -> Mapping[str, Recipe]:
    """Films whose times are not a plain row."""
    rare = ("-vf", "select='not(mod(n,3))+gt(n,15)'", "-fps_mode", "vfr")
    kept = [shown for shown in REGULAR if shown[1] % 3 == 0 or shown[1] > 15]
    late = tuple((at + 0.5, number) for at, number in REGULAR)
    films = {
        f"variable.{suffix}": Recipe(encoded(*options, *rare), kept)
        for suffix, options in {
            "mp4": (*_X264, "-bf", "2"), "mkv": (*_X264, "-bf", "2"),
            "webm": ("-c:v", "libvpx", "-b:v", "1M"),
        }.items()
    }  # fmt: skip
    for rate, name in (("30000/1001", "ntsc"), ("12", "slow"), ("120", "fast")):
        times = tuple((number / _fraction(rate), number) for number in range(30))
        slack = 0.5 / _fraction(rate)
        film = ran("-r", rate, "-i", "master.mkv", *_X264, "-bf", "2")
        films[f"{name}.mp4"] = Recipe(film, times, slack_s=slack)
    # As a slide show is: each picture for longer than a hundredth of the whole.
    slides = ran("-r", "1/20", "-i", "master.mkv", *_X264, "-bf", "2")
    films["slides.mkv"] = Recipe(slides, tuple((20.0 * number, number) for number in range(30)))
    for suffix in ("mp4", "mkv", "mov"):
        both = ("-itsoffset", "0.5", "-i", "master.mp4", "-i", "sound.wav", "-c:v", "copy", *_SOUND)
        films[f"picture-later.{suffix}"] = Recipe(ran(*both), late)
    both = ("-i", "master.mp4", "-itsoffset", "0.5", "-i", "sound.wav", "-c:v", "copy", *_SOUND)
    films["sound-later.mp4"] = Recipe(ran(*both))
    films["trimmed.mp4"] = Recipe(ran("-ss", "0.52", "-i", "master.mp4", *_COPY), None)
    films["trimmed.mkv"] = Recipe(ran("-ss", "0.52", "-i", "master.mp4", *_COPY), None, warns=None)
    films["b-frames.avi"] = Recipe(encoded("-c:v", "mpeg4", "-bf", "2", "-q:v", "3"))
    # This encoder keeps its last frame to itself and leaves empty places in the row.
    xvid = encoded("-c:v", "libxvid", "-bf", "2", "-q:v", "3")
    films["xvid-b-frames.avi"] = Recipe(xvid, REGULAR[:-1], slack_s=0.1)
    films["h264-b.avi"] = Recipe(encoded(*_X264, "-bf", "2"))
    for suffix, options in {
        "ts": (*_X264, "-bf", "2"), "mpg": ("-c:v", "mpeg2video", "-bf", "2", "-b:v", "2M"),
    }.items():  # fmt: skip
        films[f"joined.{suffix}"] = Recipe(_joined(options, "second.mkv"), BOTH, warns=None)
    return films


def _fraction(rate: str) -> float:
    over, _, under = rate.partition("/")
    return int(over) / int(under or 1)


def _joined(options: tuple[str, ...], second: str) -> Make:
    def make(folder: Path, out: Path) -> None:
        parts = []
        for source in ("master.mkv", second):
            part = out.with_name(f"part-{source}{out.suffix}")
            encoded(*options, source=source)(folder, part)
            parts.append(part.read_bytes())
            part.unlink()
        out.write_bytes(b"".join(parts))

    return make


def _streams() -> Mapping[str, Recipe]:
    """Files of several streams, and files without a film."""
    two = ("-i", "master.mkv", "-i", "large.mkv", "-map", "0", "-map", "1", *_X264)
    larger = tuple((at, number + 30) for at, number in REGULAR)
    cover = ("-i", "master.mp4", "-i", "cover.png", "-map", "1", "-map", "0", *_COPY)
    no_default = ("-disposition:v:0", "0", "-disposition:v:1", "0")
    chosen = ("-disposition:v:0", "default", "-disposition:v:1", "0")
    second = ("-disposition:v:0", "0", "-disposition:v:1", "default")
    sound = ("-i", "sound.wav", *_SOUND)
    refused = "unsupported_media"
    return {
        "two-larger.mkv": Recipe(ran(*two, *no_default), larger),
        "two-first-default.mkv": Recipe(ran(*two, *chosen), REGULAR),
        "two-second-default.mkv": Recipe(ran(*two, *second), larger),
        "cover-first.mp4": Recipe(ran(*cover, "-disposition:v:0", "attached_pic")),
        "growing.ts": Recipe(_joined((*_X264, "-bf", "2"), "large.mkv"), BOTH, warns=None),
        "sound-only.m4a": Recipe(ran(*sound), error=refused, says="sound"),
        "sound-only.mkv": Recipe(ran(*sound), error=refused, says="sound"),
        "cover-only.m4a": Recipe(
            ran("-i", "sound.wav", "-i", "cover.png", "-map", "0", "-map", "1", *_SOUND,
                "-c:v", "copy", "-disposition:v:0", "attached_pic"),
            error=refused, says="sound",
        ),
        "empty.mp4": Recipe(lambda _, out: _write(out, b""), error="", says="empty"),
        "text.mp4": Recipe(lambda _, out: _write(out, b"Not found."), error=refused, says="text"),
        "picture.mp4": Recipe(
            lambda folder, out: _write(out, (folder / "cover.png").read_bytes()),
            error=refused, says="png",
        ),
    }  # fmt: skip


def _write(out: Path, data: bytes) -> None:
    out.write_bytes(data)


def _damaged() -> Mapping[str, Recipe]:
    """Films that are damaged: what is shown is theirs, and they are told to be damaged."""
    # So grainy that damage hits pictures, not the little beside them.
    grain = ("-vf", "noise=alls=24:allf=t")
    x264 = (*_X264, "-bf", "2", *grain)
    mpeg2 = ("-c:v", "mpeg2video", "-bf", "2", "-b:v", "2M", *grain)
    mpeg4 = ("-c:v", "mpeg4", "-q:v", "2", *grain)
    mjpeg = ("-c:v", "mjpeg", "-q:v", "3", *grain)
    vp8 = ("-c:v", "libvpx", "-b:v", "2M", *grain)
    fast = (*x264, "-movflags", "+faststart")
    late = encoded(*x264)
    damaged = {
        "noise.mp4": (encoded(*fast), _noise), "noise.mkv": (encoded(*x264), _noise),
        "noise.ts": (encoded(*x264), _noise), "noise.mpg": (encoded(*mpeg2), _noise),
        "noise.flv": (encoded(*x264), _noise), "few.avi": (encoded(*mjpeg), _few),
        "few.mkv": (encoded("-c:v", "ffv1", *grain), _few),
        "noise.webm": (encoded(*vp8), _noise), "noise.avi": (encoded(*mpeg4), _noise),
        "cut.mp4": (encoded(*fast), _cut), "cut.mkv": (encoded(*x264), _cut),
        "cut.ts": (encoded(*x264), _cut), "cut.mpg": (encoded(*mpeg2), _cut),
        "cut.avi": (encoded(*mpeg4), _cut), "lost.ts": (encoded(*x264), _lost),
    }  # fmt: skip
    found = {
        f"damaged-{name}": Recipe(_broken(make, harm), warns=True)
        for name, (make, harm) in damaged.items()
    }
    failed = Recipe(_broken(late, _cut), error="video_decode_failed")
    return found | {"cut-before-index.mp4": failed}


def _broken(make: Make, harm: Callable[[bytes], bytes]) -> Make:
    def make_broken(folder: Path, out: Path) -> None:
        make(folder, out)
        out.write_bytes(harm(out.read_bytes()))

    return make_broken


def _noise(data: bytes) -> bytes:
    middle, length = len(data) // 2, len(data) // 12
    noise = np.random.default_rng(5).bytes(length)
    return data[:middle] + noise + data[middle + length :]


def _few(data: bytes) -> bytes:
    """Damage one frame of those that stand for themselves."""
    middle = len(data) // 2
    noise = np.random.default_rng(8).bytes(300)
    return data[:middle] + noise + data[middle + 300 :]


def _cut(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3 + 50]


def _lost(data: bytes) -> bytes:
    """Leave out transport packets in the middle, whole ones."""
    middle = len(data) // 376 * 188
    return data[:middle] + data[middle + 12 * 188 :]


GROUPS: Mapping[str, Mapping[str, Recipe]] = {
    "codecs and containers": _codecs(),
    "interlaced films": _fields(),
    "turned and mirrored films": _turned(),
    "films with times of their own": _timed(),
    "files of several streams": _streams(),
    "damaged films": _damaged(),
}
FILMS: Mapping[str, Recipe] = {
    name: recipe for group in GROUPS.values() for name, recipe in group.items()
}
