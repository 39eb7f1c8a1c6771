"""A record of a Hugging Face folder as a network, untrained and on the meta device.

    record ─► config checked ─► transformers' class ─► head of the task        (takes no memory)
                                                        └─► loading.fill(…)    (takes the weights')

On the meta device a network has names and shapes, and no numbers: what a config asks for can be
held against its weights before memory is taken for it.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from models.huggingface.configuration import (
    check_architecture,
    label_count,
    options_of,
    read_config,
    tokenizer_options,
)
from models.huggingface.heads import Head, Recipe, head_for
from models.huggingface.library import LOCK, transformers, without_random_numbers
from models.huggingface.matching.matcher import Matcher
from models.huggingface.matching.tokenizer import TENSOR
from models.huggingface.model_types import (
    WITHOUT_CLASSES,
    ZERO_SHOT,
    ModelType,
    class_of,
    model_type_of,
)
from models.records.errors import RecordError
from models.records.record import ModelRecord

# Kinds whose classifiers have no layer after the pooled place, which their bare network would have.
_CLASSIFIERS_WITHOUT_POOLER = frozenset({"vit", "deit"})
# The layers of classifiers that give the scores, which an embedder is asked before.
_LAST_LAYERS = ("classifier.", "cls_classifier.", "distillation_classifier.")


def build(record: ModelRecord) -> nn.Module:
    """Build the record's network on the meta device; `models.huggingface.loading.fill` fills it.

    It takes float32 (B, channels, h, w) and gives what its task reads (models/tasks). Raises
    RecordError for what is not on the lists, and where transformers is not installed.
    """
    config, processor = options_of(record)
    kind = model_type_of(config)
    check_architecture(record.architecture, config)
    name = class_of(config, record.task)
    made = read_config(config, with_texts=record.task == ZERO_SHOT)
    if record.task not in WITHOUT_CLASSES and label_count(config) != len(record.labels):
        raise RecordError(
            f"Model {record.name!r} has {len(record.labels)} labels, and its config.json names "
            f"{label_count(config)} classes (id2label); give one label a class."
        )
    if record.task == "embedding" and kind.tower is not None:
        made = _picture_tower(made, kind.tower)
    recipe = _recipe(kind, record.task, config)
    network = _on_meta(name, made, recipe.extra)
    if record.task == ZERO_SHOT and kind.matching is not None:
        head: Head = Matcher(network, kind.matching, tokenizer_options(record))
    else:
        head = head_for(record.task, network, kind, processor)
    head.recipe = recipe
    return head.eval()


def _picture_tower(made: Any, part: str) -> Any:
    """Give the configuration of the tower for pictures, with the projection of the whole."""
    tower = getattr(made, part)
    if hasattr(tower, "projection_dim"):
        tower.projection_dim = made.projection_dim
    return tower


def _recipe(kind: ModelType, task: str, config: Mapping[str, Any]) -> Recipe:
    """Say how an embedder is made of a folder that holds more, or less, than its network."""
    if task == ZERO_SHOT:
        return Recipe(unused=(TENSOR,))
    if task != "embedding":
        return Recipe()
    named = (config.get("architectures") or [""])[0]
    if "Model" in named or not named:
        return Recipe(unused=kind.other_tower)
    extra = {"add_pooling_layer": False} if kind.name in _CLASSIFIERS_WITHOUT_POOLER else {}
    return Recipe(extra, unused=(*kind.other_tower, *_LAST_LAYERS))


def _on_meta(name: str, made: Any, extra: Mapping[str, Any]) -> nn.Module:
    """Build one of transformers' networks without taking memory for it."""
    library = transformers()
    built = getattr(library, name, None)
    if built is None:
        raise RecordError(
            f"transformers {library.__version__} has no {name}; install a newer one, "
            "pip install -U 'pixelmill[huggingface]'."
        )
    try:
        with LOCK, torch.device("meta"), without_random_numbers():
            network: nn.Module = built(made, **extra)
    except Exception as err:  # transformers raises whatever a setting happens to
        reason = " ".join(str(err).split())[:300]
        raise RecordError(f"config.json makes no {name}: {reason or type(err).__name__}.") from err
    return network
