"""A real nginx in front of the API, without root: two servers of it, with nginx's own buffering."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

PREFIX = "/vision"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")

# Everything else is nginx's default; who runs an API that takes pictures raises the one limit.
_CONFIG = """
daemon off;
worker_processes 1;
{user}
pid nginx.pid;
events {{}}
http {{
    access_log off;
    client_max_body_size 64m;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{ports[0]};
        location {prefix}/ {{ proxy_pass http://127.0.0.1:{port}/; }}
    }}
    server {{
        listen 127.0.0.1:{ports[1]};
        location {prefix}/ {{ proxy_pass http://127.0.0.1:{port}; }}
    }}
}}
"""


@dataclass(frozen=True)
class Nginx:
    """Where the API is behind the two servers: one takes the prefix off, one leaves it on."""

    taken_off: str
    left_on: str

    @property
    def both(self) -> tuple[str, str]:
        return self.taken_off, self.left_on


@contextmanager
def running_nginx(port: int, folder: Path) -> Iterator[Nginx]:
    """Serve what listens at a port, below PREFIX, until the block ends."""
    assert NGINX is not None
    folder.mkdir()
    with ExitStack() as stack:
        listeners = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=128))
            for _ in range(2)
        ]
        ports = [listener.getsockname()[1] for listener in listeners]
        # As root it would run as somebody who may not enter the folder.
        user = "user root;" if os.geteuid() == 0 else ""
        config = _CONFIG.format(user=user, ports=ports, port=port, prefix=PREFIX)
        (folder / "nginx.conf").write_text(config)
        descriptors = [listener.fileno() for listener in listeners]
        process = subprocess.Popen(
            [NGINX, "-p", f"{folder}/", "-c", "nginx.conf", "-e", "error.log"],
            # Sockets that are open already, so that nobody else takes their ports.
            env={**os.environ, "NGINX": "".join(f"{each};" for each in descriptors)},
            pass_fds=descriptors,
        )
        try:
            _await_pid(process, folder)
            yield Nginx(*(f"http://127.0.0.1:{each}{PREFIX}" for each in ports))
        finally:
            process.terminate()
            process.wait(10)


def _await_pid(process: "subprocess.Popen[bytes]", folder: Path) -> None:
    deadline = time.monotonic() + 20
    while not (folder / "nginx.pid").exists():
        log = folder / "error.log"
        assert process.poll() is None, log.read_text() if log.exists() else "nginx ended"
        assert time.monotonic() < deadline, "nginx did not start"
        time.sleep(0.02)
