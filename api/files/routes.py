"""Files: uploaded as a stream, listed, read back, deleted."""

from collections.abc import Iterator
from itertools import chain
from typing import Any
from urllib.parse import quote

from apiflask import APIBlueprint
from flask import Response
from werkzeug.http import dump_options_header

from api.bodies.admission import is_form
from api.bodies.kept_files import body_part, body_parts, keep_as_file
from api.bodies.parts import Part, Parts
from api.current import ground, link, tenant_id
from api.files.naming import checked_name
from api.files.output import delete_refused, listed_outputs, output_content, output_view
from api.files.schemas import FileListQuery, UploadForm, UploadQuery
from api.files.views import FileList, FileView, file_view
from api.web.openapi import describe
from api.web.parsing import read_query, validated
from api.web.views import Deleted, listed
from jobs.aftercare.output_files import PURPOSE, is_output_file
from jobs.aftercare.uploaded_files import delete_file
from jobs.base.errors import InvalidRequest, NotFound
from jobs.base.storage import BlobMissing
from jobs.inputs.files import get_file, list_files
from jobs.tables import File

files = APIBlueprint("files", __name__, url_prefix="/v1/files", tag="Files")

_LONGEST_FIELD = 1024


@files.post("")
@describe(
    files,
    {201: FileView},
    problems=(400, 408, 413, 415, 422),
    body={"multipart/form-data": UploadForm, "application/octet-stream": "binary"},
    query=UploadQuery,
)
def upload_file() -> tuple[dict[str, Any], int, dict[str, str]]:
    """Upload an image, an archive (zip, tar, tar.gz, .bz2, .xz, .zst, .lz4, 7z), or a JSONL file.

    Send multipart/form-data with a part `file` (and `purpose`), or the bytes themselves as the body
    with their name as `?filename=`. The body is streamed to storage; there is no need to know its
    length beforehand. `expires_after[seconds]` has it erased by itself.
    """
    query = read_query(UploadQuery)
    file = _upload_part() if is_form() else _upload_body(query)
    return file_view(file).model_dump(), 201, {"Location": link(f"/v1/files/{file.id}")}


@files.get("")
@describe(files, {200: FileList}, problems=(422,), query=FileListQuery)
def get_files() -> dict[str, Any]:
    """List uploaded files, newest first unless `order` says otherwise.

    With `purpose=batch_output`, those that finished jobs have, in the order of their jobs. A page
    of large ones is a short one, for their bytes are counted: `has_more` says whether it is the
    last.
    """
    query = read_query(FileListQuery)
    if query.purpose == PURPOSE:
        return listed_outputs(query)
    with ground().database.read() as session:
        found = list_files(
            session,
            tenant_id(),
            after=query.after,
            limit=query.limit + 1,
            purpose=query.purpose,
            oldest_first=query.order == "asc",
        )
    return listed([file_view(file) for file in found[: query.limit]], len(found) > query.limit)


@files.get("/<file_id>")
@describe(files, {200: FileView}, problems=(404,))
def get_one_file(file_id: str) -> dict[str, Any]:
    """Show a file's name, size and sha256; those of a finished job's are counted meanwhile."""
    if is_output_file(file_id):
        return output_view(file_id)
    return file_view(_find(file_id)).model_dump()


@files.delete("/<file_id>")
@describe(files, {200: Deleted}, problems=(404, 409))
def remove_file(file_id: str) -> dict[str, Any]:
    """Delete a file and its bytes. Items of running jobs that still need it will fail.

    No job shows a picture of it from then on, and small pictures that `gallery` kept are erased.

    409 for a file of a finished job: it is its results, which go when the job is deleted.
    """
    if is_output_file(file_id):
        raise delete_refused(file_id)
    delete_file(ground(), tenant_id(), file_id)
    return Deleted(id=file_id, object="file").model_dump()


@files.get("/<file_id>/content")
@describe(files, {200: {"application/octet-stream": "binary"}}, problems=(404,))
def get_content(file_id: str) -> Response:
    """Read a file's bytes back, as a download.

    Of a finished job's file the header `Pixelmill-Rows` tells the number of lines.
    """
    if is_output_file(file_id):
        return output_content(file_id)
    file = _find(file_id)
    # Never the type that the bytes claim to be: an uploaded page must not run in a browser.
    headers = {
        "Content-Length": str(file.bytes),
        "Content-Disposition": _attachment(file.filename),
    }
    return Response(_begun(file), headers=headers, content_type="application/octet-stream")


def _upload_body(query: UploadQuery) -> File:
    if not query.filename:
        raise InvalidRequest(
            "The file has no name: add ?filename=photos.zip, or send multipart/form-data.",
            param="filename",
        )
    return _keep(body_part(), query.filename, query.purpose)


def _upload_part() -> File:
    parts = body_parts()
    file = parts.only("file", "with a filename")
    purpose = parts.named("purpose")
    text = purpose[0].text(_LONGEST_FIELD) if purpose else "batch"
    return _keep(file, file.filename or "file", text, _lifetime_s(parts))


def _lifetime_s(parts: Parts) -> int | None:
    names = ("expires_after[anchor]", "expires_after[seconds]")
    told = {name: part.text(_LONGEST_FIELD) for name in names for part in parts.named(name)}
    lifetime_s = validated(UploadForm, {"file": "", **told}).seconds
    if told and lifetime_s is None:
        raise InvalidRequest(f"`{names[1]}` is missing beside `{names[0]}`.", param=names[1])
    return lifetime_s


def _keep(part: Part, filename: str, purpose: str, lifetime_s: int | None = None) -> File:
    return keep_as_file(part, checked_name(filename, purpose), purpose, lifetime_s)


def _find(file_id: str) -> File:
    with ground().database.read() as session:
        return get_file(session, tenant_id(), file_id)


def _attachment(filename: str) -> str:
    """Name a download in both forms of RFC 6266: for old readers, and for all of Unicode."""
    plain = filename.encode("ascii", "replace").decode()
    names = {"filename": plain, "filename*": f"UTF-8''{quote(filename, safe='')}"}
    return dump_options_header("attachment", names)


def _begun(file: File) -> Iterator[bytes]:
    """Read the first bytes now, while an error can still be told as one."""
    chunks = ground().storage.stream(file.blob)
    try:
        first = next(chunks, b"")
    except BlobMissing as err:
        raise NotFound(
            f"The bytes of file {file.id!r} are not in the storage: they were erased just now, or "
            "it is not the storage that it was."
        ) from err
    return chain([first], chunks)
