"""All odd films: what each holds, frame by frame, and how it is made.

A film is a row of a table (film_table.py): a name and the steps that make it, in a folder of
masters whose frames carry their number.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.odd.moving.ffmpeg import COUNT, FPS, Shown, ffmpeg, frames_shown, make_master

Make = Callable[[Path, Path], None]
"""Makes the second path, in the folder that is the first."""

REGULAR: tuple[Shown, ...] = tuple((number / FPS, number) for number in range(COUNT))


@dataclass(frozen=True)
class Recipe:
    """How a film is made and what is known of it.

    shown: its frames, by construction; None: as FFmpeg's command line reads it. fields: each frame
    holds the number of one of two moments. slack_s: by how much times may be off. error: the code
    that must come instead; says: a word of it, in lower case. warns: whether it must be told to be
    damaged (None: either is right). may_refuse: `unsupported_media` is right too.
    """

    make: Make
    shown: Sequence[Shown] | None = REGULAR
    fields: bool = False
    slack_s: float = 0.5 / FPS
    error: str | None = None
    says: str = ""
    warns: bool | None = False
    may_refuse: bool = False


@dataclass(frozen=True)
class OddFilm:
    """A film that was made."""

    name: str
    path: Path
    recipe: Recipe

    @property
    def shown(self) -> Sequence[Shown]:
        """What it shows, by construction or as FFmpeg's command line reads it."""
        return frames_shown(self.path) if self.recipe.shown is None else self.recipe.shown


def encoded(*options: str, source: str = "master.mkv") -> Make:
    """Give a step that encodes a master."""
    return lambda folder, out: _run(folder, "-i", source, "-an", *options, out)


def ran(*arguments: str) -> Make:
    """Give a step that runs FFmpeg with these arguments, the last being left to the film."""
    return lambda folder, out: _run(folder, *arguments, out)


def _run(folder: Path, *arguments: str | Path) -> None:
    ffmpeg(*arguments, folder=folder)


def make_masters(folder: Path) -> None:
    """Write what films are made of: numbers from 0 and from 30, small and large, and sound."""
    make_master(folder, "master.mkv", 0)
    make_master(folder, "second.mkv", COUNT)
    make_master(folder, "large.mkv", COUNT, scale=2)
    sound = ["-f", "lavfi", "-i", "sine=frequency=440:duration=1.2"]
    ffmpeg(*sound, "sound.wav", folder=folder)
    ffmpeg("-i", "master.mkv", "-frames:v", "1", "cover.png", folder=folder)
    h264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-bf", "2", "-g", "10"]
    for name in ("master", "second"):
        ffmpeg("-i", f"{name}.mkv", *h264, f"{name}.mp4", folder=folder)


def make_films(folder: Path) -> Iterator[OddFilm]:
    """Make every odd film in a folder, or give those that are there already."""
    from tests.odd.moving.film_table import FILMS

    if not (folder / "master.mp4").exists():
        make_masters(folder)
    for name, recipe in FILMS.items():
        path = folder / f"odd-{name}"
        if not path.exists():
            recipe.make(folder, path)
        yield OddFilm(name, path, recipe)
