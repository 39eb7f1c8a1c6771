"""Embedding: an image as a vector, by a classifier that is asked one layer before its answer."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from models.answers.numbers import shortest
from models.preprocessing.preprocess import Preprocessing
from models.records.record import ModelRecord
from models.tasks.classification import blank, channels, infer, least, prepare
from models.tasks.task import Predictions, Task


def check(record: ModelRecord) -> None:
    """Refuse a record with unusable preprocessing; raises RecordError.

    Labels are what is left of the classifier that the network was, and another has none.
    """
    Preprocessing.read(record.preprocess)


def postprocess(
    _record: ModelRecord, features: torch.Tensor, params: Mapping[str, Any]
) -> list[Predictions]:
    """Turn features (B, d) into one vector a sample; one of nothing but zeros stays as it is."""
    vectors = nn.functional.normalize(features, dim=1) if params["normalize"] else features
    return [[{"embedding": row}] for row in shortest(vectors)]


TASK = Task("embedding", check, channels, least, prepare, infer, blank, postprocess)
