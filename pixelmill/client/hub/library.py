"""The library that speaks to the hub: opened for one pull, quiet, and not before it is needed.

HF_ENDPOINT, HF_HOME, HF_TOKEN and the other variables of huggingface_hub mean what they mean there.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pixelmill.wire.connection import is_loopback
from pixelmill.wire.errors import ConnectionFailed, InvalidInput, NotConfigured
from pixelmill.wire.transport import installed_version


@dataclass(frozen=True, slots=True)
class Hub:
    """The hub: its address, the library's calls, and the folder where files are kept."""

    endpoint: str
    # huggingface_hub.HfApi
    api: Any
    cache: Path

    @property
    def has_token(self) -> bool:
        """Whether the environment or a login gives the library a token."""
        from huggingface_hub import get_token

        return get_token() is not None


@contextmanager
def open_hub(endpoint: str | None = None, cache: Path | None = None) -> Iterator[Hub]:
    """Give the hub; `endpoint` and `cache` are the environment's unless given.

    Raises InvalidInput where the library is missing, ConnectionFailed where it was told to stay
    offline, NotConfigured where the environment has a proxy or a variable that cannot be used.
    """
    # Else it would tell the hub what else is installed here, and who runs it.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        import huggingface_hub
        from huggingface_hub import constants
    except ImportError as err:
        raise InvalidInput(
            "pull takes huggingface_hub, which is not installed here: pip install 'pixelmill[hub]'."
        ) from err
    except ValueError as err:
        raise NotConfigured(
            f"huggingface_hub cannot read its variables of the environment ({err}): mend or unset "
            "HF_ENDPOINT and whatever else begins with HF_."
        ) from err
    if huggingface_hub.is_offline_mode():
        raise ConnectionFailed(
            "HF_HUB_OFFLINE is set, so that the hub is not asked: unset it, or push a folder that "
            "is here already."
        )
    address = (endpoint or os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")
    with _quiet(), _connected(address):
        api = huggingface_hub.HfApi(
            endpoint=address, library_name="pixelmill", library_version=installed_version()
        )
        yield Hub(address, api, cache or Path(constants.HF_HUB_CACHE))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library's warnings back: they show addresses that are signed, and so are keys."""
    from huggingface_hub.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


@contextmanager
def _connected(endpoint: str) -> Iterator[None]:
    """Have the library ask no proxy for this machine itself."""
    import httpx2
    from huggingface_hub import get_session, set_client_factory
    from huggingface_hub.utils import _http

    if not is_loopback(urlsplit(endpoint).hostname or ""):
        try:
            get_session()
        except (ImportError, ValueError, OSError, httpx2.InvalidURL) as err:
            raise NotConfigured(
                f"{endpoint} cannot be called as the environment wants it: {err} Mend or unset "
                "HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE or SSL_CERT_DIR."
            ) from err
        yield
        return
    # Each of the library's calls has a timeout of its own.
    direct = {"trust_env": False, "follow_redirects": True, "timeout": None}
    set_client_factory(lambda: httpx2.Client(**direct))
    try:
        yield
    finally:
        set_client_factory(_http.default_client_factory)
