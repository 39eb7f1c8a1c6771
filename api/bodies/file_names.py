"""What an uploaded file is called: the name that its sender meant, without a Windows folder."""

import re

from werkzeug.sansio.multipart import File

# In the one header that carries it: a quoted name, and not the longer form of RFC 8187.
_QUOTED = re.compile(r';\s*filename="((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_LONG_FORM = re.compile(r";\s*filename\*", re.IGNORECASE)
_ESCAPED = re.compile(r'\\(["\\])')
# `C:\folder\name`, and `\\server\share\name`.
_WINDOWS = re.compile(r"(?:[A-Za-z]:|\\)\\?(?:[^\\]*\\)*([^\\]*)")


def upload_name(event: File) -> str:
    """Give the name of a part.

    A browser writes `\\` as it is and curl doubles it; the library takes each for an escape, and
    makes `C:menew.png` of `C:\\me\\new.png`.
    """
    header = event.headers["content-disposition"]
    quoted = None if _LONG_FORM.search(header) else _QUOTED.search(header)
    name = _ESCAPED.sub(r"\1", quoted[1]).replace("%22", '"') if quoted else event.filename
    return last_part(name)


def last_part(name: str) -> str:
    """Give what follows the folders of a path of Windows; any other name as it is."""
    path = _WINDOWS.fullmatch(name)
    return path[1] if path and path[1] else name
