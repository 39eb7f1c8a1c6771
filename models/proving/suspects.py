"""What an author's code may do otherwise than a record says: the usual ones, each to be tried.

A new one is a line in `suspects`, the likeliest first.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from models.media.pictures import Picture
from models.records.record import ModelRecord
from models.runtime.network import ImageNetwork

_SCALES: Mapping[str, tuple[float, float] | tuple[list[float], list[float]]] = {
    "ImageNet's mean and deviation": ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    "pixels of 0 to 1": (0.0, 1.0),
    "pixels of -1 to 1": (0.5, 0.5),
    "pixels of 0 to 255": (0.0, 1 / 255),
    "CLIP's mean and deviation": (
        [0.48145466, 0.4578275, 0.40821073],
        [0.26862954, 0.26130258, 0.27577711],
    ),
}
_FLAGS = {
    "ImageNet's mean and deviation": "imagenet",
    "pixels of 0 to 1": "unit",
    "pixels of -1 to 1": "symmetric",
}
_WAYS = ("bilinear", "bicubic", "nearest")


@dataclass(frozen=True, slots=True)
class Suspect:
    """One reading of a network that its record does not say.

    words: what it is, after "they would agree …". preprocess: members of the record's that are
    other; None takes one away. around: what the network's outputs go through.
    """

    words: str
    remedy: str
    preprocess: Mapping[str, Any] = field(default_factory=dict)
    swaps_channels: bool = False
    around: Callable[[], nn.Module] | None = None

    def network(self, network: ImageNetwork) -> ImageNetwork:
        """Give the network as it would be; raises RecordError where it cannot be so."""
        record = network.record
        changed = {**record.preprocess, **self.preprocess}
        preprocess = {name: value for name, value in changed.items() if value is not None}
        return network.read_as(replace(record, preprocess=preprocess), self.around)

    def picture(self, picture: Picture) -> Picture:
        """Give a picture as the author's code sees it."""
        if not self.swaps_channels:
            return picture
        return replace(picture, pixels=picture.pixels[..., ::-1].copy())


def suspects(record: ModelRecord) -> Iterator[Suspect]:
    """Yield what may be otherwise, the likeliest first; only what the record does not say."""
    given = record.preprocess
    if given.get("channels") == 3:
        yield Suspect(
            "if pictures were given blue first (BGR), as OpenCV reads them",
            "Turn them in the author's code (cv2.COLOR_BGR2RGB); if the network was trained so, "
            "say preprocess.order 'bgr' for a detector or segmenter, and turn the first layer's "
            "channels of any other.",
            swaps_channels=True,
        )
        turned = {name: given[name][::-1] for name in ("mean", "std") if name in given}
        if any(given[name] != value for name, value in turned.items()):
            yield Suspect(
                "if channels were turned to BGR after mean and deviation were taken",
                "Turn them back in the author's code, or turn the first layer's channels.",
                turned,
                swaps_channels=True,
            )
    yield from _of_size(given)
    if record.task == "classification":
        yield Suspect(
            "if the network's answers were probabilities already (a softmax twice here)",
            "Export the network without its softmax, or for an ONNX file say options.outputs "
            "'probabilities' (--record).",
            around=_Logarithm,
        )
        yield Suspect(
            "if the author's code took the softmax twice",
            "Leave the second softmax out of what the check expects.",
            around=_Softmax,
        )
    for words, (mean, std) in _SCALES.items():
        wanted: dict[str, Any] = {"mean": _each(mean, given), "std": _each(std, given)}
        if any(given.get(name) != value for name, value in wanted.items()):
            yield _of_scale(record, words, wanted)
    for way in _WAYS:
        for by in ("torchvision", "pillow"):
            wanted = {"interpolation": way, "resize_by": by, "antialias": True}
            if any(given.get(name, _USUAL[name]) != value for name, value in wanted.items()):
                yield _other(f"with pictures resized {way} by {by}, with a filter", wanted)
    if given.get("resize_by", "torchvision") != "opencv":
        wanted = {"antialias": False, "resize_by": "torchvision", "interpolation": "bilinear"}
        yield _other("with pictures resized without a filter, as OpenCV does", wanted)


