"""What the shipped networks are measured by: what was held out of training, sent as a caller would.

Bytes of PNG files -> prepare -> forward -> postprocess, one function a task; each returns figures
by the names that they have in the record and on the card. Videos are next door, in
clip_evaluation.py.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.answers import rle
from models.answers.measures import Boxes, mean_average_precision, mean_iou
from models.contracts import check_params
from models.measuring.clip_evaluation import measure_motion
from models.pictures.data import Labels, Pixels, encode, heldout_digits
from models.pictures.scenes import Scene, heldout_scenes
from models.records.record import ModelRecord
from models.runtime.network import ImageNetwork
from models.runtime.registry import load
from models.tasks.task import Predictions

Figures = Mapping[str, float]


def evaluate(record: ModelRecord, weights: bytes) -> Figures:
    """Measure the figures of a network that answers for digits, scenes or clips."""
    return MEASURES[record.task](load(record, weights))


def accuracy(network: ImageNetwork, images: Sequence[Pixels] | Pixels, labels: Labels) -> float:
    """Return the share of uint8 (N, H, W) pictures whose best class is the right one."""
    found = predict(network, images, {})
    right = [
        each[0]["class_id"] == label for each, label in zip(found, labels.tolist(), strict=True)
    ]
    return float(np.mean(right))


def predict(
    network: ImageNetwork, images: Sequence[Pixels] | Pixels, params: Mapping[str, Any]
) -> Iterator[Predictions]:
    """Yield the predictions of each grey picture (H, W), sent as PNG."""
    checked = check_params(network.record.task, params, network.record.labels)
    size = network.record.max_batch
    for start in range(0, len(images), size):
        samples = [network.prepare(encode(image, ".png")) for image in images[start : start + size]]
        yield from network.postprocess(network.forward(samples), checked)


def boxes_of(predictions: Predictions) -> Boxes:
    """Turn the predictions of one picture into arrays."""
    boxes = [
        (box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"])
        for box in (each["box"] for each in predictions)
    ]
    return Boxes(
        np.asarray(boxes, np.float64).reshape(-1, 4),
        np.asarray([each["class_id"] for each in predictions], np.int64),
        np.asarray([each["confidence"] for each in predictions], np.float64),
    )


def class_map_of(predictions: Predictions, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Turn the masks of one picture into the class of each pixel, 0 where there is none."""
    found = np.zeros(shape, np.int64)
    for each in predictions:
        found[rle.decode(each["mask"])] = each["class_id"]
    return found


def _measure_classifier(network: ImageNetwork) -> Figures:
    return {"heldout_accuracy": accuracy(network, *heldout_digits())}


def _measure_detector(network: ImageNetwork) -> Figures:
    scenes = heldout_scenes()
    found = [boxes_of(each) for each in predict(network, _images(scenes), {"min_confidence": 0.0})]
    truth = [Boxes(each.boxes, each.labels, np.ones(len(each.labels))) for each in scenes]
    return {
        f"heldout_map{percent}": mean_average_precision(found, truth, percent / 100)
        for percent in (50, 75)
    }


def _measure_segmenter(network: ImageNetwork) -> Figures:
    scenes = heldout_scenes()
    found = [
        class_map_of(predictions, scene.mask.shape)
        for predictions, scene in zip(predict(network, _images(scenes), {}), scenes, strict=True)
    ]
    masks = [scene.mask for scene in scenes]
    return {"heldout_mean_iou": mean_iou(found, masks, len(network.record.labels))}


def _images(scenes: Sequence[Scene]) -> list[Pixels]:
    return [scene.image for scene in scenes]


# What each measure takes is the kind of network that `load` gives for its task.
MEASURES: Mapping[str, Callable[[Any], Figures]] = {
    "classification": _measure_classifier,
    "detection": _measure_detector,
    "segmentation": _measure_segmenter,
    "video-classification": measure_motion,
}
