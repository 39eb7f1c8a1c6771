"""The requests that bring bytes to the server, read from their source while they are sent."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from pixelmill.errors import InvalidInput
from pixelmill.tarstream import BLOCK_BYTES, read_blocks
from pixelmill.transport import Call

OnUpload = Callable[[int], None]
Body = Callable[[], Iterator[bytes]]


def path_upload(path: Path, filename: str | None, on_upload: OnUpload | None) -> Call:
    """Give the upload of a file on disk."""
    if not path.is_file():
        raise InvalidInput(f"{path} is no file that can be uploaded; submit takes folders.")
    return upload_call(filename or path.name, lambda: read_blocks(path), on_upload, repeatable=True)


def file_upload(file: BinaryIO, filename: str | None, on_upload: OnUpload | None) -> Call:
    """Give the upload of a binary file object, from its position to its end."""
    name = filename or getattr(file, "name", None)
    if not isinstance(name, str):
        raise InvalidInput("this file object has no name; give `filename`, such as 'batch.zip'.")
    repeatable = file.seekable()
    start = file.tell() if repeatable else 0

    def body() -> Iterator[bytes]:
        if repeatable:
            file.seek(start)
        while block := file.read(BLOCK_BYTES):
            if not isinstance(block, bytes):
                raise InvalidInput(f"{name} is open as text; open it in binary mode, 'rb'.")
            yield block

    return upload_call(Path(name).name, body, on_upload, repeatable=repeatable)


def upload_call(name: str, body: Body, on_upload: OnUpload | None, *, repeatable: bool) -> Call:
    """Give the upload of what `body` makes, under the name `name`."""
    return Call(
        "POST",
        "/v1/files",
        params={"filename": name},
        body=(lambda: _counted(body(), on_upload)) if on_upload else body,
        headers={"Content-Type": "application/octet-stream"},
        repeatable=repeatable,
    )


def _counted(blocks: Iterator[bytes], on_upload: OnUpload) -> Iterator[bytes]:
    sent = 0
    for block in blocks:
        yield block
        sent += len(block)
        on_upload(sent)
