"""Which kinds of transformers' networks are run, for which task, and by which of its classes.

Plain names, so that neither torch nor transformers is needed to ask: a kind that does not stand
here is refused before anything of it is looked at. A new kind of an old task is one line here; that
it answers as transformers does is for tests/unit/models/huggingface to show.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from models.records.errors import RecordError

# How a detector's logits are read, as transformers' own post-processing of its family does it:
# each query by its best class, the last of all being "no object"; or the best pairs of query and
# class, 100 of them or as many as there are queries.
Reading = Literal["softmax", "best_100", "best_queries"]


@dataclass(frozen=True, slots=True)
class Matching:
    """How a network of two towers reads texts, and what its cosines become.

    pads_with: the token that fills short texts up, where a folder does not name one. fills_up:
    whether all texts are as long as the network reads. each_alone: whether a text's chance is its
    own (sigmoid), or its share among the others (softmax).
    """

    pads_with: str
    fills_up: bool
    each_alone: bool


@dataclass(frozen=True, slots=True)
class ModelType:
    """A kind of network, by the `model_type` of its config.json.

    classes: for each task, the classes that do it; the first where the config does not say which.
    processor: the image processor where a folder does not name one. reading: of a detector's
    logits. fps: frames a second that the published networks of a kind for videos were trained with.
    """

    name: str
    classes: Mapping[str, tuple[str, ...]]
    processor: str
    reading: Reading = "softmax"
    fps: float | None = None
    # Where a folder holds two towers: the part of the config, and tensors of the other one.
    tower: str | None = None
    other_tower: tuple[str, ...] = field(default=())
    # How its two towers are brought together, where both are run.
    matching: Matching | None = None


_HEADS = {
    "classification": "ForImageClassification",
    "detection": "ForObjectDetection",
    "segmentation": "ForSemanticSegmentation",
    "video-classification": "ForVideoClassification",
    "embedding": "Model",
}
_C, _E, _S = "classification", "embedding", "segmentation"
ZERO_SHOT: Final = "zero-shot-classification"
# Tasks whose networks have no classes of their own.
WITHOUT_CLASSES = frozenset({_E, ZERO_SHOT})

# model_type, the name in transformers' classes, its image processor, and tasks.
_PICTURES: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("beit", "Beit", "Beit", (_C, _S, _E)),
    ("bit", "Bit", "Bit", (_C, _E)),
    ("convnext", "ConvNext", "ConvNext", (_C, _E)),
    ("convnextv2", "ConvNextV2", "ConvNext", (_C, _E)),
    ("data2vec-vision", "Data2VecVision", "Beit", (_C, _S, _E)),
    ("deit", "DeiT", "DeiT", (_C, _E)),
    ("dinov2", "Dinov2", "Bit", (_C, _E)),
    ("dinov2_with_registers", "Dinov2WithRegisters", "Bit", (_C, _E)),
    ("dinov3_convnext", "DINOv3ConvNext", "DINOv3ViT", (_E,)),
    ("dinov3_vit", "DINOv3ViT", "DINOv3ViT", (_E,)),
    ("dpt", "DPT", "DPT", (_S,)),
    ("efficientnet", "EfficientNet", "EfficientNet", (_C, _E)),
    ("focalnet", "FocalNet", "Bit", (_C, _E)),
    ("levit", "Levit", "Levit", (_C,)),
    ("mobilenet_v1", "MobileNetV1", "MobileNetV1", (_C, _E)),
    ("mobilenet_v2", "MobileNetV2", "MobileNetV2", (_C, _S, _E)),
    ("mobilevit", "MobileViT", "MobileViT", (_C, _S, _E)),
    ("mobilevitv2", "MobileViTV2", "MobileViT", (_C, _S, _E)),
    ("poolformer", "PoolFormer", "PoolFormer", (_C,)),
    ("pvt", "Pvt", "Pvt", (_C,)),
    ("pvt_v2", "PvtV2", "Pvt", (_C,)),
    ("regnet", "RegNet", "ConvNext", (_C, _E)),
    ("resnet", "ResNet", "ConvNext", (_C, _E)),
    ("segformer", "Segformer", "Segformer", (_C, _S)),
    ("swin", "Swin", "ViT", (_C, _E)),
    ("swinv2", "Swinv2", "ViT", (_C, _E)),
    ("upernet", "UperNet", "Segformer", (_S,)),
    ("vit", "ViT", "ViT", (_C, _E)),
    ("vit_msn", "ViTMSN", "ViT", (_C, _E)),
)
_DETECTORS: tuple[tuple[str, str, str, Reading], ...] = (
    ("conditional_detr", "ConditionalDetr", "ConditionalDetr", "best_100"),
    ("d_fine", "DFine", "RTDetr", "best_queries"),
    ("deformable_detr", "DeformableDetr", "DeformableDetr", "best_100"),
    ("detr", "Detr", "Detr", "softmax"),
    ("rt_detr", "RTDetr", "RTDetr", "best_queries"),
    ("rt_detr_v2", "RTDetrV2", "RTDetr", "best_queries"),
    ("table-transformer", "TableTransformer", "Detr", "softmax"),
    ("yolos", "Yolos", "Yolos", "softmax"),
)
# The published ones saw 16 frames of four apart at 30 a second, 8 of 32 apart, 32 of two apart.
_VIDEOS = (
    ("videomae", "VideoMAE", "VideoMAE", 7.5),
    ("timesformer", "Timesformer", "VideoMAE", 1.0),
    ("vivit", "Vivit", "Vivit", 15.0),
)
_TEXT_OF_CLIP = ("text_model.", "text_projection.", "logit_scale")
_TEXT_OF_SIGLIP = ("text_model.", "logit_scale", "logit_bias")
_OTHERS = (
    ModelType(
        "clip",
        {
            _E: ("CLIPVisionModelWithProjection", "CLIPModel"),
            _C: ("CLIPForImageClassification",),
            ZERO_SHOT: ("CLIPModel",),
        },
        "CLIP",
        tower="vision_config",
        other_tower=_TEXT_OF_CLIP,
        matching=Matching("<|endoftext|>", fills_up=False, each_alone=False),
    ),
    ModelType("clip_vision_model", {_E: ("CLIPVisionModelWithProjection",)}, "CLIP"),
    ModelType(
        "siglip",
        {
            _E: ("SiglipVisionModel", "SiglipModel"),
            _C: ("SiglipForImageClassification",),
            ZERO_SHOT: ("SiglipModel",),
        },
        "Siglip",
        tower="vision_config",
        other_tower=_TEXT_OF_SIGLIP,
        matching=Matching("</s>", fills_up=True, each_alone=True),
    ),
    ModelType("siglip_vision_model", {_E: ("SiglipVisionModel",)}, "Siglip"),
    ModelType("maskformer", {_S: ("MaskFormerForInstanceSegmentation",)}, "MaskFormer"),
    ModelType("mask2former", {_S: ("Mask2FormerForUniversalSegmentation",)}, "Mask2Former"),
)
# Published under names of their own for a second head, which is averaged with the first.
_WITH_TEACHER = {"deit", "levit"}


def _classes(name: str, prefix: str, tasks: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    classes: dict[str, tuple[str, ...]] = {task: (prefix + _HEADS[task],) for task in tasks}
    if name in _WITH_TEACHER:
        classes[_C] += (f"{prefix}ForImageClassificationWithTeacher",)
    return classes


MODEL_TYPES: Mapping[str, ModelType] = {
    each.name: each
    for each in (
        *(ModelType(n, _classes(n, p, tasks), proc) for n, p, proc, tasks in _PICTURES),
        *(
            ModelType(n, _classes(n, p, ("detection",)), proc, reading=reading)
            for n, p, proc, reading in _DETECTORS
        ),
        *(
            ModelType(n, _classes(n, p, ("video-classification",)), proc, fps=fps)
            for n, p, proc, fps in _VIDEOS
        ),
        *_OTHERS,
    )
}

# Kinds whose old configs name a network of timm as their backbone, which is then built, untrained.
WITH_TIMM_BACKBONE = frozenset({"detr", "conditional_detr", "deformable_detr", "table-transformer"})
# Kinds that may be a part of another network.
PARTS = frozenset(MODEL_TYPES) | {
    "clip_text_model",
    "hgnet_v2",
    "maskformer-swin",
    "rt_detr_resnet",
    "siglip_text_model",
    "timm_backbone",
}


# Classifiers that were trained for something else.
_NOT_ONE_CLASS = ("multi_label_classification", "regression")


def model_type_of(config: Mapping[str, Any]) -> ModelType:
    """Find a config's kind; raises RecordError for one that is not on the list."""
    name = config.get("model_type")
    known = MODEL_TYPES.get(name) if isinstance(name, str) else None
    if known is None:
        raise RecordError(
            f"config.json's model_type {str(name)[:60]!r} is none that is run; there are "
            f"{', '.join(sorted(MODEL_TYPES))}."
        )
    return known


