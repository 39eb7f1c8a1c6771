"""The fork server of decoders: it imports every one once, and forks decoder processes.

    python -m workers.walls.fork_server FD

FD is a socket of messages (`forking`). A kind of decoder process is one file of `inside`, and one
line here.
"""

import codecs
import encodings
import pkgutil
import socket
import sys
from contextlib import suppress

from jobs.archives.preloading import preload as preload_archives
from models.media.preloading import preload as preload_media
from workers.walls import forking
from workers.walls.inside.archives import ArchiveServer
from workers.walls.inside.films import FilmServer
from workers.walls.inside.pictures import PictureServer

KINDS: forking.Kinds = {
    "pictures": PictureServer,
    "films": FilmServer,
    "archives": ArchiveServer,
}

# Those that compute for long at a stretch, and give way to the others.
_LENGTHY = frozenset({"films", "archives"})


def main(arguments: list[str]) -> None:
    """Import everything, then serve."""
    forking.prepare()
    preload_media()
    preload_archives()
    # Names of members and texts in pictures may be in any; Python opens each when first used.
    for encoding in pkgutil.iter_modules(encodings.__path__):
        with suppress(LookupError):  # those of Windows alone
            codecs.lookup(encoding.name)
    forking.serve(socket.socket(fileno=int(arguments[0])), KINDS, _LENGTHY)


if __name__ == "__main__":
    main(sys.argv[1:])
