"""Which results an address asks for: a status, a class, from which confidence to below which."""

import math
from collections.abc import Mapping

from jobs.base.errors import InvalidRequest
from jobs.base.states import ItemStatus
from jobs.results.search import Wanted

# No label is longer, and an address has its limits.
_LONGEST_LABEL = 500


def read_wanted(asked: Mapping[str, str]) -> Wanted:
    """Read what an address asks for; raises InvalidRequest."""
    label = asked.get("class", "").strip()[:_LONGEST_LABEL]
    return Wanted(
        _status(asked.get("of", "")),
        label or None,
        _confidence(asked, "least", 0.0),
        _confidence(asked, "below", 1.0),
    )


def words_of(wanted: Wanted) -> dict[str, str]:
    """Give what an address has to say to ask for this."""
    said = {
        "of": wanted.status.value if wanted.status is not None else "",
        "class": wanted.label or "",
        "least": f"{wanted.at_least:.12g}" if wanted.at_least > 0 else "",
        "below": f"{wanted.below:.12g}" if wanted.below < 1 else "",
    }
    return {name: value for name, value in said.items() if value}


def _status(word: str) -> ItemStatus | None:
    if not word:
        return None
    try:
        return ItemStatus(word)
    except ValueError as err:
        known = ", ".join(ItemStatus)
        raise InvalidRequest(f"There is no status {word[:40]!r}: items are {known}.") from err


def _confidence(asked: Mapping[str, str], name: str, otherwise: float) -> float:
    text = asked.get(name, "").strip()
    if not text:
        return otherwise
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise InvalidRequest(
            f"`{name}` is {text[:40]!r}: confidences are numbers from 0 to 1, such as 0.5.",
            param=name,
        )
    return value