def task_of(config: Mapping[str, Any]) -> str:
    """Say what a network does, by the class that config.json names; raises RecordError."""
    kind = model_type_of(config)
    named = config.get("architectures") or ["?"]
    for task, classes in kind.classes.items():
        if named[0] in classes:
            return task
    if len(kind.classes) == 1:
        return next(iter(kind.classes))
    raise RecordError(
        f"config.json's architectures ({str(named[0])[:80]}) does not say what this {kind.name} "
        f"does; name its task with --task: {' or '.join(kind.classes)}."
    )


def class_of(config: Mapping[str, Any], task: str) -> str:
    """Name transformers' class that does a task; raises RecordError where there is none."""
    kind = model_type_of(config)
    classes = kind.classes.get(task)
    if classes is None:
        raise RecordError(
            f"A Hugging Face {kind.name} does {' or '.join(kind.classes)}, not {task}; "
            "leave out --task, or name one of those."
        )
    if task == _C and config.get("problem_type") in _NOT_ONE_CLASS:
        raise RecordError(
            f"config.json's problem_type is {config['problem_type']!r}, and classification here "
            "says which one of the classes a picture shows."
        )
    named = (config.get("architectures") or ["?"])[0]
    # Of two towers only the one for pictures is built, whatever the config names.
    return named if named in classes and kind.tower is None else classes[0]
