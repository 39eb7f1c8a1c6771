"""Results into a folder of the server's own disk (file://): no link is followed on the way there.

What the operator allowed has to be there, so that a disk that is not mounted is not written beside;
folders below it are made. A file is written under a name of its own, and renamed when it is whole.
"""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator

from jobs.buckets.errors import (
    BucketError,
    bucket_full,
    bucket_gone,
    no_folder,
    takes_nothing,
    unreachable,
)
from jobs.buckets.locations import Location

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_UNFINISHED = ".writing"


class FolderOutlet:
    """A folder below one that the operator allowed to be written."""

    def __init__(self, allowed: Location) -> None:
        self._allowed = allowed

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def put(self, location: Location, data: bytes) -> str:
        """Write a file, whole or not at all; gives no ETag. Raises BucketError."""
        *_, name = location.parts
        try:
            with self._folder_of(location) as folder:
                _forget_unfinished(folder, name)
                _write(folder, name, data)
        except OSError as err:
            raise _failure(location, err) from None
        return ""

    @contextlib.contextmanager
    def _folder_of(self, location: Location) -> Iterator[int]:
        """Open step by step from the root of the disk, and make what is missing."""
        number = os.open("/", _FOLDER)
        try:
            for depth, name in enumerate(location.parts[:-1]):
                if depth >= len(self._allowed.parts):
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(name, dir_fd=number)
                deeper = os.open(name, _FOLDER, dir_fd=number)
                os.close(number)
                number = deeper
            yield number
        finally:
            os.close(number)


def _write(folder: int, name: str, data: bytes) -> None:
    # What it replaces stays whole until it is there, and a link in its place is replaced itself.
    unfinished = f".{name}.{secrets.token_hex(4)}{_UNFINISHED}"
    number = os.open(unfinished, _NEW_FILE, 0o666, dir_fd=folder)
    try:
        with open(number, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.rename(unfinished, name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(unfinished, dir_fd=folder)
        raise


def _forget_unfinished(folder: int, name: str) -> None:
    """Delete what an earlier try began to write under this name, and was killed."""
    with os.scandir(folder) as scan:
        names = [each.name for each in scan]
    for each in names:
        if each.startswith(f".{name}.") and each.endswith(_UNFINISHED):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(each, dir_fd=folder)


def _failure(location: Location, err: OSError) -> BucketError:
    if err.errno in (errno.ELOOP, errno.ENOTDIR, errno.EISDIR):
        return no_folder(location)
    if err.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return bucket_full(location)
    if err.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return takes_nothing(location)
    return bucket_gone(location) if err.errno == errno.ENOENT else unreachable(location)
