"""The fork server of networks: it imports onnx and onnxruntime, and forks who examines a file.

    python -m workers.walls.onnx_server FD

FD is a socket of messages (`forking`). It lives as long as one examination (`networks`).
"""

import socket
import sys

from workers.walls import forking
from workers.walls.inside.networks import NetworkServer, preload


def main(arguments: list[str]) -> None:
    """Import everything, then serve."""
    forking.prepare()
    preload()
    kinds: forking.Kinds = {"networks": NetworkServer}
    forking.serve(socket.socket(fileno=int(arguments[0])), kinds, kinds)


if __name__ == "__main__":
    main(sys.argv[1:])
