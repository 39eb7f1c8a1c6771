"""The fork server of tables: it imports pyarrow, and forks who reads a Parquet file.

    python -m workers.walls.tables.server FD

FD is a socket of messages (`forking`). It lives as long as one list (`walled`).
"""

import socket
import sys

from workers.walls import forking
from workers.walls.inside.tables import TableServer


def main(arguments: list[str]) -> None:
    """Serve; importing is all that may be done before, for pyarrow computes in threads."""
    forking.prepare()
    kinds: forking.Kinds = {"tables": TableServer}
    forking.serve(socket.socket(fileno=int(arguments[0])), kinds, kinds)


if __name__ == "__main__":
    main(sys.argv[1:])
