"""An upload that goes on where it broke off: after a lost connection, a restart of either side.

    remembered? ──► offset ──► piece ──► piece ──► … ──► file ──► its sum is ours?
                      ▲          │
                      └── pause ◄┘ it broke: ask how much the server has

The protocol is tus 1.0.0. Of what a server answers only ids are taken: requests go to the server
that was given, and to no other.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol

import httpx

from pixelmill.wire.errors import (
    ApiError,
    ConnectionFailed,
    InvalidInput,
    NotFound,
    UnexpectedAnswer,
)
from pixelmill.wire.transport import LONGEST_HOLD_S, Call, Transport, json_object

OnUpload = Callable[[int], None]

# Larger files go up so that they can resume.
RESUMED_FROM = 64 * 1024 * 1024

_PATH = "/v1/uploads"
# One request brings so much. A proxy that takes a request whole before it passes it on (nginx's
# default) loses no more than that.
_PIECE = 32 * 1024 * 1024
# Tries without a single byte kept between them: about two minutes, in which a server restarts.
_PATIENCE = 20
_ID = re.compile(r"/(upl_[0-9a-z]{26})/?$")
_GONE = (404, 410)
_VERSION = {"Tus-Resumable": "1.0.0"}


@dataclass(frozen=True, slots=True)
class Source:
    """Bytes that can be read again: `blocks` gives them from a place on.

    `mark` tells this content from another, to find its upload again; None where nothing can.
    """

    name: str
    length: int
    blocks: Callable[[int], Iterator[bytes]]
    mark: str | None = None


class Memory(Protocol):
    """Remembers which upload a source has begun, by its mark."""

    def find(self, mark: str) -> str | None:
        """Give the upload's id."""

    def keep(self, mark: str, upload_id: str) -> None:
        """Remember it."""

    def forget(self, mark: str) -> None:
        """Forget it: it is over."""


class ForgetfulMemory:
    """Remembers nothing."""

    def find(self, _mark: str) -> str | None:
        """Give None."""
        return None

    def keep(self, mark: str, upload_id: str) -> None:
        """Do nothing."""

    def forget(self, mark: str) -> None:
        """Do nothing."""


def upload_resuming(
    transport: Transport, source: Source, on_upload: OnUpload | None, memory: Memory
) -> dict[str, Any] | None:
    """Bring a source to the server; gives its file, None where the server knows no such uploads.

    Raises ApiError and ConnectionFailed once patience is over: what came is kept by the server, and
    found again by the memory. Raises InvalidInput when the source changes meanwhile.
    """
    upload = _Upload(transport, source, on_upload or (lambda _: None), memory)
    try:
        return upload.run()
    except NotFound:
        if upload.has_begun:
            raise
        return None


