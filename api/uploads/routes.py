"""Uploads that resume: begun, asked for their offset, continued, ended."""

from typing import Any

from apiflask import APIBlueprint
from flask import Response, jsonify, request

from api.bodies.intake import current_intake
from api.current import ground, tenant_id
from api.uploads.beginning import begin_continued, begin_created
from api.uploads.intake import UploadIntake
from api.uploads.protocol import (
    OFFSET_TYPE,
    VERSION,
    check_version,
    location,
    server_headers,
    upload_headers,
)
from api.uploads.views import UploadList, UploadListQuery, UploadView, upload_view
from api.web.openapi import describe
from api.web.parsing import read_query
from api.web.views import listed
from api.web.waiting import Wait, hold_until, wanted_wait
from jobs.base.hints import IO
from jobs.base.states import UploadState
from jobs.tables import Upload
from jobs.uploads.finishing import finish_now
from jobs.uploads.uploads import end_upload, get_upload, list_unfinished

uploads = APIBlueprint("uploads", __name__, url_prefix="/v1/uploads", tag="Uploads")

# A file of so many bytes is put together within the request that brings its end; larger ones by an
# io worker, for which the answer waits a while.
_AT_ONCE = 64 * 1024 * 1024
_WAIT_S = 10

_TOLD = ("Tus-Resumable", "Upload-Checksum")
_PROBLEMS = (400, 408, 409, 412, 413, 415, 422, 460)


@uploads.after_request
def tell_version(response: Response) -> Response:
    """Say in every answer which version of the protocol is spoken."""
    response.headers["Tus-Resumable"] = VERSION
    response.headers["Tus-Version"] = VERSION
    return response


@uploads.route("", methods=["OPTIONS"])
def tell_server() -> tuple[str, int, dict[str, str]]:
    """Say what is spoken here: version, extensions, largest file."""
    return "", 204, server_headers()


@uploads.post("")
@describe(
    uploads,
    {201: None},
    problems=_PROBLEMS,
    body={OFFSET_TYPE: "binary"},
    headers=(*_TOLD, "Upload-Length", "Upload-Metadata"),
    begin=begin_created,
)
def create_an_upload() -> Response:
    """Begin an upload that resumes (tus 1.0.0): announce a file's length and name.

    The body may be empty, or bring the first bytes, or all of them. `Location` is where the rest
    goes. Until it is finished, an upload counts as long as it was announced.
    """
    return _answer(201)


@uploads.get("")
@describe(uploads, {200: UploadList}, problems=(422,), query=UploadListQuery)
def get_uploads() -> dict[str, Any]:
    """List the uploads that are not finished, newest first."""
    query = read_query(UploadListQuery)
    with ground().database.read() as session:
        found = list_unfinished(session, tenant_id(), after=query.after, limit=query.limit + 1)
    return listed([upload_view(each) for each in found[: query.limit]], len(found) > query.limit)


@uploads.get("/<upload_id>")
@describe(uploads, {200: UploadView}, problems=(404, 410, 412), headers=("Prefer",))
def get_an_upload(upload_id: str) -> Response:
    """Show where an upload stands, also as HEAD: how many bytes are here, and its file.

    With `Prefer: wait=N` the answer is held while the file is being put together. 410 once the
    upload has expired.
    """
    if request.method == "HEAD":
        check_version()
    _find(upload_id)

    def give(granted: Wait) -> Response:
        upload = _find(upload_id)
        answer = jsonify(upload_view(upload).model_dump())
        answer.headers.update(upload_headers(upload) | granted.headers)
        return answer

    return hold_until(lambda: _is_settled(upload_id), wanted_wait(), upload_id, give)


@uploads.patch("/<upload_id>")
@describe(
    uploads,
    {204: None},
    problems=(404, 410, *_PROBLEMS),
    body={OFFSET_TYPE: "binary"},
    headers=(*_TOLD, "Upload-Offset", "Prefer"),
    begin=begin_continued,
)
def continue_an_upload(upload_id: str) -> Response:  # noqa: ARG001  # its intake has it
    """Add bytes to an upload, from its offset on; what came of a body that was cut off is kept.

    The answer to the last ones names the file in `Pixelmill-File-Id`; that of a large file may
    follow a little later, and `GET` tells it then.
    """
    return _answer(204)


@uploads.delete("/<upload_id>")
@describe(uploads, {204: None}, problems=(404, 412), headers=("Tus-Resumable",))
def remove_an_upload(upload_id: str) -> tuple[str, int]:
    """End an upload and erase what came of it. The file of a finished one stays."""
    check_version()
    end_upload(ground(), tenant_id(), upload_id)
    return "", 204


def _answer(status: int) -> Response:
    """Tell how far an upload is, once its file is there if all has come."""
    intake = current_intake()
    assert isinstance(intake, UploadIntake), "its bodies are taken in by no other"
    upload_id, wait = intake.upload_id, Wait(0, asked=False)
    if intake.is_whole:
        wait = wanted_wait(_WAIT_S)
        _finish(upload_id)

    # In the request's context, but after its intake was closed.
    def give(granted: Wait) -> Response:
        headers = upload_headers(_find(upload_id)) | granted.headers
        if status == 201:
            headers["Location"] = location(upload_id)
        return Response(status=status, headers=headers)

    return hold_until(lambda: _is_settled(upload_id), wait, upload_id, give)


def _finish(upload_id: str) -> None:
    if _find(upload_id).length <= _AT_ONCE:
        finish_now(ground(), upload_id)
    else:
        ground().hints.send(IO)


def _is_settled(upload_id: str) -> bool:
    return _find(upload_id).state is not UploadState.FINISHING


def _find(upload_id: str) -> Upload:
    with ground().database.read() as session:
        return get_upload(session, tenant_id(), upload_id)
