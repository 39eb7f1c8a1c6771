"""From what a job was given to the stream of its items: archives, JSONL, requests, uploads.

    upload ──sniff──┬─ zip, tar ────────► a byte range of the upload for each member
                    ├─ tar.gz ──────────► unpacked once, as a stream, into a pack; then as tar
                    ├─ JSONL ───────────► a URL, a file's bytes, or a range of the pack a line
                    └─ anything else ───► one item: the upload itself

Everything is a generator over bounded memory. Faults of single lines are gathered, so that a caller
learns of all of them at once, and raised together as InvalidInput; then no job comes of it.
"""

import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

from sqlalchemy import select

from jobs.archives import ArchiveError, Limits, Member, expand_gzip, sniff, walk_tar, walk_zip
from jobs.bootstrap import Ground
from jobs.errors import InvalidInput, LineError
from jobs.manifests import Item
from jobs.packs import Pack
from jobs.requests import Request, RequestError, parse_request
from jobs.tables import File

# Requests whose files are looked up with one query.
_BATCH = 500
_BATCH_BYTES = 32 * 1024 * 1024

_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Upload:
    """One part of a multipart body: an image, and the name that it came under."""

    custom_id: str
    stream: BinaryIO


@dataclass(frozen=True, slots=True)
class Agreed:
    """What the job says, which no line of a JSONL file may contradict."""

    model: str
    params: dict[str, Any]


def items_of_file(
    ground: Ground, file: File, pack: Pack, agreed: Agreed, beat: Callable[[], None]
) -> Iterator[Item]:
    """Walk an uploaded file; raises InvalidInput when it is corrupt or a line is at fault.

    `beat` is called now and then while work goes on of which no item comes yet.
    """
    with ground.storage.open(file.blob) as stream:
        head = stream.read(_CHUNK)
        stream.seek(0)
        kind = sniff(head)
        try:
            if kind == "zip":
                yield from _members(walk_zip(stream, _limits(ground)), file.blob)
            elif kind == "tar":
                yield from _members(walk_tar(stream, _limits(ground)), file.blob)
            elif kind == "gzip":
                yield from _repacked(ground, stream, pack, beat)
            elif looks_like_jsonl(head):
                yield from _items_of_lines(ground, file.tenant_id, stream, pack, agreed)
            else:
                yield Item(file.filename, "raw", file.blob, 0, file.bytes, file.bytes)
        except ArchiveError as err:
            raise InvalidInput(f"{file.filename}: {err}", code=err.code) from err


def items_of_requests(
    ground: Ground, tenant_id: str, requests: Iterable[Request], pack: Pack, agreed: Agreed
) -> Iterator[Item]:
    """Give the items of requests that came in one JSON body."""
    faults = _Faults(ground.settings.max_line_errors, "Item")
    numbered = _agreeing(enumerate(requests, start=1), agreed, faults)
    yield from _located(ground, tenant_id, numbered, pack, faults)
    faults.raise_if_any()


def items_of_uploads(uploads: Iterable[Upload], pack: Pack) -> Iterator[Item]:
    """Give the items of the parts of one multipart body."""
    for upload in uploads:
        start, length = pack.add(iter(partial(upload.stream.read, _CHUNK), b""))
        yield Item(upload.custom_id, "raw", pack.name, start, length, length)


