"""How a processor scales the values of pixels, as one mean and one deviation a channel.

    theirs   (pixel x factor - offset - mean) / std          pixel of 0 to 255
    ours     (pixel / 255 - mean) / std

Both are one multiplication and one addition, so that each of theirs has an equal of ours.
"""

from collections.abc import Mapping
from typing import Any

from models.records.errors import RecordError


def scale_of(name: str, settings: Mapping[str, Any], channels: int) -> dict[str, Any]:
    """Give `mean` and `std` for values in [0, 1]; raises RecordError naming the setting at fault.

    `name` is the processor's bare name, `settings` its settings in full.
    """
    factor = float(settings["rescale_factor"]) if settings.get("do_rescale") else 1.0
    if factor <= 0:
        raise RecordError(f"preprocessor_config.json: rescale_factor is {factor}, not above 0.")
    rescaled = settings.get("do_rescale")
    offset = 1.0 if rescaled and (settings.get("offset") or settings.get("rescale_offset")) else 0.0
    means, stds = [0.0] * channels, [1.0] * channels
    # MobileViT's processor has the setting and never looks at it.
    if settings.get("do_normalize") and name != "MobileViT":
        means = _a_channel(settings, "image_mean", channels)
        stds = _a_channel(settings, "image_std", channels)
    if not all(stds):
        raise RecordError("preprocessor_config.json: image_std has a zero.")
    outer = stds if name == "EfficientNet" and settings.get("include_top") else [1.0] * channels
    full = 255 * factor
    return {
        "mean": [(mean + offset) / full for mean in means],
        "std": [std * again / full for std, again in zip(stds, outer, strict=True)],
    }


def _a_channel(settings: Mapping[str, Any], member: str, channels: int) -> list[float]:
    given = settings.get(member)
    values: list[Any] = list(given) if isinstance(given, list | tuple) else [given] * channels
    if len(values) != channels or not all(isinstance(each, int | float) for each in values):
        raise RecordError(
            f"preprocessor_config.json: {member} must be one number for each of the {channels} "
            "channels."
        )
    return [float(each) for each in values]
