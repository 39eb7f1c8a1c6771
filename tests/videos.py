"""Videos for tests: QuickTime files written by hand, so that every claim in them can be chosen.

A frame is a JPEG picture of one brightness; which frame came through is then seen from its pixels.
Layout: ISO/IEC 14496-12, and Apple's QuickTime File Format for the sample entry `jpeg`.
"""

import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np

# Units of time in a second: one is a millisecond.
_SCALE = 1000
_UPRIGHT = (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
# What players do to what is stored, by degrees clockwise (`tkhd`'s matrix, 16.16 and 2.30).
_MATRICES = {
    0: _UPRIGHT,
    90: (0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000),
    180: (-0x10000, 0, 0, 0, -0x10000, 0, 0, 0, 0x40000000),
    270: (0, -0x10000, 0, 0x10000, 0, 0, 0, 0, 0x40000000),
}


def jpeg(pixels: np.ndarray) -> bytes:
    """Encode one frame, uint8 (h, w, 3) BGR or (h, w)."""
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


def grey(level: int, width: int = 64, height: int = 48) -> bytes:
    """Give a frame of one brightness."""
    return jpeg(np.full((height, width, 3), level, np.uint8))


def levels(count: int) -> list[int]:
    """Give brightnesses for so many frames, no two neighbours alike."""
    return [8 * (number % 31) for number in range(count)]


def movie(
    frames: Sequence[bytes],
    durations_ms: Sequence[int] | int = 40,
    *,
    width: int = 64,
    height: int = 48,
    rotation: int = 0,
    stated: int | None = None,
) -> bytes:
    """Write a QuickTime film with its index in front; `stated` is a lie about the frames in it."""
    if isinstance(durations_ms, int):
        durations_ms = [durations_ms] * len(frames)
    ftyp = _box(b"ftyp", b"qt  ", struct.pack(">I", 0), b"qt  ")
    moov = _moov(frames, durations_ms, (width, height), rotation, stated, 0)
    start = len(ftyp) + len(moov) + 8
    moov = _moov(frames, durations_ms, (width, height), rotation, stated, start)
    return ftyp + moov + _box(b"mdat", *frames)


def film(count: int, duration_ms: int = 40) -> bytes:
    """Write a film of so many grey frames."""
    return movie([grey(level) for level in levels(count)], duration_ms)


def written(path: Path, fourcc: str, pictures: Sequence[np.ndarray], fps: float = 25) -> Path:
    """Let OpenCV write a video; pictures are uint8 (h, w, 3) BGR."""
    height, width = pictures[0].shape[:2]
    code = cv2.VideoWriter.fourcc(*fourcc)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, fps, (width, height))
    assert writer.isOpened(), (path, fourcc)
    for picture in pictures:
        writer.write(picture)
    writer.release()
    return path


def ffmpeg(*arguments: object) -> bytes:
    """Run FFmpeg's own tool, which is another build than the one under test; gives its output."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-y"]
    done = subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def scene(seconds: float, size: str = "96x64", rate: str = "24") -> list[str]:
    """FFmpeg's arguments for a moving test picture as the input."""
    return ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}:duration={seconds}"]


def seen_by_ffmpeg(path: Path, width: int, height: int, filters: str = "null") -> np.ndarray:
    """Let FFmpeg's own tool decode a film: uint8 RGB (frames, h, w, 3)."""
    raw = ffmpeg(
        *("-i", path, "-map", "0:v:0", "-fps_mode", "passthrough"),
        *("-vf", f"{filters},scale=flags=bicubic,format=rgb24", "-f", "rawvideo", "-"),
    )
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _moov(
    frames: Sequence[bytes],
    durations: Sequence[int],
    size: tuple[int, int],
    rotation: int,
    stated: int | None,
    start: int,
) -> bytes:
    total = sum(durations)
    mvhd = _box(
        b"mvhd",
        struct.pack(">IIIII", 0, 0, 0, _SCALE, total),
        struct.pack(">IH10x9i24xI", 0x10000, 0x100, *_UPRIGHT, 2),
    )
    tkhd = _box(
        b"tkhd",
        struct.pack(">IIIII I 8xHHHH", 3, 0, 0, 1, 0, total, 0, 0, 0, 0),
        struct.pack(">9iII", *_MATRICES[rotation], size[0] << 16, size[1] << 16),
    )
    mdhd = _box(b"mdhd", struct.pack(">IIIIIHH", 0, 0, 0, _SCALE, total, 0, 0))
    hdlr = _box(b"hdlr", struct.pack(">I4s4s12x", 0, b"mhlr", b"vide"), b"\0")
    vmhd = _box(b"vmhd", struct.pack(">IHHHH", 1, 0, 0, 0, 0))
    dref = _box(b"dref", struct.pack(">II", 0, 1), _box(b"url ", struct.pack(">I", 1)))
    stbl = _stbl(frames, durations, size, stated, start)
    minf = _box(b"minf", vmhd, _box(b"dinf", dref), stbl)
    return _box(b"moov", mvhd, _box(b"trak", tkhd, _box(b"mdia", mdhd, hdlr, minf)))


def _stbl(
    frames: Sequence[bytes],
    durations: Sequence[int],
    size: tuple[int, int],
    stated: int | None,
    start: int,
) -> bytes:
    entry = _box(
        b"jpeg",
        struct.pack(">6xH", 1),
        struct.pack(">HH4sIIHH", 0, 0, b"test", 0, 512, *size),
        struct.pack(">IIIH32sHh", 0x480000, 0x480000, 0, 1, b"", 24, -1),
    )
    times = [struct.pack(">II", 1, duration) for duration in durations]
    if stated is not None:
        times = [struct.pack(">II", stated, 40)]
    sizes = [struct.pack(">I", len(frame)) for frame in frames]
    count = len(frames) if stated is None else stated
    sizes += [struct.pack(">I", 700)] * (count - len(frames))
    return _box(
        b"stbl",
        _box(b"stsd", struct.pack(">II", 0, 1), entry),
        _box(b"stts", struct.pack(">II", 0, len(times)), *times),
        _box(b"stsc", struct.pack(">IIIII", 0, 1, 1, max(count, 1), 1)),
        _box(b"stsz", struct.pack(">III", 0, 0, count), *sizes),
        _box(b"stco", struct.pack(">III", 0, 1, start)),
    )
