"""What decoder processes say of items that they could not decode, as errors of those items."""

from collections.abc import Sequence
from typing import Any

import structlog

from jobs.results.segments import ItemError

log = structlog.get_logger(__name__)

_LONGEST_CODE, _LONGEST_MESSAGE = 64, 2000

CRASHED = ItemError(
    "decoder_crashed",
    "The process that decoded this item ended each time, so the item is broken in a way that no "
    "decoder survives. Save it again with another program, and send that.",
)
TOO_LONG = ItemError(
    "decoder_timeout",
    "This item takes longer to decode than any real one of its size does. Save it again as a plain "
    "JPEG, PNG or MP4, and send that.",
)
OUT_OF_MEMORY = ItemError(
    "decoder_memory",
    "This item takes more memory to decode than one may have. Send it with fewer pixels, or saved "
    "as a plain JPEG, PNG or MP4.",
)
_NOT_DECODED = ItemError(
    "internal_error", "This item could not be decoded; the operator's logs say why."
)


def as_error(told: Sequence[Any]) -> ItemError:
    """Read `[code, message, retryable]`; raises ValueError when it is something else."""
    code, message, retryable = told
    if not (isinstance(code, str) and isinstance(message, str)):
        raise ValueError("an error is a code and a sentence")
    if code == OUT_OF_MEMORY.code:
        return OUT_OF_MEMORY
    if code == _NOT_DECODED.code:
        log.error("item_not_decoded", error=message)
        return _NOT_DECODED
    return ItemError(code[:_LONGEST_CODE], message[:_LONGEST_MESSAGE], bool(retryable))
