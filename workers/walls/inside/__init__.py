"""What runs inside the walls: one file a kind of decoder process, and one line here.

A kind is called with its socket and its other open files before the process is confined, and may
then map memory; its `run` serves until the other side is gone (`wire.Closed`).
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from workers.walls.inside.archives import ArchiveServer
from workers.walls.inside.films import FilmServer
from workers.walls.inside.pictures import PictureServer


class Server(Protocol):
    """What a decoder process does."""

    def run(self) -> None:
        """Answer messages until the other side is gone; raises wire.Closed then."""


KINDS: Mapping[str, Callable[..., Server]] = {
    "pictures": PictureServer,
    "films": FilmServer,
    "archives": ArchiveServer,
}

# Those that compute for long at a stretch, and give way to the others.
LENGTHY = frozenset({"films", "archives"})
