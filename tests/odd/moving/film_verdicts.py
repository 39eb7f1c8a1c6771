"""Whether a film was read as what it is, as a sentence where it was not."""

from collections.abc import Sequence

from models.media.films import open_video
from models.media.sampling import Sampling
from models.records.errors import InputError
from models.records.record import VIDEO_LIMITS
from tests.odd.moving.ffmpeg import Shown
from tests.odd.moving.film_frames import read_number
from tests.odd.moving.films import OddFilm

_EVERY = Sampling(every_nth=1)


def fault(odd: OddFilm) -> str | None:
    """Read every frame of a film; gives what is wrong with the answer, None if it is right."""
    try:
        found, warning = read_film(odd)
    except InputError as err:
        return _fault_of_error(odd, err)
    recipe = odd.recipe
    if recipe.error is not None:
        return f"{odd.name}: {len(found)} frames, not {recipe.error!r}"
    if recipe.warns is not None and (warning is not None) != recipe.warns:
        return f"{odd.name}: {'no warning' if recipe.warns else f'a warning ({warning})'}"
    wrong = _foreign(odd, found) if recipe.warns else _difference(odd, found)
    return None if wrong is None else f"{odd.name}: {wrong}"


def read_film(odd: OddFilm) -> tuple[list[Shown], str | None]:
    """Give the frames with their times in seconds, and the warning; raises InputError."""
    with odd.path.open("rb") as file:
        size = odd.path.stat().st_size
        with open_video(file, size, VIDEO_LIMITS) as film:
            found = [
                (frame.position.at_ms / 1000, read_number(frame.pixels))
                for frame in film.frames(_EVERY)
            ]
            return found, film.damage


def _fault_of_error(odd: OddFilm, err: InputError) -> str | None:
    told, recipe = f"{odd.name}: {err.code} ({err})", odd.recipe
    if recipe.error is None and not (recipe.may_refuse and err.code == "unsupported_media"):
        return f"{told}, not frames"
    if recipe.error not in (None, "", err.code):
        return f"{told}, not {recipe.error!r}"
    return None if recipe.says in str(err).lower() else f"{told} does not say {recipe.says!r}"


def _difference(odd: OddFilm, found: Sequence[Shown]) -> str | None:
    right = odd.shown
    if len(found) != len(right):
        return f"{len(found)} frames, not {len(right)}: {found[:3]} … {found[-2:]}"
    for (at, number), (when, what) in zip(found, right, strict=True):
        # The last frame has none after it from which its other lines could be made up.
        is_half = odd.recipe.fields and when == right[-1][0]
        is_right = is_half or _is(number, what, odd.recipe.fields)
        if abs(at - when) > odd.recipe.slack_s or not is_right:
            return f"{number} at {at:.3f} s, not {what} at {when:.3f} s"
    return None


def _is(number: int | None, right: int | None, fields: bool) -> bool:
    if fields and number is not None and right is not None:
        return number in (right, right + 1)
    return number == right


def _foreign(odd: OddFilm, found: Sequence[Shown]) -> str | None:
    """Of a damaged film: its first frames are right, and none comes that is not its own."""
    right = {number: at for at, number in odd.shown}
    if not found:
        return "no frame"
    if found[0] != (0.0, 0):
        return f"begins with {found[0]}"
    for at, number in found:
        # What is patched up may be unreadable, but never another film's.
        if number is not None and number not in right:
            return f"{number} at {at:.3f} s, which is not in it"
    readable = sum(number is not None and abs(right[number] - at) < 0.1 for at, number in found)
    if readable < 6:
        return f"only {readable} frames are readable and in time"
    return None
