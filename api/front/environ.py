"""From an ASGI scope to the WSGI environ that Flask reads a request from (PEP 3333)."""

import io
import sys
from typing import Any
from urllib.parse import unquote_to_bytes

from api.bodies.admission import IS_FED


def environ_of(scope: Any) -> dict[str, Any]:
    """Give the environ of a request whose body is fed piece by piece."""
    server = scope.get("server") or ("localhost", 80)
    path = unquote_to_bytes(scope["raw_path"]).decode("latin-1")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1] or 80),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        IS_FED: True,
    }
    if scope.get("client"):
        environ["REMOTE_ADDR"] = scope["client"][0]
    for name, value in scope["headers"]:
        # A header with `_` would be read as another one with `-`.
        if b"_" not in name:
            _add(environ, name.decode("latin-1"), value.decode("latin-1"))
    return environ


def _add(environ: dict[str, Any], name: str, value: str) -> None:
    key = name.upper().replace("-", "_")
    if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        key = f"HTTP_{key}"
    # What comes twice is one list, but for cookies.
    joint = ";" if key == "HTTP_COOKIE" else ","
    environ[key] = f"{environ[key]}{joint}{value}" if key in environ else value
