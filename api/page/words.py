"""How pages say things: times, sizes, counts, states, and what came of a form."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from markupsafe import Markup

_STATES = {
    "validating": "Preparing",
    "in_progress": "Running",
    "cancelling": "Cancelling",
    "completed": "Completed",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "expired": "Expired",
}
# What a form that was carried out is answered with; the address has the word and a number.
_DONE = {
    "cancelled": "{n} cancelled.",
    "retried": "{n} retried: each has a job of its own.",
    "deleted": "{n} deleted.",
    "none": "Nothing was chosen: tick the jobs first.",
    "submitted": "The job is stored, and will be run.",
    "shared": "The link is made: it stands under Share.",
    "cancelling": "It stops after the step that runs.",
    "moved": "The alias was moved.",
    "removed": "Removed.",
    "sent": "Sent once more; the new delivery is on top.",
    "pinged": "A ping is on its way; it is on top of the deliveries.",
    "revoked": "The key is revoked, and its sessions are over.",
}
_UNITS = ("B", "kB", "MB", "GB", "TB")


def done_text(asked: Mapping[str, str]) -> str | None:
    """Say what came of the form before, in words of our own; None without one."""
    text = _DONE.get(asked.get("done", ""))
    if text is None:
        return None
    n = asked.get("n", "1")
    count = int(n) if n.isascii() and n.isdecimal() and len(n) < 6 else 1
    left = asked.get("left", "0")
    told = text.format(n=f"{count} job" if count == 1 else f"{count} jobs")
    if left.isascii() and left.isdecimal() and 0 < len(left) < 6 and left != "0":
        told += f" {left} could not be: they are in a state in which this cannot be done."
    return told


def number(value: float | None) -> str:
    """Write a whole number in groups of three; a dash for none."""
    return "–" if value is None else f"{value:,.0f}"


def figure(value: float) -> str:
    """Write a figure of a card: whole numbers in full, others to six digits."""
    return number(value) if float(value).is_integer() else f"{value:.6g}"


def rate(value: float | None) -> str:
    """Write items a second."""
    if not value:
        return "–"
    return f"{value:,.0f}/s" if value >= 10 else f"{value:.1f}/s"


def percent(part: float, whole: float) -> str:
    """Write a part of a whole, never 100 % before all of it is there."""
    if not whole:
        return "0 %"
    share = 100 * part / whole
    return f"{min(share, 99.9 if part < whole else 100):.{0 if share in (0, 100) else 1}f} %"


def size(count: int | None) -> str:
    """Write bytes."""
    if count is None:
        return "–"
    value, unit = float(count), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def duration(seconds: float | None) -> str:
    """Write a time as people say it: 340 ms, 12 s, 3 min 20 s, 4 h 5 min, 2 d 3 h."""
    if seconds is None:
        return "–"
    if seconds < 1:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    whole = round(seconds)
    for unit, small, name, smaller in (
        (60, 1, "min", "s"),
        (3600, 60, "h", "min"),
        (86400, 3600, "d", "h"),
    ):
        if whole < unit * (60 if unit < 3600 else 24) or unit == 86400:
            rest = whole % unit // small
            return f"{whole // unit} {name}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def moment(seconds: float | None) -> Markup:
    """Show a time as long ago, with the time itself for who points at it (UTC)."""
    if seconds is None:
        return Markup("–")
    exact = datetime.fromtimestamp(seconds, UTC)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        exact.isoformat(timespec="seconds"), f"{exact:%Y-%m-%d %H:%M:%S} UTC", ago(seconds)
    )


def clock(seconds: float | None) -> str:
    """Write a time to the second (UTC)."""
    if seconds is None:
        return "–"
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"


def ago(seconds: float) -> str:
    """Say how long ago a time was."""
    gone = time.time() - seconds
    if gone < 5:
        return "just now"
    for unit, name in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if gone >= unit:
            return f"{gone // unit:.0f} {name} ago"
    return "just now"


def state(status: str, outcome: str | None = None) -> str:
    """Name where a job stands."""
    if status == "completed" and outcome in ("partial", "failed"):
        return "Completed in part" if outcome == "partial" else "All failed"
    return _STATES.get(status, status)


def tone(status: str, outcome: str | None = None) -> str:
    """Give the colour class of a state."""
    if status in ("failed",) or outcome == "failed":
        return "bad"
    if status in ("expired",) or outcome == "partial":
        return "warn"
    if status in ("validating", "in_progress", "cancelling"):
        return "live"
    return "quiet" if status == "cancelled" else "good"
