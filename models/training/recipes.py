"""How a network is trained on a caller's images: the recipe, checked before a training exists.

Needs no torch: the API reads recipes with this.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.records.errors import ParamsError
from models.records.options import CONFIGURABLE, Activation, KernelSize, NetworkOptions, Pooling
from models.records.torchvision_names import (
    CLASSIFIERS,
    RECURRENT_CELLS,
    RECURRENT_PREFIX,
    TORCHVISION_PREFIX,
    VIDEO_CLASSIFIERS,
)

# What can be trained: networks that name the class of an image, or of a video.
TRAINABLE: tuple[str, ...] = (
    "digits",
    *(TORCHVISION_PREFIX + name for name in CLASSIFIERS + VIDEO_CLASSIFIERS),
    *(
        f"{RECURRENT_PREFIX}{name}-{cell}"
        for name in ("digits", *CLASSIFIERS)
        for cell in RECURRENT_CELLS
    ),
)

Optimizer = Literal["adam", "sgd", "adamw"]
Augmentation = Literal["flip", "shift", "rotate", "zoom", "brightness"]

# SGD (here with momentum 0.9) wants larger steps than the two that scale them by themselves.
_LEARNING_RATES: Mapping[str, float] = {"adam": 1e-3, "adamw": 1e-3, "sgd": 0.05}
_OPTIONS = tuple(each.name for each in fields(NetworkOptions))


class Recipe(BaseModel):
    """How to train: what a caller may choose.

    The learning rate falls along a half cosine to nothing over all epochs. Training ends early
    when `patience` epochs in a row were no better on the images held out (null: never).
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    architecture: str = Field(
        "digits",
        description="`digits` or a classifier of torchvision for images; for videos, one of its "
        "video classifiers, or a classifier with memory, such as `recurrent/digits-lstm`.",
    )
    epochs: int = Field(20, ge=1, le=1000)
    batch: int = Field(32, ge=2, le=512, description="Images a step.")
    optimizer: Optimizer = "adam"
    learning_rate: float | None = Field(
        None, gt=0, le=10, description="Default: 0.001, for sgd 0.05."
    )
    weight_decay: float = Field(0.0, ge=0, le=1)
    augmentation: tuple[Augmentation, ...] = Field(
        (), strict=False, max_length=5, description="How training images are varied."
    )
    validation: float = Field(
        0.2, gt=0, le=0.9, description="Share of each class that is held out to measure."
    )
    patience: int | None = Field(5, ge=1, le=1000)
    seed: int = Field(0, ge=0, le=2**31 - 1)
    kernel_size: KernelSize | None = Field(None, description="Of networks of ours alone.")
    activation: Activation | None = Field(None, description="Likewise.")
    pooling: Pooling | None = Field(None, description="Likewise.")

    @property
    def first_learning_rate(self) -> float:
        """The rate of the first step."""
        return self.learning_rate or _LEARNING_RATES[self.optimizer]

    @property
    def options(self) -> dict[str, Any]:
        """What was chosen of the architecture, for the version's record."""
        chosen = {name: getattr(self, name) for name in _OPTIONS}
        return {name: value for name, value in chosen.items() if value is not None}


def read_recipe(plain: Mapping[str, Any]) -> Recipe:
    """Read a recipe, strictly; raises ParamsError naming the first bad member."""
    try:
        recipe = Recipe.model_validate(dict(plain))
    except ValidationError as err:
        first = err.errors()[0]
        param = ".".join(str(part) for part in first["loc"]) or "params"
        raise ParamsError(
            f"Parameter {param!r} of a training is refused: {first['msg']}. "
            f"A training takes: {', '.join(Recipe.model_fields)}.",
            param=param,
        ) from err
    if recipe.architecture not in TRAINABLE:
        raise ParamsError(
            f"There is no architecture {recipe.architecture!r} to train: choose 'digits' or one of "
            "torchvision's classifiers, such as 'torchvision/resnet18', or for videos one with "
            "memory, such as 'recurrent/digits-lstm'.",
            param="architecture",
        )
    if recipe.options and recipe.architecture not in CONFIGURABLE:
        odd = next(iter(recipe.options))
        raise ParamsError(
            f"Parameter {odd!r} is for networks of ours ({', '.join(sorted(CONFIGURABLE))}); "
            f"{recipe.architecture!r} is built as it was published.",
            param=odd,
        )
    return recipe
