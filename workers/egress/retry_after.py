"""`Retry-After` (RFC 9110, 10.2.3): for how long a server asks to be left alone."""

from email.utils import parsedate_to_datetime


def retry_after_s(value: str, now: float, most_s: float) -> float:
    """Read seconds or a date, at most `most_s`; what is neither is no wish: 0.

    `now` is in Unix seconds, for dates.
    """
    if value.isdecimal():
        return min(float(value), most_s)
    try:
        wait_s = parsedate_to_datetime(value).timestamp() - now
    except (ValueError, OverflowError):
        return 0.0
    return min(max(wait_s, 0.0), most_s)
