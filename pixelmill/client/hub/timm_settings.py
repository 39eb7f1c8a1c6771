"""The config.json of timm's networks on the hub, read as a model's record.

    architecture, num_classes            ─► record["architecture"]
    model_args: pooling, size            ─► record["options"]
    label_names, label_descriptions      ─► record["labels"]
    pretrained_cfg: size, crop, mean, …  ─► record["preprocess"]

Pictures are prepared as this file says, with timm's defaults for what it leaves out
(timm.data.resolve_data_config), whatever the library says of the same name.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pixelmill.wire.errors import InvalidInput

_ARCHITECTURE = re.compile(r"\w[\w.]*", re.ASCII)
_INTERPOLATIONS = ("bilinear", "bicubic", "nearest", "lanczos")
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_SIZE, _CROP_PCT, _MOST_CROP_PCT = (3, 224, 224), 0.875, 4.0
_LONGEST_LABEL = 200
# What a network is built with that its weights and its pictures say already; rates at which parts
# are left out are of training alone.
_KNOWN_ARGUMENTS = ("num_classes", "in_chans", "pretrained", "scriptable", "exportable")
_OF_TRAINING = re.compile(r"\w*drop\w*_rate|drop_rate")
_POOLING = re.compile(r"[a-z]{1,16}")


def read_timm_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Give `architecture`, `preprocess` and, where names of classes stand there, `labels`.

    Raises InvalidInput, in one line, for what a record cannot say.
    """
    nested = config.get("pretrained_cfg")
    # Older files hold all of it at the top.
    published = nested if isinstance(nested, Mapping) else config
    architecture = config.get("architecture")
    if not isinstance(architecture, str) or not _ARCHITECTURE.fullmatch(architecture):
        raise InvalidInput(f"config.json: architecture is {architecture!r}, no name of timm's.")
    options = _options(config.get("model_args") or {})
    classes = config.get("num_classes", published.get("num_classes"))
    record: dict[str, Any] = {
        "architecture": f"timm/{architecture}",
        "preprocess": _preprocess(published),
    }
    if options:
        record["options"] = options
    if classes == 0:
        record["architecture"] += "-embedding"
    elif labels := _labels({**published, **config}):
        record["labels"] = labels
    return record


def _options(arguments: Any) -> dict[str, Any]:
    """Give what a network is built with, as a record says it; raises InvalidInput."""
    if not isinstance(arguments, Mapping):
        raise InvalidInput("config.json: model_args is no object.")
    options: dict[str, Any] = {}
    for name, value in arguments.items():
        if name in _KNOWN_ARGUMENTS or _OF_TRAINING.fullmatch(name) or value is None:
            continue
        if name == "global_pool" and isinstance(value, str) and _POOLING.fullmatch(value):
            options[name] = value
        elif name == "img_size":
            sides = value if isinstance(value, list) else [value, value]
            options[name] = list(map(int, _numbers({name: sides}, name, (), 2)))
        else:
            raise InvalidInput(
                f"config.json: the network is built with {name}={value!r} (model_args), which "
                "cannot be said of a network here; take one of timm's own names for it."
            )
    return options


def _labels(told: Mapping[str, Any]) -> list[str]:
    """Give a name a class, described where the file describes it; none where it names none."""
    names = told.get("label_names") or told.get("labels")
    if not names:
        return []
    if isinstance(names, Mapping):
        numbered = {str(number): name for number, name in names.items()}
        missing = next((at for at in range(len(names)) if str(at) not in numbered), None)
        if missing is not None:
            raise InvalidInput(
                f"config.json: label_names has no name for class {missing}; give all of them with "
                "--labels."
            )
        names = [numbered[str(at)] for at in range(len(names))]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InvalidInput("config.json: label_names is no list of names; give --labels.")
    described = told.get("label_descriptions")
    descriptions = described if isinstance(described, Mapping) else {}
    return [str(descriptions.get(name) or name)[:_LONGEST_LABEL] for name in names]


def _preprocess(published: Mapping[str, Any]) -> dict[str, Any]:
    channels, height, width = map(int, _numbers(published, "input_size", _SIZE, 3))
    share = published.get("crop_pct") or _CROP_PCT
    way = published.get("interpolation") or "bicubic"
    mode = published.get("crop_mode") or "center"
    is_square = height == width
    if mode not in ("center", "squash") or (mode == "center" and not is_square):
        raise InvalidInput(
            f"config.json: pictures are prepared by crop_mode {mode!r} to {height} x {width}, "
            "which is not to be had here."
        )
    if way not in _INTERPOLATIONS:
        raise InvalidInput(f"config.json: pictures are resized by {way!r}, which is not to be had.")
    if type(share) not in (int, float) or not 0 < share <= _MOST_CROP_PCT:
        raise InvalidInput(
            f"config.json: crop_pct is {share!r} and must be a share of the picture."
        )
    if min(channels, height, width) < 1:
        raise InvalidInput("config.json: the numbers of input_size must be more than 0.")
    sides = [math.floor(side / share) for side in (height, width)]
    return {
        "resize": sides[0] if mode == "center" else sides,
        "crop": height if is_square else [height, width],
        "interpolation": way,
        "resize_by": "pillow",
        "channels": channels,
        "mean": _numbers(published, "mean", _MEAN, channels),
        "std": _numbers(published, "std", _DEVIATION, channels),
    }


def _numbers(
    published: Mapping[str, Any], member: str, usual: Sequence[float], count: int
) -> list[float]:
    given = published.get(member) or usual
    is_list = isinstance(given, list | tuple) and len(given) == count
    if not is_list or not all(type(each) in (int, float) for each in given):
        raise InvalidInput(f"config.json: {member} is {given!r} and must be {count} numbers.")
    return list(given)
