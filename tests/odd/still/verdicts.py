"""Whether what a decoder gave is what an odd picture must give, as a sentence where it is not."""

import numpy as np

from models.media import pictures
from models.records.errors import InputError
from models.records.record import Limits
from tests.odd.still.scene import OddPicture, Pixels

LIMITS = Limits()
_REFUSALS = ("unsupported_media", "image_decode_failed")


def fault(odd: OddPicture) -> str | None:
    """Decode an odd picture; gives what is wrong with the answer, None if it is right."""
    try:
        pixels = pictures.decode(odd.data, 3, LIMITS).pixels
    except InputError as err:
        return _fault_of_error(odd, err)
    if odd.error is not None:
        return None if odd.may_refuse else f"{odd.name}: pixels, not {odd.error!r}"
    found = [_difference(odd, pixels, right) for right in odd.pixels]
    return None if None in found else f"{odd.name}: {found[0]}"


def _fault_of_error(odd: OddPicture, err: InputError) -> str | None:
    told = f"{odd.name}: {err.code} ({err})"
    if not str(err).endswith("."):
        return f"{told}: no sentence"
    if odd.error is None:
        if not odd.may_refuse or err.code not in _REFUSALS:
            return f"{told}, not pixels"
    elif odd.error not in ("", err.code):
        return f"{told}, not {odd.error!r}"
    return None if odd.says in str(err).lower() else f"{told} does not say {odd.says!r}"


def _difference(odd: OddPicture, pixels: Pixels, right: Pixels) -> str | None:
    if pixels.shape != right.shape or pixels.dtype != np.uint8:
        return f"{pixels.dtype} {pixels.shape}, not {right.shape}"
    steps = np.abs(pixels.astype(np.int16) - right)
    if odd.mask is not None:
        steps = steps[odd.mask]
    if steps.max() > odd.steps:
        return f"{steps.max()} steps off ({steps.mean():.2f} in the mean), {odd.steps} are allowed"
    # Where single edges may be far off, the picture as a whole must not be.
    if steps.mean() > 0.5 + odd.steps / 20:
        return f"{steps.mean():.2f} steps off in the mean"
    return None
