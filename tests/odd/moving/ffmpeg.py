"""FFmpeg's own command line: makes the odd films, and reads them as an independent decoder."""

import re
import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from tests.odd.moving.film_frames import HEIGHT, WIDTH, draw_frame, read_number

FPS = 25
COUNT = 30
_TIME = re.compile(rb"Parsed_showinfo.* pts_time:(-?[\d.]+)")

Shown = tuple[float, int | None]
"""When a frame is shown, in seconds, and its number; None where it is not readable."""


def ffmpeg(*arguments: str | Path, folder: Path) -> bytes:
    """Run it in a folder, one thread; gives what it wrote to its standard error."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-y", "-hide_banner", "-threads", "1"]
    done = subprocess.run(
        [*command, *map(str, arguments)], cwd=folder, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{arguments}: {done.stderr[-1500:].decode(errors='replace')}"
    return done.stderr


def make_master(folder: Path, name: str, first: int, scale: int = 1) -> None:
    """Write 30 numbered frames, `first` and those after it, without loss."""
    raw = b"".join(draw_frame(first + number, scale).tobytes() for number in range(COUNT))
    (folder / "master.rgb").write_bytes(raw)
    size = f"{WIDTH * scale}x{HEIGHT * scale}"
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", str(FPS)]
    ffmpeg(*source, "-i", "master.rgb", "-c:v", "ffv1", "-pix_fmt", "gbrp", name, folder=folder)


def frames_shown(path: Path) -> list[Shown]:
    """Read a film with the command line: upright, every frame once, from the file's beginning."""
    target = path.with_suffix(".seen")
    told = ffmpeg(
        "-i", path, "-an", "-sn", "-vf", f"showinfo,scale={WIDTH}:{HEIGHT}:flags=area",
        "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", target,
        folder=path.parent,
    )  # fmt: skip
    times = [float(each) for each in _TIME.findall(told)]
    frames = np.fromfile(target, np.uint8).reshape(-1, HEIGHT, WIDTH, 3)
    target.unlink()
    return [(at, read_number(frame)) for at, frame in zip(times, frames, strict=False)]
