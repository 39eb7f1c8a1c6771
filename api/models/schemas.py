"""What callers may send about models: versions to register, aliases to move.

A record comes from a stranger and is run by a worker that others share, so every size in it has a
bound here.
"""

from dataclasses import fields, is_dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    Discriminator,
    Field,
    FiniteFloat,
    StrictBool,
    Tag,
)

from api.web.schemas import Binary, FileId, LeftOut, Strict, Whole
from models.catalog import VIDEO_LIMITS, Limits
from models.proving.check import Check
from models.records.options import NetworkOptions, OnnxOptions
from models.records.windows import MAX_WINDOW

_DEFAULTS = Limits()

Side = Annotated[int, Whole(1, 4096)]
CropRounding = Annotated[
    Literal["even", "down"],
    Field(description="Where a centre begins that is not in the middle: torchvision's, or below."),
]
WindowLength = Annotated[int, Whole(1, MAX_WINDOW)]
Sides = Annotated[list[Side], Field(min_length=2, max_length=2)]
# One number for both sides, or one for each.
OneOrBoth = Annotated[
    Annotated[Side, Tag("(one)")] | Annotated[Sides, Tag("(both)")],
    Discriminator(lambda given: "(both)" if isinstance(given, list) else "(one)"),
]
Scale = Annotated[list[FiniteFloat], Field(min_length=1, max_length=3)]
VersionNumber = Annotated[int, Whole(1, 99_999_999)]


class PreprocessBody(Strict):
    """How images are brought to the network's form; which members belong to which task: docs."""

    channels: Literal[1, 3]
    mean: Scale
    std: Scale
    antialias: StrictBool = True
    resize: OneOrBoth | None = Field(
        None,
        description="Before the crop: pixels of the shorter side, or height and width, whatever "
        "the picture's proportions.",
    )
    crop: OneOrBoth | None = Field(
        None, description="Pixels of the centred square, or height and width of the centre."
    )
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] | None = None
    resize_by: Literal["torchvision", "pillow", "opencv"] | None = Field(
        None,
        description="Whose filter it is, to the bit: torchvision's for tensors unless said "
        "otherwise. `opencv` is for whole pictures.",
    )
    shorter: Side | None = Field(None, description="Of whole pictures: the shorter side.")
    longer: Side | None = Field(None, description="Of whole pictures: at most so long.")
    crop_rounding: CropRounding | None = None
    sizes: Literal["torchvision", "detr"] | None = Field(
        None, description="Of whole pictures: whose rounding, where the longer side counts too."
    )
    divisor: Annotated[int, Whole(1, 256)] | None = Field(
        None, description="Of whole pictures: what sides are brought to a multiple of."
    )
    divide: Literal["down", "up"] | None = Field(None, description="How they are.")
    fixed: Sides | None = Field(
        None, description="Of whole pictures: height and width, whatever their proportions."
    )
    letterbox: Sides | None = Field(
        None,
        description="Of whole pictures: height and width of a frame that they are fitted into.",
    )
    fill: Annotated[int, Whole(0, 255)] | None = Field(
        None, description="Of letterboxes: the grey beside the picture, 114 unless said otherwise."
    )
    align: Literal["center", "corner"] | None = Field(
        None, description="Of letterboxes: where the picture lies, in the middle or at top left."
    )
    order: Literal["rgb", "bgr"] | None = Field(
        None, description="Of whole pictures: the order of channels that the network takes."
    )


class FramesBody(Strict):
    """How a video's frames are brought to the network's form, and how many make a window."""

    channels: Literal[1, 3]
    mean: Scale
    std: Scale
    antialias: StrictBool = False
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] | None = None
    resize_by: Literal["torchvision", "pillow"] | None = None
    crop_rounding: CropRounding | None = None
    resize: Annotated[list[Side], Field(min_length=1, max_length=2)] = Field(
        description="Height and width, or the pixels of the shorter side alone."
    )
    crop: Annotated[list[Side], Field(min_length=2, max_length=2)] = Field(
        description="Height and width of the centre."
    )
    fps: FiniteFloat = Field(gt=0, le=240, description="Frames a second that are looked at.")
    window: WindowLength = Field(description="Frames that are answered for at a time.")
    windows: Annotated[list[WindowLength], Field(min_length=2, max_length=2)] = Field(
        description="The fewest and the most that the network can take."
    )
    carries: StrictBool = Field(False, description="Whether it remembers earlier windows.")


def _form_of(given: Any) -> str:
    """Say which form of preprocessing is meant: only that of videos speaks of windows."""
    is_frames = isinstance(given, FramesBody) or (isinstance(given, dict) and "window" in given)
    return "(frames)" if is_frames else "(pictures)"


Preprocess = Annotated[
    Annotated[PreprocessBody, Tag("(pictures)")] | Annotated[FramesBody, Tag("(frames)")],
    Discriminator(_form_of),
]


class HuggingFaceOptions(Strict):
    """The settings of a Hugging Face folder, as its files hold them."""

    config: dict[str, Any] = Field(description="The content of config.json.")
    processor: dict[str, Any] = Field({}, description="That of preprocessor_config.json.")
    tokenizer: dict[str, Any] = Field(
        {}, description="How texts are filled up, where jobs bring labels: tokenizer_config.json."
    )


class TimmOptions(Strict):
    """What a network of timm is built with that is not its usual."""

    num_classes: Annotated[int, Whole(0, 32_768)] | None = None
    global_pool: str | None = Field(None, pattern="^[a-z]{1,16}$", description="Such as `max`.")
    img_size: Sides | None = Field(None, description="Height and width, of those with one size.")


