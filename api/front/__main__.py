"""Serves the API: `python -m api.front --bind HOST:PORT`, or `fd://N` for a socket that is there.

The processes share the socket. SIGTERM lets what runs end within PIXELMILL_GRACE_S, and cuts the
rest off.
"""

import argparse
import os
import resource
import socket
import tempfile

import uvicorn
from uvicorn.supervisors import Multiprocess

from api.front.limits import IDLE_S, LONGEST_HEAD
from jobs.base.private_files import keep_files_private
from jobs.base.settings import load_settings_or_exit
from jobs.metrics.places import VARIABLE

_BACKLOG = 2048


def command_line() -> argparse.ArgumentParser:
    """Give what can be said on the command line."""
    parser = argparse.ArgumentParser(prog="python -m api.front", description=__doc__)
    default = os.environ.get("PIXELMILL_BIND", "127.0.0.1:8080")
    parser.add_argument("--bind", default=default, help="HOST:PORT, [IPV6]:PORT or fd://N")
    return parser


def main() -> None:
    """Serve until a signal ends it."""
    bind = command_line().parse_args().bind
    settings = load_settings_or_exit()
    listener = _listen(bind)
    keep_files_private()
    _raise_file_limit()
    config = uvicorn.Config(
        "api.front.app:create_front",
        factory=True,
        # By name: the supervisor itself need not import the application.
        http="api.front.connection:Connection",
        ws="none",
        lifespan="on",
        # The application logs each request, without its query: an access log would keep that.
        access_log=False,
        log_level="error",
        proxy_headers=False,
        server_header=False,
        workers=settings.api_processes,
        backlog=_BACKLOG,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=round(settings.grace_s),
        h11_max_incomplete_event_size=LONGEST_HEAD,
    )
    # The processes keep their figures in one folder, so that each can tell those of all.
    with tempfile.TemporaryDirectory(prefix="pixelmill-figures-") as figures:
        os.environ[VARIABLE] = figures
        Multiprocess(config, [listener]).run()


def _listen(bind: str) -> socket.socket:
    if bind.startswith("fd://"):
        return socket.socket(fileno=int(bind.removeprefix("fd://")))
    host, _, port = bind.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, int(port)), family=family, backlog=_BACKLOG)
    listener.set_inheritable(True)
    return listener


def _raise_file_limit() -> None:
    """Allow as many open files as the system lets us: each connection is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    main()
