"""When a job has to be over: `completion_window` in its body, and the header `Cancel-After`.

Where both are given the earlier counts. The form of the header is Replicate's
(https://replicate.com/docs/topics/predictions/lifecycle): seconds, or hours, minutes and seconds.
"""

import re

from flask import request

from api.web.schemas import seconds_of
from jobs.base.errors import InvalidRequest

_SHORTEST_S, _LONGEST_S = 1, 30 * 86_400
_FORM = re.compile(r"(\d{1,7})|(?=\d)(?:(\d{1,5})h)?(?:(\d{1,5})m)?(?:(\d{1,7})s)?", re.ASCII)


def seconds_to_run(completion_window: str | None, default_s: float) -> float:
    """Give the time that a job has, in seconds; raises InvalidRequest for a header that has none.

    `completion_window` has been checked; `default_s` is for a job that does not say.
    """
    told = [cancel_after_s(), seconds_of(completion_window) if completion_window else None]
    return min([float(each) for each in told if each is not None], default=default_s)


def cancel_after_s() -> int | None:
    """Read the header `Cancel-After`, in seconds; None without one. Raises InvalidRequest."""
    text = request.headers.get("Cancel-After")
    if text is None:
        return None
    match = _FORM.fullmatch(text.strip())
    seconds = _sum(match) if match else 0
    if not _SHORTEST_S <= seconds <= _LONGEST_S:
        raise InvalidRequest(
            f"The header Cancel-After is {text!r}: it must be a time from 1 second to 30 days, "
            "such as 90, 30s, 5m or 1h30m.",
            param="Cancel-After",
        )
    return seconds


def _sum(match: re.Match[str]) -> int:
    plain, hours, minutes, seconds = (int(group or 0) for group in match.groups())
    return plain + 3600 * hours + 60 * minutes + seconds
