"""Which model a job is for, where the command does not say: those that fit are named, not taken."""

from collections.abc import Iterable
from pathlib import Path

from pixelmill.cli.showing.display import say
from pixelmill.client.client import Client
from pixelmill.wire.errors import InvalidInput

_FILM_SUFFIXES = frozenset(
    ".mp4 .mov .m4v .mkv .webm .avi .mpg .mpeg .ts .m2ts .mts .wmv .flv .3gp .vob".split()  # noqa: SIM905
)
_MOST_SHOWN, _WIDTH = 12, 60


def chosen_model(client: Client, given: str | None, paths: Iterable[str]) -> str:
    """Return the model that was given; raises InvalidInput naming those that fit where none was."""
    if given is not None:
        return given
    kind = "video" if all(_is_film(path) for path in paths) else "image"
    fitting = [model for model in client.models() if model.raw.get("input_kind") == kind]
    if not fitting:
        raise InvalidInput(f"Say which model with --model; none here takes {kind}s yet.")
    for model in fitting[:_MOST_SHOWN]:
        say(f"  {model.id.partition('@')[0]:<28}{model.task:<22}{model.description[:_WIDTH]}")
    more = len(fitting) - _MOST_SHOWN
    rest = f", and {more} more: `pixelmill models`" if more > 0 else ""
    raise InvalidInput(f"Say which model with --model; these take {kind}s{rest}.")


def _is_film(path: str) -> bool:
    """Say whether a path is a film's, or a folder's that holds one among its first files."""
    found = Path(path)
    if found.is_dir():
        return any(each.suffix.lower() in _FILM_SUFFIXES for each in sorted(found.iterdir())[:100])
    return found.suffix.lower() in _FILM_SUFFIXES