def looks_like_jsonl(head: bytes) -> bool:
    """Say whether a file begins as JSON Lines of objects do; no image format does."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{"


def first_request(ground: Ground, file: File) -> Request | None:
    """Read the first line of a JSONL file; None when it is no JSONL or that line is at fault."""
    with ground.storage.open(file.blob) as stream:
        line = io.BufferedReader(stream, _CHUNK).readline(_longest_line(ground))  # type: ignore[type-var]  # a RawIOBase
    try:
        return parse_request(json.loads(line.removeprefix(b"\xef\xbb\xbf")), 0)
    except (ValueError, RecursionError):
        return None


def _limits(ground: Ground) -> Limits:
    settings = ground.settings
    return Limits(
        max_members=settings.max_items,
        max_member_bytes=settings.max_item_bytes,
        max_total_bytes=settings.max_archive_bytes,
    )


def _members(members: Iterable[Member], blob: str) -> Iterator[Item]:
    for member in members:
        yield Item(member.name, member.encoding, blob, member.offset, member.length, member.size)


def _repacked(
    ground: Ground, stream: BinaryIO, pack: Pack, beat: Callable[[], None]
) -> Iterator[Item]:
    """Unpack a tar.gz into a pack of its own, then walk that: a gzip stream has no byte ranges."""
    with pack.sibling() as tar:
        tar.add(_beating(expand_gzip(stream, _limits(ground)), beat))
    with ground.storage.open(tar.name) as unpacked:
        if sniff(unpacked.read(_CHUNK)) != "tar":
            raise InvalidInput(
                "The gzip file does not hold a tar archive. Send a .tar.gz, or the image itself.",
                code="unsupported_archive",
            )
        unpacked.seek(0)
        yield from _members(walk_tar(unpacked, _limits(ground)), tar.name)


def _beating(chunks: Iterable[bytes], beat: Callable[[], None]) -> Iterator[bytes]:
    for chunk in chunks:
        beat()
        yield chunk


def _longest_line(ground: Ground) -> int:
    # Base64 makes four characters of three bytes; the rest of a line is small.
    return ground.settings.max_item_bytes * 4 // 3 + 64 * 1024


def _items_of_lines(
    ground: Ground, tenant_id: str, stream: BinaryIO, pack: Pack, agreed: Agreed
) -> Iterator[Item]:
    faults = _Faults(ground.settings.max_line_errors, "Line")
    requests = _parsed_lines(stream, _longest_line(ground), agreed, faults)
    yield from _located(ground, tenant_id, requests, pack, faults)
    faults.raise_if_any()


def _parsed_lines(
    stream: BinaryIO, longest: int, agreed: Agreed, faults: "_Faults"
) -> Iterator[tuple[int, Request]]:
    """Read line after line; a faulty one is noted and left out. Lines are numbered from 1."""
    reader = io.BufferedReader(stream, _CHUNK)  # type: ignore[type-var]  # a RawIOBase
    index = 0
    for number, line in enumerate(iter(lambda: reader.readline(longest + 1), b""), start=1):
        if len(line) > longest:
            raise InvalidInput(
                f"Line {number} is longer than {longest:,} bytes.", code="line_too_long"
            )
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line.strip():
            continue
        try:
            request = parse_request(json.loads(line), index)
            _check_agreed(request, agreed)
            yield number, request
        except RequestError as err:
            faults.note(number, "invalid_request", str(err), err.param)
        except (ValueError, RecursionError) as err:
            faults.note(number, "invalid_json_line", f"This is not valid JSON: {err}.", None)
        index += 1


def _agreeing(
    numbered: Iterable[tuple[int, Request]], agreed: Agreed, faults: "_Faults"
) -> Iterator[tuple[int, Request]]:
    for number, request in numbered:
        try:
            _check_agreed(request, agreed)
            yield number, request
        except RequestError as err:
            faults.note(number, "invalid_request", str(err), err.param)


def _check_agreed(request: Request, agreed: Agreed) -> None:
    if request.model is not None and request.model != agreed.model:
        raise RequestError(
            f"`body.model` is {request.model!r}, but the job runs {agreed.model!r}: "
            "one model a job.",
            "body.model",
        )
    if request.params and request.params != agreed.params:
        raise RequestError(
            "`body.params` differ from the job's: one set of parameters a job.", "body.params"
        )


def _located(
    ground: Ground,
    tenant_id: str,
    numbered: Iterable[tuple[int, Request]],
    pack: Pack,
    faults: "_Faults",
) -> Iterator[Item]:
    """Turn requests into items, looking their files up some hundred at a time."""
    for batch in _batches(numbered):
        files = _find_files(ground, tenant_id, [request.file_id for _, request in batch])
        for number, request in batch:
            if request.file_id is not None and request.file_id not in files:
                text = f"There is no file {request.file_id!r}."
                faults.note(number, "file_not_found", text, "input.file_id")
                continue
            yield _item(request, files, pack)


def _batches(numbered: Iterable[tuple[int, Request]]) -> Iterator[list[tuple[int, Request]]]:
    """Gather requests by number and by bytes, whichever comes first."""
    batch: list[tuple[int, Request]] = []
    held = 0
    for number, request in numbered:
        batch.append((number, request))
        held += len(request.data or b"")
        if len(batch) == _BATCH or held > _BATCH_BYTES:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def _item(request: Request, files: dict[str, File], pack: Pack) -> Item:
    if request.url is not None:
        return Item(request.custom_id, "url", url=request.url)
    if request.file_id is not None:
        file = files[request.file_id]
        return Item(request.custom_id, "raw", file.blob, 0, file.bytes, file.bytes)
    start, length = pack.add([request.data or b""])
    return Item(request.custom_id, "raw", pack.name, start, length, length)


def _find_files(ground: Ground, tenant_id: str, ids: list[str | None]) -> dict[str, File]:
    wanted = {file_id for file_id in ids if file_id is not None}
    if not wanted:
        return {}
    with ground.database.read() as session:
        found = session.scalars(
            select(File).where(File.tenant_id == tenant_id, File.id.in_(wanted))
        )
        return {file.id: file for file in found}


class _Faults:
    """Gathers the faults of single lines, up to a limit."""

    def __init__(self, limit: int, word: str) -> None:
        self._limit, self._word = limit, word
        self._faults: list[LineError] = []

    def note(self, number: int, code: str, text: str, param: str | None) -> None:
        message = f"{self._word} {number}: {text}"
        self._faults.append({"code": code, "message": message, "param": param, "line": number})
        if len(self._faults) >= self._limit:
            self.raise_if_any()

    def raise_if_any(self) -> None:
        if self._faults:
            first = self._faults[0]
            raise InvalidInput(
                first["message"], code=first["code"], param=first["param"], lines=self._faults
            )
