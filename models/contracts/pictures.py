"""What all tasks on pictures may be told: how their files are read.

Which way is a task's default was measured: docs/decisions/0008-fast-decoding-is-a-choice.md.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from models.records.decoding import EXACT


class PictureParams(BaseModel):
    """How pictures become pixels."""

    # Strict: "5" or true are a caller's mistake, not a five or a one.
    model_config = ConfigDict(extra="forbid", strict=True)

    decode: Literal["fast", "exact"] = Field(
        default=EXACT,
        description="How a picture much larger than what the model takes is read. `fast`: scaled "
        "down by its decoder on the way where it can (JPEG), to no less than twice the model's "
        "size; up to three times faster, and confidences move by a hundredth. `exact`: every pixel "
        "is read first. Smaller pictures, and models that resize without a filter, always get all "
        "pixels.",
    )
