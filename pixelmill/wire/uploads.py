"""The requests that bring bytes to the server, read from their source while they are sent."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from pixelmill.wire.errors import InvalidInput
from pixelmill.wire.tarstream import BLOCK_BYTES, file_size, read_blocks
from pixelmill.wire.transport import Call

OnUpload = Callable[[int], None]
Body = Callable[[], Iterator[bytes]]


def path_upload(path: Path, filename: str | None, on_upload: OnUpload | None) -> Call:
    """Give the upload of a file on disk."""
    if not path.is_file():
        raise InvalidInput(f"{path} is no file that can be uploaded; submit takes folders.")
    size = file_size(path)
    # The length lets the server refuse a file that is too large before it was sent.
    return upload_call(
        filename or path.name,
        lambda: read_blocks(path, size),
        on_upload,
        repeatable=True,
        headers={"Content-Length": str(size)},
    )


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


def upload_call(
    name: str,
    body: Body,
    on_upload: OnUpload | None,
    *,
    repeatable: bool,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Call:
    """Give the upload of what `body` makes, under the name `name`."""
    return Call(
        "POST",
        "/v1/files",
        params={"filename": name},
        body=(lambda: _counted(body(), on_upload)) if on_upload else body,
        headers={"Content-Type": "application/octet-stream", **headers},
        repeatable=repeatable,
    )


def _counted(blocks: Iterator[bytes], on_upload: OnUpload) -> Iterator[bytes]:
    sent = 0
    for block in blocks:
        yield block
        sent += len(block)
        on_upload(sent)