class _Upload:
    def __init__(
        self, transport: Transport, source: Source, on_upload: OnUpload, memory: Memory
    ) -> None:
        self._transport, self._source = transport, source
        self._on_upload, self._memory = on_upload, memory
        self._reading = _Reading(source)
        self._id = ""

    @property
    def has_begun(self) -> bool:
        return bool(self._id)

    def run(self) -> dict[str, Any]:
        offset = self._begin()
        failures = 0
        while offset < self._source.length:
            try:
                reached = self._send(offset)
            except (ApiError, ConnectionFailed) as err:
                failures += 1
                self._pause(err, failures)
                reached = self._ask(offset)
            if reached > offset:
                failures = 0
            offset = reached
        file = self._file()
        self._forget()
        return self._checked(file)

    def _begin(self) -> int:
        """Find the upload that was begun before, or begin one; gives how much the server has."""
        known = self._memory.find(self._source.mark) if self._source.mark else None
        if known is not None:
            self._id = known
            try:
                return self._offset(repeatable=True)
            except ApiError as err:
                if err.status not in _GONE:
                    raise
                self._id = ""
                self._forget()
        self._create()
        return 0

    def _create(self) -> None:
        name = base64.b64encode(self._source.name.encode()).decode()
        headers = {
            "Upload-Length": str(self._source.length),
            "Upload-Metadata": f"filename {name}",
        }
        # Begun twice, the first one expires by itself.
        answer = self._transport.send(
            Call("POST", _PATH, headers=_VERSION | headers, repeatable=True)
        )
        found = _ID.search(answer.headers.get("Location", ""))
        if found is None:
            raise UnexpectedAnswer(f"the answer of {_PATH} does not say where the upload is.")
        self._id = found[1]
        if self._source.mark:
            self._memory.keep(self._source.mark, self._id)

    def _send(self, offset: int) -> int:
        """Send the next piece; gives how much the server has then."""
        length = min(_PIECE, self._source.length - offset)
        headers = {
            "Upload-Offset": str(offset),
            "Content-Type": "application/offset+octet-stream",
            "Content-Length": str(length),
        }

        def body() -> Iterator[bytes]:
            sent = offset
            for block in self._reading.piece(offset, length):
                yield block
                sent += len(block)
                self._on_upload(sent)

        call = Call("PATCH", self._path, headers=_VERSION | headers, body=body)
        return _offset_of(self._transport.send(call))

    def _ask(self, offset: int) -> int:
        """Ask how much the server has; while it cannot say, as much as before."""
        try:
            return self._offset(repeatable=False)
        except ConnectionFailed:
            return offset
        except ApiError as err:
            if err.status in _GONE or not self._transport.may_pass(err):
                raise
            return offset

    def _pause(self, err: ApiError | ConnectionFailed, failures: int) -> None:
        # A conflict says that the server has more, or less, than we thought.
        is_ours = isinstance(err, ApiError) and err.status == httpx.codes.CONFLICT
        if not (is_ours or self._transport.may_pass(err)):
            raise err
        self._transport.pause(err, failures, _PATIENCE)

    def _offset(self, *, repeatable: bool) -> int:
        call = Call("HEAD", self._path, headers=_VERSION, repeatable=repeatable)
        return _offset_of(self._transport.send(call))

    def _file(self) -> dict[str, Any]:
        """Wait until the server has put the file together, and give it."""
        file_id = None
        while file_id is None:
            call = Call("GET", self._path, repeatable=True, hold_s=LONGEST_HOLD_S)
            file_id = json_object(self._transport.send(call)).get("file_id")
        return json_object(
            self._transport.send(Call("GET", f"/v1/files/{file_id}", repeatable=True))
        )

    def _checked(self, file: dict[str, Any]) -> dict[str, Any]:
        if file.get("sha256") != self._reading.sha256():
            path = f"/v1/files/{file.get('id')}"
            self._transport.send(Call("DELETE", path, repeatable=True))
            raise InvalidInput(
                f"{self._source.name} changed while it was being sent; submit again."
            )
        return file

    def _forget(self) -> None:
        if self._source.mark:
            self._memory.forget(self._source.mark)

    @property
    def _path(self) -> str:
        return f"{_PATH}/{self._id}"


class _Reading:
    """Reads a source piece by piece, and sums it up on the way, whatever is sent twice."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._blocks: Iterator[bytes] = iter(())
        self._at = -1
        self._sum, self._summed = hashlib.sha256(), 0

    def piece(self, offset: int, length: int) -> Iterator[bytes]:
        """Give so many bytes from a place on; raises InvalidInput when there are fewer, or more."""
        if self._at != offset:
            self._blocks, self._at = self._source.blocks(offset), offset
        end = offset + length
        while self._at < end:
            block = next(self._blocks, b"")
            if not block:
                self._refuse()
            if len(block) > end - self._at:
                block, rest = block[: end - self._at], block[end - self._at :]
                self._blocks = chain([rest], self._blocks)
            if self._at + len(block) == self._source.length and next(self._blocks, b""):
                self._refuse()
            self._note(block)
            self._at += len(block)
            yield block

    def sha256(self) -> str:
        """Give the sum of the whole source, reading what was not read here."""
        self._catch_up(self._source.length)
        return self._sum.hexdigest()

    def _note(self, block: bytes) -> None:
        if self._summed < self._at:
            self._catch_up(self._at)
        self._sum.update(block[self._summed - self._at :])
        self._summed = max(self._summed, self._at + len(block))

    def _catch_up(self, end: int) -> None:
        for block in self._source.blocks(self._summed) if self._summed < end else ():
            taken = block[: end - self._summed]
            self._sum.update(taken)
            self._summed += len(taken)
            if self._summed == end:
                return

    def _refuse(self) -> None:
        self._at = -1
        raise InvalidInput(f"{self._source.name} changed while it was being sent; submit again.")


def _offset_of(answer: httpx.Response) -> int:
    text = answer.headers.get("Upload-Offset", "")
    if not text.isdecimal():
        raise UnexpectedAnswer(f"{answer.request.url.path} does not say how much of it is there.")
    return int(text)
