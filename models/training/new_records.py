"""The record of a network that is trained here: of what it begins as, and of what came of it."""

from collections.abc import Mapping
from dataclasses import replace

from models.catalog import SHIPPED
from models.networks.recurrent import recurrent_preprocess
from models.networks.torchvision import torchvision_record
from models.records.record import VIDEO_LIMITS, ModelRecord
from models.records.torchvision_names import RECURRENT_PREFIX, TORCHVISION_PREFIX
from models.training.recipes import Recipe


def new_record(name: str, recipe: Recipe, labels: tuple[str, ...]) -> ModelRecord:
    """Describe a network of the recipe's architecture that is to tell these labels apart.

    Pictures are prepared as for the network that bears the architecture's name; raises
    UnknownArchitecture or RecordError.
    """
    if recipe.architecture.startswith(TORCHVISION_PREFIX):
        model = torchvision_record(recipe.architecture)
    elif recipe.architecture.startswith(RECURRENT_PREFIX):
        model = _recurrent_record(recipe.architecture)
    else:
        model = SHIPPED[recipe.architecture]
    return replace(
        model,
        name=name,
        labels=labels,
        metrics={},
        description=f"{recipe.architecture}, trained on {len(labels)} classes.",
        options=recipe.options,
    )


def _recurrent_record(architecture: str) -> ModelRecord:
    return ModelRecord(
        name=architecture,
        task="video-classification",
        architecture=architecture,
        labels=(),
        preprocess=recurrent_preprocess(architecture),
        input_kind="video",
        limits=VIDEO_LIMITS,
        # A window holds as many pictures as a batch of pictures does.
        max_batch=4,
        shard_items=1,
    )


def with_figures(record: ModelRecord, figures: Mapping[str, float]) -> ModelRecord:
    """Give the record with what was measured."""
    return replace(record, metrics=dict(figures))
