"""What exists: the torch-free face of `models`, and the only room of it that `api` imports.

Records and parameter schemas are declared next door and shown here; this file adds the networks
that are shipped with us and the list of torchvision's classification networks.
"""

from collections.abc import Mapping
from pathlib import Path

from models.contracts import check_params, params_schema, result_schema
from models.errors import UnknownArchitecture
from models.record import Limits, ModelRecord

__all__ = [
    "SHIPPED",
    "TORCHVISION_CLASSIFIERS",
    "TORCHVISION_PREFIX",
    "Limits",
    "ModelRecord",
    "check_params",
    "is_torchvision_classifier",
    "params_schema",
    "result_schema",
    "shipped_weights",
]

TORCHVISION_PREFIX = "torchvision/"

# torchvision.models.list_models(module=torchvision.models) of 0.26 to 0.29, written down because
# asking it would import torch. A test holds this against the installed torchvision.
TORCHVISION_CLASSIFIERS: tuple[str, ...] = tuple(
    """
    alexnet convnext_base convnext_large convnext_small convnext_tiny densenet121 densenet161
    densenet169 densenet201 efficientnet_b0 efficientnet_b1 efficientnet_b2 efficientnet_b3
    efficientnet_b4 efficientnet_b5 efficientnet_b6 efficientnet_b7 efficientnet_v2_l
    efficientnet_v2_m efficientnet_v2_s googlenet inception_v3 maxvit_t mnasnet0_5 mnasnet0_75
    mnasnet1_0 mnasnet1_3 mobilenet_v2 mobilenet_v3_large mobilenet_v3_small regnet_x_16gf
    regnet_x_1_6gf regnet_x_32gf regnet_x_3_2gf regnet_x_400mf regnet_x_800mf regnet_x_8gf
    regnet_y_128gf regnet_y_16gf regnet_y_1_6gf regnet_y_32gf regnet_y_3_2gf regnet_y_400mf
    regnet_y_800mf regnet_y_8gf resnet101 resnet152 resnet18 resnet34 resnet50 resnext101_32x8d
    resnext101_64x4d resnext50_32x4d shufflenet_v2_x0_5 shufflenet_v2_x1_0 shufflenet_v2_x1_5
    shufflenet_v2_x2_0 squeezenet1_0 squeezenet1_1 swin_b swin_s swin_t swin_v2_b swin_v2_s
    swin_v2_t vgg11 vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn vit_b_16 vit_b_32
    vit_h_14 vit_l_16 vit_l_32 wide_resnet101_2 wide_resnet50_2
    """.split()  # noqa: SIM905  # as a list literal it would be 80 lines
)

# Figures: models/weights/digits.md, which `python -m models.train` wrote and
# `python -m models.evaluate` measures again.
_DIGITS = ModelRecord(
    name="digits",
    task="classification",
    architecture="digits",
    labels=tuple("0123456789"),
    preprocess={
        "resize": 28,
        "crop": 28,
        "interpolation": "bilinear",
        "antialias": True,
        "channels": 1,
        "mean": [0.0],
        "std": [1.0],
    },
    max_batch=256,
    shard_items=6000,  # 0.35 ms of one core an image, measured
    limits=Limits(),
    metrics={"heldout_accuracy": 0.9917, "parameters": 220234},
    description="Handwritten digits: light strokes on a dark ground, centred, one a picture.",
)

SHIPPED: Mapping[str, ModelRecord] = {record.name: record for record in (_DIGITS,)}


def shipped_weights(name: str) -> Path:
    """Return the path of a shipped network's safetensors; raises UnknownArchitecture."""
    if name not in SHIPPED:
        raise UnknownArchitecture(
            f"No network {name!r} is shipped; there are: {', '.join(SHIPPED)}."
        )
    return Path(__file__).parent / "weights" / f"{name}.safetensors"


def is_torchvision_classifier(name: str) -> bool:
    """Say whether `name` ("torchvision/resnet50") is a classification network of torchvision."""
    return name.removeprefix(TORCHVISION_PREFIX) in TORCHVISION_CLASSIFIERS and name.startswith(
        TORCHVISION_PREFIX
    )
