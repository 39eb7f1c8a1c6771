"""Folders of transformers' networks against transformers: the inputs, the numbers, the answers.

picture ─► our sample ─► our head [ transformers' network ] ─► our answer
│ input                    │ numbers                │ confidence, IoU, …
picture ─► its processor ─────────► its network ─► its post-processing
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from benchmarks.parity.answers import MEASURES, Objects, chances_told, masks_told
from benchmarks.parity.compared import (
    Measure,
    Pixels,
    Row,
    another,
    compared,
    largest_difference,
    pictures,
)
from benchmarks.parity.hugging_face.theirs import Theirs
from benchmarks.parity.hugging_face.tinies import TINIES
from benchmarks.parity.hugging_face.tiny import Tiny, clip_of, network_of
from models.media.pictures import Picture
from models.tasks.task import Step

SIZES = ((96, 96), (75, 131), (140, 61), (33, 50))

# A step of 255 is four times that at least, once it is normalised.
INPUT = Measure("input", 1e-3, largest_difference)
NUMBERS = Measure("numbers from one input", 1e-4, largest_difference)
# The processors of transformers 5 round a few of a thousand values to the other side.
INPUT_BY_TORCHVISION = Measure(
    "mean of input, by torchvision", 5e-3, lambda ours, theirs: float((ours - theirs).abs().mean())
)

_PARAMS: dict[str, dict[str, Any]] = {
    "classification": {"top_k": 1000, "min_confidence": 0.0},
    "embedding": {"normalize": False},
    "detection": {
        "min_confidence": 0.0, "max_detections": 1000, "classes": None, "nms_iou": None
    },
    "segmentation": {
        "min_confidence": 0.0, "max_detections": 1000, "classes": None, "min_area": 0
    },
}  # fmt: skip


def rows() -> Iterator[Row]:
    """Compare one network after the other."""
    for tiny in TINIES:
        with TemporaryDirectory() as parent:
            folder = Path(parent) / tiny.name
            tiny.save(folder)
            yield from rows_of(tiny, network_of(folder), Theirs(tiny, folder))


def rows_of(tiny: Tiny, network: Any, theirs: Theirs) -> Iterator[Row]:
    """Compare a network that was loaded with transformers' own."""
    seen, other = pictures(SIZES), another(SIZES[0])
    taken, given = zip(*(_watched(network, each) for each in seen), strict=True)
    first = theirs.inputs(seen[0]), theirs.inputs(other)
    for measure, by_torchvision in ((INPUT, False), (INPUT_BY_TORCHVISION, True)):
        expected = [theirs.inputs(each, by_torchvision=by_torchvision) for each in seen]
        inputs = list(zip(taken, expected, strict=True))
        yield from compared("Hugging Face", tiny.name, tiny.task, [measure], inputs, first)
    numbers = [(mine, theirs.numbers(each)) for mine, each in zip(given, taken, strict=True)]
    two = theirs.numbers(first[0]), theirs.numbers(first[1])
    yield from compared("Hugging Face", tiny.name, tiny.task, [NUMBERS], numbers, two)
    answers = list(zip(_answers(network, seen), map(theirs.answer, seen), strict=True))
    two = answers[0][1], theirs.answer(other)
    measures = MEASURES[tiny.task]
    yield from compared("Hugging Face", tiny.name, tiny.task, measures, answers, two)


def _answers(network: Any, seen: Sequence[Pixels]) -> list[Any]:
    """Give our answers, all pictures in one batch: none may change what another one gives."""
    task = network.record.task
    outputs = network.forward([_fed(network, each) for each in seen])
    if task == "video-classification":
        return [each.logits.softmax(0) for each in outputs]
    told = network.postprocess(outputs, _PARAMS[task])
    read = {
        "classification": chances_told,
        "detection": Objects.told,
        "segmentation": masks_told,
        "embedding": lambda predictions: torch.tensor(predictions[0]["embedding"]),
    }[task]
    return [read(each) for each in told]


def _fed(network: Any, picture: Pixels) -> Any:
    if network.record.task == "video-classification":
        frames = [network.prepare_frame(each) for each in clip_of(picture)]
        return Step(torch.stack(frames))
    return network.sample(Picture(picture, picture.shape[1], picture.shape[0]))


def _watched(network: Any, picture: Pixels) -> tuple[torch.Tensor, torch.Tensor]:
    """Run one picture: what transformers' network was given, and what our head made of it."""
    head, taken, given = network.module, [], []
    hooks = [
        head.network.register_forward_pre_hook(
            lambda _network, _args, named: taken.append(named["pixel_values"]), with_kwargs=True
        ),
        head.register_forward_hook(lambda _head, _args, output: given.append(_plain(output))),
    ]
    try:
        network.forward([_fed(network, picture)])
    finally:
        for each in hooks:
            each.remove()
    return taken[0], given[0]


def _plain(output: Any) -> torch.Tensor:
    if isinstance(output, list):
        return torch.stack([each["scores"] for each in output])
    return output["chances"] if isinstance(output, dict) else output
