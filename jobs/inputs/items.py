"""From what a job was given to the stream of its items: archives, JSONL, requests, uploads.

    upload ──sniff──┬─ an archive ────► a byte range for each member (jobs.inputs.archive_items)
                    ├─ JSONL ─────────► a URL, a file's bytes, or a range of the pack a line
                    └─ anything else ─► one item: the upload itself

Everything is a generator over bounded memory. Faults of single lines are gathered, so that a caller
learns of all of them at once, and raised together as InvalidInput; then no job comes of it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

from sqlalchemy import select

from jobs.archives import ArchiveError, ArchiveKind, sniff_file
from jobs.base.bootstrap import Ground
from jobs.base.errors import InvalidInput
from jobs.base.json_text import read_json
from jobs.inputs.archive_items import IN_PROCESS, Archives, Walk
from jobs.inputs.budgets import fit_name
from jobs.inputs.manifest_files import (
    HEAD,
    Faults,
    check_manifest,
    is_meant_as_manifest,
    numbered_lines,
)
from jobs.inputs.manifests import Item
from jobs.inputs.packs import Pack
from jobs.inputs.requests import Request, RequestError, parse_request
from jobs.inputs.skipping import Skips
from jobs.tables import File, Requested

# Requests whose files are looked up with one query.
_BATCH = 500
_BATCH_BYTES = 32 * 1024 * 1024

_CHUNK = 1024 * 1024
# Of one line of JSONL: an item has ten, and room for its parameters.
_VALUES_A_LINE = 100_000


@dataclass(frozen=True, slots=True)
class Upload:
    """One part of a multipart body: an image, and the name that it came under."""

    custom_id: str
    stream: BinaryIO


def items_of_file(
    ground: Ground,
    file: File,
    pack: Pack,
    requested: Requested,
    beat: Callable[[], None],
    skips: Skips | None = None,
    archives: Archives = IN_PROCESS,
) -> Iterator[Item]:
    """Walk an uploaded file; raises InvalidInput when it is corrupt or a line is at fault.

    `beat` is called now and then while work goes on of which no item comes yet; `skips` learns of
    the files that become no item.
    """
    with ground.storage.open(file.blob) as stream:
        kind, is_manifest = _kind_of(stream, file.filename)
        try:
            if kind != "other":
                walk = Walk(ground, pack, Skips() if skips is None else skips, beat, archives)
                yield from walk.items(kind, stream, file.blob, file.bytes)
            elif is_manifest:
                yield from _items_of_lines(ground, file.tenant_id, stream, pack, requested)
            else:
                name = fit_name(file.filename)
                yield Item(name, "raw", file.blob, 0, file.bytes, file.bytes)
        except ArchiveError as err:
            raise InvalidInput(f"{file.filename}: {err}", code=err.code) from err


def names_its_items(ground: Ground, file: File) -> bool:
    """Say whether a file's items have names that the caller gave them, as the lines of JSONL do."""
    with ground.storage.open(file.blob) as stream:
        return _kind_of(stream, file.filename)[1]


def _kind_of(stream: BinaryIO, filename: str) -> tuple[ArchiveKind, bool]:
    """Say which archive a file is, and whether a manifest; it then stands at its beginning.

    Raises InvalidInput for what was meant as a manifest and is none.
    """
    kind = sniff_file(stream)
    if kind != "other":
        return kind, False
    head = stream.read(HEAD)
    stream.seek(0)
    check_manifest(head, filename)
    return kind, is_meant_as_manifest(head, filename)


def items_of_requests(
    ground: Ground, tenant_id: str, requests: Iterable[Request], pack: Pack, requested: Requested
) -> Iterator[Item]:
    """Give the items of requests that came in one JSON body."""
    faults = Faults(ground.settings.max_line_errors, "Item")
    numbered = _agreeing(enumerate(requests, start=1), requested, faults)
    yield from _located(ground, tenant_id, numbered, pack, faults)
    faults.raise_if_any()


def items_of_uploads(uploads: Iterable[Upload], pack: Pack) -> Iterator[Item]:
    """Give the items of the parts of one multipart body."""
    for upload in uploads:
        start, length = pack.add(iter(partial(upload.stream.read, _CHUNK), b""))
        yield Item(fit_name(upload.custom_id), "raw", pack.name, start, length, length)


def first_request(ground: Ground, file: File) -> Request | None:
    """Read the first item of a manifest; None when the file is none, or begins with none.

    Raises InvalidInput when it is at fault.
    """
    with ground.storage.open(file.blob) as stream:
        _, is_manifest = _kind_of(stream, file.filename)
        # Blank lines may go on for gigabytes.
        has_begun = bool(stream.read(HEAD).strip())
        stream.seek(0)
        if not (is_manifest and has_begun):
            return None
        lines = _parsed_lines(ground, stream, None, Faults(1, "Line"))
        return next((request for _, request in lines), None)


def _longest_line(ground: Ground) -> int:
    # Base64 makes four characters of three bytes, and a line of it ends in `\\r\\n` as JSON writes
    # that; the rest of a line is small.
    return ground.settings.max_item_bytes * 3 // 2 + 64 * 1024


def _items_of_lines(
    ground: Ground, tenant_id: str, stream: BinaryIO, pack: Pack, requested: Requested
) -> Iterator[Item]:
    faults = Faults(ground.settings.max_line_errors, "Line")
    requests = _parsed_lines(ground, stream, requested, faults)
    yield from _located(ground, tenant_id, requests, pack, faults)
    faults.raise_if_any()


def _parsed_lines(
    ground: Ground, stream: BinaryIO, requested: Requested | None, faults: Faults
) -> Iterator[tuple[int, Request]]:
    """Read line after line; a faulty one is noted and left out. Lines are numbered from 1."""
    most_data = ground.settings.max_item_bytes
    lines = numbered_lines(stream, _longest_line(ground))
    for index, (number, line) in enumerate(lines):
        try:
            request = parse_request(read_json(line, _VALUES_A_LINE), index, most_data)
            if requested is not None:
                _check_requested(request, requested)
            yield number, request
        except RequestError as err:
            faults.note(number, "invalid_request", str(err), err.param)
        except (ValueError, RecursionError) as err:
            faults.note(number, "invalid_json_line", f"This is not valid JSON: {err}.", None)


def _agreeing(
    numbered: Iterable[tuple[int, Request]], requested: Requested, faults: Faults
) -> Iterator[tuple[int, Request]]:
    for number, request in numbered:
        try:
            _check_requested(request, requested)
            yield number, request
        except RequestError as err:
            faults.note(number, "invalid_request", str(err), err.param)


def _check_requested(request: Request, requested: Requested) -> None:
    if request.model is not None and request.model != requested.model:
        raise RequestError(
            f"`body.model` is {request.model!r}, but the job runs {requested.model!r}: "
            "one model a job.",
            "body.model",
        )
    if requested.from_lines and (request.params or {}) != requested.params:
        raise RequestError(
            "`body.params` differ from those of the first line: one set of parameters a job, which "
            "every line repeats or the job itself has.",
            "body.params",
        )
    if request.params and request.params != requested.params:
        raise RequestError(
            "`body.params` differ from the job's: one set of parameters a job.", "body.params"
        )


def _located(
    ground: Ground,
    tenant_id: str,
    numbered: Iterable[tuple[int, Request]],
    pack: Pack,
    faults: Faults,
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