def _options_of(given: Any) -> str:
    """Say whose options are meant: each source's have names of their own."""
    names = given if isinstance(given, dict) else dict.fromkeys(_names_of(given), 0)
    if set(HuggingFaceOptions.model_fields) & set(names):
        return "(huggingface)"
    if set(TimmOptions.model_fields) & set(names):
        return "(timm)"
    return "(network)" if _NETWORK_OPTIONS & set(names) else "(onnx)"


def _names_of(given: Any) -> tuple[str, ...]:
    if isinstance(given, BaseModel):
        return tuple(type(given).model_fields)
    return tuple(each.name for each in fields(given)) if is_dataclass(given) else ()


_NETWORK_OPTIONS = frozenset(each.name for each in fields(NetworkOptions))

Options = Annotated[
    Annotated[NetworkOptions, Tag("(network)")]
    | Annotated[OnnxOptions, Tag("(onnx)")]
    | Annotated[HuggingFaceOptions, Tag("(huggingface)")]
    | Annotated[TimmOptions, Tag("(timm)")],
    Discriminator(_options_of),
]


class Provenance(Strict):
    """Where a model comes from, as far as its author says."""

    license: str | None = Field(None, max_length=200, description="Such as `Apache-2.0`.")
    author: str | None = Field(None, max_length=200)
    source: str | None = Field(None, max_length=500, description="Where the weights were found.")


class LimitsBody(Strict):
    """What one item may be at most."""

    max_pixels: Annotated[int, Whole(1, _DEFAULTS.max_pixels)] = _DEFAULTS.max_pixels
    max_bytes: Annotated[int, Whole(1, VIDEO_LIMITS.max_bytes)] = _DEFAULTS.max_bytes


class RecordBody(Strict):
    """All that is needed to run a version, except its weights."""

    architecture: str | None = Field(
        None,
        min_length=1,
        max_length=128,
        description="Such as `digits`, `torchvision/resnet18`, `timm/convnext_tiny`, "
        "`huggingface/vit` or `onnx`, which an ONNX file needs not say; the weights must be its.",
    )
    labels: list[Annotated[str, Field(min_length=1, max_length=200)]] | None = Field(
        None,
        min_length=1,
        max_length=32_768,
        description="One name a class, in the network's order. What timm, a Hugging Face "
        "configuration, an ONNX file or an operator's module says itself may be left out.",
    )
    task: str | None = Field(None, description="Left out: the architecture's.")
    preprocess: Preprocess | None = Field(
        None,
        description="Left out: that of the network that we ship with this architecture, or what "
        "timm, a Hugging Face configuration or an ONNX file says.",
    )
    options: Options | None = Field(
        None,
        description="Of an architecture that has some: how its convolutions are made, which head "
        "reads an ONNX file, a Hugging Face folder's settings, or what one of timm is built with.",
    )
    provenance: Provenance | None = Field(None, description="Where the weights come from.")
    limits: LimitsBody | None = None
    max_batch: Annotated[int, Whole(1, 256)] | None = None
    shard_items: Annotated[int, Whole(1, 10_000)] | None = None
    metrics: dict[Annotated[str, Field(max_length=64)], FiniteFloat] = Field({}, max_length=64)
    description: str = Field("", max_length=2000)


class VersionCreate(Strict):
    """A version whose weights were uploaded as a file before."""

    input_file_id: FileId = Field(description="A safetensors or ONNX file.")
    record: RecordBody
    check: Check | None = Field(None, description="What its author's own code answers.")


class VersionForm(Strict):
    """The parts of a multipart registration."""

    weights: Binary
    record: RecordBody
    check: Annotated[Check | None, LeftOut] = Field(
        None, description="What its author's own code answers."
    )


class CanaryBody(Strict):
    """A version that gets a part of the alias's new jobs, and ends when it does badly."""

    version: VersionNumber
    percent: float = Field(gt=0, lt=100, description="Of new jobs that name the alias.")
    max_error_rate: float = Field(
        0.01, ge=0, le=1, description="Of its items, those that fail with no fault of their own."
    )
    max_latency_ratio: float = Field(
        2.0, gt=0, le=1000, description="Device time an item, over the stable version's."
    )
    min_items: Annotated[int, Whole(1)] = Field(
        100, description="Run by a version before it is judged."
    )


class AliasPut(Strict):
    """Where an alias is to point."""

    version: VersionNumber
    canary: CanaryBody | None = None


# Shown in the document; who reads it says more of what is wrong (jobs.versions.lists).
_CURSOR: dict[str, Any] = {"pattern": "^.+@[0-9]{1,9}$"}


class ModelListQuery(Strict):
    """Which models or versions to list. A page of large records may hold fewer than `limit`."""

    after: Annotated[str, Field(max_length=512, json_schema_extra=_CURSOR)] | None = Field(
        None, description="`last_id` of the page before, such as `digits@3`."
    )
    limit: int = Field(20, ge=1, le=100)


class AuditQuery(Strict):
    """Which entries of the log to list, newest first."""

    after: int | None = Field(None, ge=0, le=2**63 - 1)
    limit: int = Field(20, ge=1, le=100)


def plain(body: BaseModel) -> dict[str, Any]:
    """Give what was said, without what was left out."""
    return body.model_dump(exclude_none=True)


class ShadowPut(Strict):
    """Which version to try on how many of the shards."""

    version: VersionNumber
    percent: Annotated[int, Whole(1, 100)] = Field(10, description="Of the shards, at random.")
