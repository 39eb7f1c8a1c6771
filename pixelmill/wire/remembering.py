"""Uploads that were begun and not finished, remembered in a folder of the user's own.

One small file each, which no one else may read: the server, the upload's id, and no key.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

# The server forgets an upload to which nothing came for a day.
_KEPT_S = 7 * 86_400


class UploadMemory:
    """Remembers, for one server, which upload a source has begun.

    A folder that cannot be read or written is no reason to fail: then nothing is remembered.
    """

    def __init__(self, folder: Path, server: str) -> None:
        self._folder, self._server = folder, server

    def find(self, mark: str) -> str | None:
        """Give the id of the upload that was begun."""
        try:
            said = json.loads(self._file(mark).read_text("utf-8"))
        except (OSError, ValueError):
            return None
        found = said.get("upload_id") if isinstance(said, dict) else None
        return found if isinstance(found, str) else None

    def keep(self, mark: str, upload_id: str) -> None:
        """Remember an upload, and drop what nobody will ask for again."""
        said = {"server": self._server, "upload_id": upload_id}
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._drop_old()
            file = self._file(mark)
            draft = file.with_suffix(f".{os.getpid()}")
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            with os.fdopen(os.open(draft, flags, 0o600), "w", encoding="utf-8") as opened:
                json.dump(said, opened)
            draft.replace(file)

    def forget(self, mark: str) -> None:
        """Forget an upload."""
        with suppress(OSError):
            self._file(mark).unlink(missing_ok=True)

    def _file(self, mark: str) -> Path:
        digest = hashlib.sha256(f"{self._server}\n{mark}".encode("utf-8", "surrogateescape"))
        return self._folder / f"{digest.hexdigest()[:32]}.json"

    def _drop_old(self) -> None:
        for file in self._folder.iterdir():
            with suppress(OSError):
                if file.stat().st_mtime < time.time() - _KEPT_S:
                    file.unlink()


def state_folder(env: Mapping[str, str] = os.environ) -> Path:
    """Give the folder of a user in which programs keep what they would miss after a restart."""
    if sys.platform == "win32":
        base = Path(env.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        # https://specifications.freedesktop.org/basedir-spec/latest/
        base = Path(env.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return base / "pixelmill" / "uploads"
