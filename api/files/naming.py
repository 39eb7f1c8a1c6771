"""What a caller may call a file, however its bytes come."""

from api.bodies.file_names import last_part
from api.web.parsing import check_filename
from jobs.aftercare.output_files import PURPOSE
from jobs.base.errors import InvalidRequest


def checked_name(filename: str, purpose: str) -> str:
    """Give the name that a file is kept under; raises InvalidRequest for a name or purpose."""
    check_filename(filename)
    if purpose == PURPOSE:
        raise InvalidRequest(
            f"The purpose {PURPOSE!r} is that of files which finished jobs have. Upload this one "
            "as 'batch', 'user_data' or anything else.",
            param="purpose",
        )
    return last_part(filename)
