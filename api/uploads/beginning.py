"""Whether bytes of an upload are wanted: told by a request's headers, before any is read."""

from flask import request

from api.current import ground, tenant_id
from api.files.naming import checked_name
from api.files.schemas import UploadQuery
from api.uploads.intake import MOST_KEPT_BACK, UploadIntake
from api.uploads.protocol import (
    OFFSET_TYPE,
    Checksum,
    check_version,
    read_checksum,
    read_metadata,
    read_number,
)
from api.web.parsing import validated
from jobs.base.errors import InvalidRequest, TooLarge, UnsupportedContentType
from jobs.uploads.receiving import check_place
from jobs.uploads.uploads import create_upload, get_upload


def begin_created() -> UploadIntake:
    """Create the upload that the headers describe, and take in what the body brings of it."""
    check_version()
    if "Upload-Defer-Length" in request.headers:
        raise InvalidRequest(
            "The length must be known when an upload begins: send `Upload-Length`.",
            param="Upload-Defer-Length",
        )
    length = read_number("Upload-Length")
    if _has_body():
        _check_type()
    checksum = read_checksum()
    _check_announced(length, checksum)
    header, told = read_metadata()
    filename, purpose = _named(told)
    upload = create_upload(ground(), tenant_id(), filename, purpose, length, header)
    return UploadIntake(ground(), upload.id, 0, _limit(length, checksum), checksum)


def begin_continued() -> UploadIntake:
    """Take in what the body brings of an upload, from where it stands."""
    check_version()
    _check_type()
    offset, checksum = read_number("Upload-Offset"), read_checksum()
    upload_id = (request.view_args or {})["upload_id"]
    with ground().database.read() as session:
        upload = get_upload(session, tenant_id(), upload_id)
    check_place(upload, offset)
    left = upload.length - offset
    _check_announced(left, checksum)
    return UploadIntake(ground(), upload.id, offset, _limit(left, checksum), checksum)


def _named(told: dict[str, str]) -> tuple[str, str]:
    said = {name: told[name] for name in ("filename", "purpose") if name in told}
    query = validated(UploadQuery, said)
    if not query.filename:
        raise InvalidRequest(
            "The file has no name: send `Upload-Metadata: filename <its name in base64>`.",
            param="Upload-Metadata",
        )
    return checked_name(query.filename, query.purpose), query.purpose


def _has_body() -> bool:
    return bool(request.content_length) or "Transfer-Encoding" in request.headers


def _check_type() -> None:
    if request.mimetype != OFFSET_TYPE:
        raise UnsupportedContentType(
            f"Bytes of an upload come as {OFFSET_TYPE}, not "
            f"{request.mimetype or 'a body without type'}. Set the header `Content-Type`."
        )


def _check_announced(left: int, checksum: Checksum | None) -> None:
    announced = request.content_length or 0
    if announced > left:
        raise TooLarge(f"The body has {announced:,} bytes, and {left:,} are left of the upload.")
    if announced > _limit(left, checksum):
        raise TooLarge(
            f"The body has {announced:,} bytes: with `Upload-Checksum` it may have "
            f"{MOST_KEPT_BACK:,}. Send it in pieces, each with a checksum of its own."
        )


def _limit(left: int, checksum: Checksum | None) -> int:
    return left if checksum is None else min(left, MOST_KEPT_BACK)
