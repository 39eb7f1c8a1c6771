"""Zero-shot classification: which of a job's own labels an image shows.

A network of two towers brings pictures and texts into one space. Its module takes float32
(B, channels, h, w) and gives features of unit length, float32 (B, d), and has three methods more:

- `tokens(texts)` gives the numbers of the tokens of each text; raises ParamsError.
- `read(tokens, device)` gives features of unit length of texts, float32 (n, d).
- `chances(features, texts)` gives each picture's chance of each text, float32 (B, n).

    labels, template ─► texts ─► tokens ─► read ─► features of texts ─┐  once for a set of labels
    picture ─────────────────────────────────────► features ──────────┴─► chances

The two meet in `infer`, picture by picture: a batch may hold pictures of jobs with other labels.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from models.answers.numbers import shortest
from models.preprocessing.preprocess import Preprocessing, normalise
from models.records.record import ModelRecord
from models.tasks.classification import blank, channels, least, prepare
from models.tasks.task import Outputs, Predictions, Sample, Task, Text, TextSteps, stack


def check(record: ModelRecord) -> None:
    """Refuse a record with unusable preprocessing; raises RecordError. Labels are the jobs'."""
    Preprocessing.read(record.preprocess)


def named_texts(params: Mapping[str, Any]) -> tuple[str, ...]:
    """Put each label into the template."""
    return tuple(params["template"].replace("{}", label) for label in params["labels"])


def prepare_texts(module: Any, texts: Sequence[str]) -> list[Text]:
    """Cut texts into tokens; raises ParamsError for one that is too long for the network."""
    return [Text(tokens) for tokens in module.tokens(texts)]


def infer_texts(module: Any, texts: Sequence[Text], device: torch.device) -> torch.Tensor:
    """Give the features of texts: float32 (n, d), of unit length."""
    features: torch.Tensor = module.read([each.tokens for each in texts], device)
    return features.float().cpu()


def infer(
    record: ModelRecord, module: Any, samples: Sequence[Sample], device: torch.device
) -> Outputs:
    """Give the chances of each sample's own texts, as rows: (B, n), or a list where texts differ.

    Samples without texts, such as blank ones, give their features.
    """
    inputs = normalise(stack(samples, device), record.parsed(Preprocessing.read))
    features: torch.Tensor = module(inputs)
    asked = {id(each.texts): each.texts for each in samples}
    if len(asked) == 1:
        return _chances(module, features, samples[0].texts)
    rows: list[torch.Tensor] = [torch.empty(0)] * len(samples)
    for name, texts in asked.items():
        places = [place for place, each in enumerate(samples) if id(each.texts) == name]
        for place, row in zip(places, _chances(module, features[places], texts), strict=True):
            rows[place] = row
    return rows


def _chances(module: Any, features: torch.Tensor, texts: torch.Tensor | None) -> torch.Tensor:
    if texts is None:
        return features.float().cpu()
    chances: torch.Tensor = module.chances(features, texts.to(features.device))
    return chances.float().cpu()


def postprocess(
    _record: ModelRecord, outputs: Sequence[torch.Tensor], params: Mapping[str, Any]
) -> list[Predictions]:
    """Turn each sample's chances (labels,) into its best labels, most confident first.

    `params` as `check_params` gives them: `top_k` is capped by the number of labels, and labels
    below `min_confidence` are left out, so that a sample's list may be empty.
    """
    labels = params["labels"]
    predictions = []
    for chances in outputs:
        best = chances.topk(min(params["top_k"], len(labels)))
        found = zip(shortest(best.values), best.indices.tolist(), strict=True)
        predictions.append(
            [
                {"class": labels[class_id], "class_id": class_id, "confidence": confidence}
                for confidence, class_id in found
                if confidence >= params["min_confidence"]
            ]
        )
    return predictions


TASK = Task(
    "zero-shot-classification",
    check,
    channels,
    least,
    prepare,
    infer,
    blank,
    postprocess,
    TextSteps(named_texts, prepare_texts, infer_texts),
)
