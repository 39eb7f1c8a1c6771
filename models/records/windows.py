"""How many frames a window of a video may have, and how many windows one video.

Needs neither torch nor pydantic: callers' parameters and networks are both held against it.
"""

from collections.abc import Mapping
from typing import Any

from models.records.errors import ParamsError

# Frames of a window, for any network: a window lies in memory as a whole.
MAX_WINDOW = 512

# What one video may be answered with, since it lies in memory as a whole: a number for each window
# and label (256 MB), and the classes that are reported of all windows together.
_MOST_NUMBERS = 64_000_000
_MOST_CLASSES = 1_000_000


def window_of(preprocess: Mapping[str, Any], params: Mapping[str, Any]) -> int:
    """Return the frames of a window, from checked params and a record's `preprocess`.

    Raises ParamsError for a window that the model does not take, or that its overlap fills.
    """
    length: int = params["window"] or preprocess["window"]
    least, most = preprocess["windows"]
    if not least <= length <= most:
        takes = f"{least}" if least == most else f"{least} to {most}"
        raise ParamsError(
            f"Parameter 'window' is {length}; this model takes windows of {takes} frames.",
            param="window",
        )
    if params["overlap"] >= length:
        raise ParamsError(
            f"Parameter 'overlap' is {params['overlap']}; it must be less than the {length} frames "
            "of a window.",
            param="overlap",
        )
    return length


def most_windows(labels: int, params: Mapping[str, Any]) -> int:
    """Return how many windows one video may have, from checked params; at least one."""
    reported: int = min(params["top_k"], labels)
    return max(1, min(_MOST_NUMBERS // labels, _MOST_CLASSES // reported))