def paired(first: Suspect, known: Iterable[Suspect]) -> Iterator[Suspect]:
    """Yield a suspect together with each of the others that says something else."""
    for each in known:
        same = first.preprocess.keys() & each.preprocess.keys()
        if each is first or same or (first.around and each.around):
            continue
        if first.swaps_channels and each.swaps_channels:
            continue
        if first.remedy == _in_record(first.preprocess) and each.remedy == _in_record(
            each.preprocess
        ):
            yield _other(
                f"{first.words}, and {each.words}", {**first.preprocess, **each.preprocess}
            )
            continue
        yield Suspect(
            f"{first.words}, and {each.words}",
            f"{first.remedy} {each.remedy}",
            {**first.preprocess, **each.preprocess},
            first.swaps_channels or each.swaps_channels,
            first.around or each.around,
        )


_USUAL: Mapping[str, Any] = {
    "interpolation": "bilinear",
    "resize_by": "torchvision",
    "antialias": True,
}


def _of_size(given: Mapping[str, Any]) -> Iterator[Suspect]:
    if box := given.get("letterbox"):
        yield _other(
            "without a letterbox: pictures resized to the network's size, whatever their shape",
            {"letterbox": None, "fill": None, "align": None, "fixed": box},
        )
        other = "corner" if given.get("align", "center") == "center" else "center"
        yield _other(f"with the picture at the {other} of its letterbox", {"align": other})
        for fill in (0, 114, 128):
            if given.get("fill", 114) != fill:
                yield _other(f"with a letterbox of grey {fill}", {"fill": fill})
    elif box := given.get("fixed"):
        framed = {"fixed": None, "letterbox": box, "resize_by": "opencv"}
        for align in ("center", "corner"):
            yield _other(
                f"with a letterbox, the picture at its {align}", {**framed, "align": align}
            )
    elif crop := given.get("crop"):
        sides = crop if isinstance(crop, list) else [crop, crop]
        if given.get("resize") != sides:
            yield _other(
                "with pictures resized to the network's size, without a crop", {"resize": sides}
            )
        if isinstance(crop, int):
            for of in (crop, round(crop / 0.875), round(crop / 0.95)):
                if given.get("resize") != of:
                    yield _other(
                        f"with the shorter side resized to {of} before the crop", {"resize": of}
                    )


def _other(words: str, preprocess: Mapping[str, Any]) -> Suspect:
    return Suspect(words, _in_record(preprocess), preprocess)


def _in_record(preprocess: Mapping[str, Any]) -> str:
    said = ", ".join(f"{name} {value!r}" for name, value in preprocess.items() if value is not None)
    return (
        f"To have it so, set preprocess.{said} in its record (`pixelmill models show NAME "
        "--record` of one pushed with --no-check) and push with --record."
    )


def _of_scale(record: ModelRecord, words: str, wanted: Mapping[str, Any]) -> Suspect:
    """Give another mean and deviation; of an ONNX file `--scale` says the usual ones."""
    suspect = _other(f"with {words}", wanted)
    if record.architecture != "onnx":
        return suspect
    if words in _FLAGS:
        return replace(suspect, remedy=f"To have it so, push with --scale {_FLAGS[words]}.")
    return replace(suspect, remedy=f"{suspect.remedy} Leave out its options.scale.")


def _each(value: float | list[float], given: Mapping[str, Any]) -> list[float]:
    if isinstance(value, list):
        return value if given.get("channels") == 3 else [sum(value) / 3]
    return [value] * int(given.get("channels", 3))


class _Logarithm(nn.Module):
    """Takes probabilities for what they are."""

    def forward(self, outputs: torch.Tensor) -> torch.Tensor:
        """Give logits whose softmax is `outputs`; raises ValueError when they are none."""
        sums = outputs.sum(dim=1)
        if (outputs < 0).any() or not torch.allclose(sums, torch.ones_like(sums), atol=1e-3):
            raise ValueError("these are no probabilities")
        return outputs.clamp(min=torch.finfo(torch.float32).tiny).log()


class _Softmax(nn.Module):
    def forward(self, outputs: torch.Tensor) -> torch.Tensor:
        """Give what the second softmax gets."""
        return outputs.softmax(dim=1)
