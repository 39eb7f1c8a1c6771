"""A folder of the server's own disk (file://): no link is followed, whoever puts one there.

Each step of a path is opened below the one before, and none may be a link. What a file's ETag is
elsewhere, its time of change, size and number are here.
"""

import errno
import os
import stat
from collections.abc import Iterator

from jobs.buckets.errors import denied, no_file, object_changed, object_gone, unreachable
from jobs.buckets.locations import Location
from jobs.buckets.remote import Beat, Found, Passed

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A pipe would be waited for.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class FolderBucket:
    """The server's disk; safe to share between threads."""

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def list(self, folder: Location, _beat: Beat) -> Iterator[Found | Passed]:
        """Give every file below a folder in the order of names; raises BucketError.

        It holds the names of one folder at a time, and of those around it.
        """
        yield from self._walk(folder)

    def head(self, location: Location) -> Found:
        """Say what a file is now; raises BucketError."""
        number = _opened(location)
        try:
            return _found(location.key, os.fstat(number))
        finally:
            os.close(number)

    def read(self, location: Location, known: Found, start: int, length: int) -> bytes:
        """Read a run of a file's bytes, if it is still the one that is known."""
        number = _opened(location)
        try:
            if _found(location.key, os.fstat(number))[1:] != known[1:]:
                raise object_changed(location)
            data = os.pread(number, length, start)
        except OSError:
            raise unreachable(location) from None
        finally:
            os.close(number)
        if len(data) != length:
            raise object_changed(location)
        return data

    def _walk(self, folder: Location) -> Iterator[Found | Passed]:
        number = _open_below(folder, _FOLDER)
        try:
            with os.scandir(number) as scan:
                names = sorted(entry.name for entry in scan)
            for name in names:
                try:
                    found = os.stat(name, dir_fd=number, follow_symlinks=False)
                except FileNotFoundError:
                    continue
                yield from self._entry(folder, name, found)
        except OSError:
            raise denied(folder) from None
        finally:
            os.close(number)

    def _entry(
        self, folder: Location, name: str, found: os.stat_result
    ) -> Iterator[Found | Passed]:
        key = f"{folder.key}/{name}"
        if not _is_text(name):
            yield Passed(os.fsencode(key).decode("utf-8", "replace"), "unreadable_name")
        elif stat.S_ISLNK(found.st_mode):
            yield Passed(key, "symlink")
        elif stat.S_ISDIR(found.st_mode):
            yield from self._walk(Location("file", "", (*folder.parts, name)))
        elif stat.S_ISREG(found.st_mode):
            yield _found(key, found)
        else:
            yield Passed(key, "device")


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _found(key: str, found: os.stat_result) -> Found:
    return Found(key, found.st_size, f"{found.st_mtime_ns:x}-{found.st_ino:x}")


def _opened(location: Location) -> int:
    number = _open_below(location, _FILE)
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise no_file(location)
    return number


def _open_below(location: Location, flags: int) -> int:
    """Open step by step from the root of the disk; the caller closes what it gets."""
    number = os.open("/", _FOLDER)
    try:
        *folders, last = location.parts
        for name in folders:
            deeper = os.open(name, _FOLDER, dir_fd=number)
            os.close(number)
            number = deeper
        return os.open(last, flags, dir_fd=number)
    except PermissionError:
        raise denied(location) from None
    except OSError as err:
        is_link = err.errno in (errno.ELOOP, errno.ENOTDIR)
        raise (no_file if is_link else object_gone)(location) from None
    finally:
        os.close(number)
