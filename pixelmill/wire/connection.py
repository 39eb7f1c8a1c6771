"""Which server to speak to, and with which key.

Looked for in this order: the arguments, the environment, the local stack that `pixelmill up` runs.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from pixelmill.wire.errors import NotConfigured

DEFAULT_DATA = Path(".pixelmill")
STACK_FILE = "stack.json"


@dataclass(frozen=True, slots=True)
class Connection:
    """A server's address, its key, and where the address was found (for messages)."""

    url: str
    api_key: str = field(repr=False)
    source: str

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine, where no proxy of the environment can reach it."""
        return is_loopback(urlsplit(self.url).hostname or "")


def is_loopback(host: str) -> bool:
    """Say whether a host's name or address means this machine itself (RFC 6761, 6.3)."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def find_connection(
    url: str | None = None,
    api_key: str | None = None,
    data: Path | None = None,
    env: Mapping[str, str] = os.environ,
) -> Connection:
    """Find server and key; raises NotConfigured, saying what to set, if either is unknown."""
    source = "the url that was given" if url else "PIXELMILL_URL"
    url = url or env.get("PIXELMILL_URL")
    api_key = api_key or env.get("PIXELMILL_API_KEY")
    if not url:
        file = _stack_file(data, env)
        stack = read_stack(file)
        # The stack's key goes to the stack alone: never to a server that somebody else named.
        url, api_key, source = stack.get("url"), api_key or stack.get("api_key"), str(file)
    if not url:
        raise NotConfigured(
            f"no Pixelmill server is known: PIXELMILL_URL is not set and {file} names none. "
            "Start a local stack with `pixelmill up`, or set PIXELMILL_URL and PIXELMILL_API_KEY."
        )
    if not api_key:
        raise NotConfigured(f"no key for {url} is known: set PIXELMILL_API_KEY.")
    return Connection(_checked(url, source), _checked_key(api_key.strip()), source)


def read_stack(file: Path) -> dict[str, Any]:
    """Read what a running local stack says of itself; empty if there is none."""
    try:
        stack = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as err:
        raise NotConfigured(
            f"{file} cannot be read ({err}); stop the stack, remove the file, `pixelmill up`."
        ) from err
    return stack if isinstance(stack, dict) else {}


def find_stack_here(env: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Read what the local stack of the environment's folder says; empty if none runs there."""
    return read_stack(_stack_file(None, env))


def _stack_file(data: Path | None, env: Mapping[str, str]) -> Path:
    return (data or Path(env.get("PIXELMILL_DATA") or DEFAULT_DATA)) / STACK_FILE


def _checked(url: str, source: str) -> str:
    if not _is_address(url):
        raise NotConfigured(f"{url!r} ({source}) is no URL; it should look like http://host:8080.")
    return url.rstrip("/").removesuffix("/v1")


def _is_address(url: str) -> bool:
    try:
        # The client's own reading of it, which knows more faults than the library's.
        parts, read = urlsplit(url), httpx.URL(url)
        return parts.scheme in ("http", "https") and bool(read.host) and parts.port != 0
    except (ValueError, httpx.InvalidURL):
        return False


def _checked_key(key: str) -> str:
    """Give a key that can stand in a header; a message never shows one that cannot."""
    if not (key.isascii() and key.isprintable()):
        raise NotConfigured(
            "the key has characters that no key has, such as letters outside ASCII or line ends: "
            "set PIXELMILL_API_KEY to what `keys create` has printed."
        )
    return key
