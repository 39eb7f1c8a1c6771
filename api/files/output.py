"""The files of finished jobs as callers see them: shown, listed, read; erased with their jobs."""

from typing import Any

from flask import Response

from api.current import ground, tenant_id
from api.files.schemas import FileListQuery
from api.files.views import FileView, output_file_view
from api.results.compression import ROWS, compressed_answer
from api.results.output_files import content_of, measure
from api.web.views import listed
from jobs.aftercare.output_files import OutputFile, get_output_file, list_output_files
from jobs.base.errors import Conflict

# Lines that are counted for one page, but for its first file: a page is an answer of seconds.
_LINES_A_PAGE = 100_000


def output_view(file_id: str) -> dict[str, Any]:
    """Show one."""
    return _view(_find(file_id)).model_dump()


def output_content(file_id: str) -> Response:
    """Read one, as a download."""
    file = _find(file_id)
    headers = {
        ROWS: str(file.rows),
        "Content-Disposition": f'attachment; filename="{file.filename}"',
    }
    return compressed_answer(content_of(file), headers, "application/octet-stream")


def listed_outputs(query: FileListQuery) -> dict[str, Any]:
    """List them, page by page."""
    with ground().database.read() as session:
        found = list_output_files(
            session,
            tenant_id(),
            after=query.after,
            limit=query.limit + 1,
            oldest_first=query.order == "asc",
        )
    page = _not_too_many(found[: query.limit])
    return listed([_view(file) for file in page], len(found) > len(page))


def delete_refused(file_id: str) -> Conflict:
    """Say why one is not deleted by itself, and what to do; raises NotFound where there is none."""
    job_id = _find(file_id).job.id
    return Conflict(
        f"File {file_id!r} is made of the results of job {job_id!r}, and goes with them: "
        f"DELETE /v1/jobs/{job_id} erases them, `output_expires_after` does so by itself."
    )


def _find(file_id: str) -> OutputFile:
    with ground().database.read() as session:
        return get_output_file(session, tenant_id(), file_id)


def _view(file: OutputFile) -> FileView:
    return output_file_view(file, *measure(file), ground().settings)


def _not_too_many(files: list[OutputFile]) -> list[OutputFile]:
    """Take from the beginning as many as can be counted for one page, and at least one."""
    lines = 0
    for place, file in enumerate(files):
        lines += file.rows
        if place and lines > _LINES_A_PAGE:
            return files[:place]
    return files
