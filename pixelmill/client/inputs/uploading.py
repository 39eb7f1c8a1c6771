"""How files, file objects and folders go up: large ones so that they resume.

path          ──► by its size ──► one request, or an upload that resumes
file object   ──► the same where it can be read again, else one request
folder, list  ──► a tar that is made on the way, whose length is known beforehand
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from pixelmill.client.inputs.planning import Drawn, Gathered, PathLike, Picked
from pixelmill.wire.errors import InvalidInput
from pixelmill.wire.resuming import RESUMED_FROM, Memory, OnUpload, Source, upload_resuming
from pixelmill.wire.tarstream import BLOCK_BYTES, file_size, read_blocks, tar_length, tar_stream
from pixelmill.wire.transport import Transport, json_object
from pixelmill.wire.uploads import file_upload, path_upload, upload_call


class Uploader:
    """Brings bytes to one server; `memory` is where unfinished uploads are found again."""

    def __init__(self, transport: Transport, memory: Memory) -> None:
        self._transport, self._memory = transport, memory

    def file(
        self, file: PathLike | BinaryIO, filename: str | None, on_upload: OnUpload | None
    ) -> dict[str, Any]:
        """Upload a file, or what a binary file object holds from its position on."""
        if isinstance(file, str | os.PathLike):
            path = Path(file)
            call = path_upload(path, filename, on_upload)
            source: Source | None = path_source(path, filename)
        else:
            call = file_upload(file, filename, on_upload)
            source = object_source(file, str(call.params["filename"]))
        resumed = self._resumed(source, on_upload)
        return resumed or json_object(self._transport.send(call))

    def folder(self, plan: Gathered | Picked, on_upload: OnUpload | None) -> dict[str, Any]:
        """Upload a folder's files, or those of a list, as a tar."""
        folder = plan.folder if isinstance(plan, Picked) else plan.roots[0]
        name = f"{folder.absolute().name or 'inputs'}.tar"
        resumed = self._resumed(tar_source(plan, name), on_upload)
        call = upload_call(name, lambda: tar_stream(plan), on_upload, repeatable=True)
        return resumed or json_object(self._transport.send(call))

    def pictures(self, plan: Drawn, on_upload: OnUpload | None) -> dict[str, Any]:
        """Upload pictures in memory as a tar; how long it is, is known when all are written."""
        call = upload_call(
            "pictures.tar", lambda: tar_stream(plan.pictures), on_upload, repeatable=True
        )
        return json_object(self._transport.send(call))

    def _resumed(self, source: Source | None, on_upload: OnUpload | None) -> dict[str, Any] | None:
        if source is None or source.length <= RESUMED_FROM:
            return None
        return upload_resuming(self._transport, source, on_upload, self._memory)


def path_source(path: Path, filename: str | None) -> Source:
    """Give a file on disk as a source, which is another once it has changed."""
    size = file_size(path)
    mark = f"file\n{path.absolute()}\n{size}\n{path.stat().st_mtime_ns}"
    return Source(filename or path.name, size, lambda offset: read_blocks(path, size, offset), mark)


def object_source(file: BinaryIO, name: str) -> Source | None:
    """Give a file object as a source, from its position on; None where it cannot be read again."""
    if not file.seekable():
        return None
    start = file.tell()
    file.seek(0, os.SEEK_END)
    length = file.tell() - start
    file.seek(start)

    def blocks(offset: int) -> Iterator[bytes]:
        file.seek(start + offset)
        while block := file.read(BLOCK_BYTES):
            if not isinstance(block, bytes):
                raise InvalidInput(f"{name} is open as text; open it in binary mode, 'rb'.")
            yield block

    return Source(name, length, blocks)


def tar_source(plan: Gathered | Picked, name: str) -> Source:
    """Give a folder's tar as a source, which is another once one of its files has changed."""
    seen = hashlib.sha256()
    length = tar_length(plan, lambda entry, stat: seen.update(
        f"{entry.name}\n{entry.path.absolute()}\n{stat.st_size}\n{stat.st_mtime_ns}\n".encode(
            "utf-8", "surrogateescape"
        )
    ))  # fmt: skip
    return Source(name, length, lambda offset: tar_stream(plan, offset), f"tar\n{seen.hexdigest()}")
