"""Pictures resized and cut as torchvision does it, at a third of its cost.

A resize with a filter is linear: first along the rows, then along the columns, each pixel of the
result is a sum of a few neighbours, and the sizes alone say how much of each. torch tells how much
when it is given pulses to resize. The sums here are torch's own, in float32, in its order and
rounded once at the end: about one value in a million differs, by one step of 255. What is cut away
is never computed, and torch's `embedding_bag` adds up whole lines with vector instructions, where
its `interpolate` takes one number at a time.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional as nn
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as tv

from models.media.memory import Pixels
from models.media.opencv import cv2

# (height, width) in pixels.
Size = tuple[int, int]
# Where half a pixel goes when a centre is cut out: to the even one (torchvision), or down
# (transformers).
CropRounding = Literal["even", "down"]
# Whose arithmetic: sums in float32, rounded once, or Pillow's whole numbers, rounded twice.
ResizeBy = Literal["torchvision", "pillow"]
_PILLOWS = {
    InterpolationMode.NEAREST: Image.Resampling.NEAREST,
    InterpolationMode.BILINEAR: Image.Resampling.BILINEAR,
    InterpolationMode.BICUBIC: Image.Resampling.BICUBIC,
    InterpolationMode.LANCZOS: Image.Resampling.LANCZOS,
}

# Half of a filter's width, in pixels of the smaller of the two pictures.
_REACH = {InterpolationMode.BILINEAR: 1, InterpolationMode.BICUBIC: 2}
# Values that are held as float32 at a time, four bytes each.
_BAND_VALUES = 2**20
# Pairs of lengths whose taps are kept, of some 10 KB each, and 200 KB at most.
_KEPT = 1000
# Pictures with a longer side, or with one that more pulses would be needed for, are strips and
# panoramas: torch resizes them by itself. Taps would take gigabytes for them.
_LONGEST, _MOST_PULSES = 8192, 4_000_000


def can_filter(mode: InterpolationMode) -> bool:
    """Say whether `antialias` means anything: torchvision has a filter for two ways."""
    return mode in _REACH


def by_shorter_side(height: int, width: int, shorter: int) -> Size:
    """Say how large a picture becomes; rounded as torchvision rounds it."""
    if height <= width:
        return shorter, int(shorter * width / height)
    return int(shorter * height / width), shorter


def resize_and_crop(
    pixels: Pixels,
    size: Size,
    crop: Size,
    mode: InterpolationMode = InterpolationMode.BILINEAR,
    antialias: bool = True,
    crop_rounding: CropRounding = "even",
    resize_by: ResizeBy = "torchvision",
) -> torch.Tensor:
    """Resize uint8 (H, W, C) to `size` and cut `crop`, which is no larger, out of the centre.

    Gives uint8 (C, *crop), channels last in memory, which keeps nothing else in memory.
    """
    if size == pixels.shape[:2]:
        return _by_channel(_centre(pixels, crop, crop_rounding))
    if resize_by == "pillow":
        return _by_channel(_centre(_by_pillow(pixels, size, mode), crop, crop_rounding))
    if antialias and can_filter(mode) and all(map(_is_usual, pixels.shape, size, (mode, mode))):
        return _by_channel(_resample(pixels, size, crop, mode, crop_rounding))
    image = torch.from_numpy(pixels).permute(2, 0, 1)
    resized = tv.resize(image, list(size), interpolation=mode, antialias=antialias)
    return _by_channel(_centre(resized.permute(1, 2, 0).numpy(), crop, crop_rounding))


def decoded_channels(channels: int, resize_by: str) -> int:
    """Say how many channels a file is decoded to for a network of so many: 3 (RGB) or 1 (grey).

    Pillow makes grey of what it has decoded to RGB. A decoder by itself gives the luma that a JPEG
    holds, which its colours differ from where they were clipped.
    """
    return 3 if resize_by == "pillow" else channels


def as_taken(pixels: Pixels, channels: int) -> Pixels:
    """Make grey of uint8 RGB (h, w, 3) for one channel, to the bit as Pillow's `convert("L")`."""
    if pixels.shape[2] == channels:
        return pixels
    return np.asarray(Image.fromarray(pixels).convert("L"), np.uint8)[..., np.newaxis]


def _by_pillow(pixels: Pixels, size: Size, mode: InterpolationMode) -> Pixels:
    """Resize by Pillow, in whose whole numbers Hugging Face's and timm's networks were trained."""
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    # A copy: torch wants memory that may be written to, and Pillow's may not.
    resized = np.array(picture.resize((size[1], size[0]), _PILLOWS[mode]), np.uint8)
    return resized.reshape(*size, pixels.shape[2])


def _by_channel(pixels: Pixels) -> torch.Tensor:
    # By NumPy: tiny pictures come by the thousand a second, and torch's own call costs more.
    return torch.from_numpy(pixels.transpose(2, 0, 1))


def _centre(pixels: Pixels, crop: Size, rounding: CropRounding) -> Pixels:
    """Cut out the centre, where torchvision's `center_crop` does, or transformers'."""
    top = _first(pixels.shape[0], crop[0], rounding)
    left = _first(pixels.shape[1], crop[1], rounding)
    cut = pixels[top : top + crop[0], left : left + crop[1]]
    # A copy if it is a part, so that the sample does not keep the whole picture in memory.
    return np.ascontiguousarray(cut) if cut.size == pixels.size else cut.copy()


def _first(side: int, crop: int, rounding: CropRounding) -> int:
    return (side - crop) // 2 if rounding == "down" else round((side - crop) / 2)


@torch.inference_mode()
def _resample(
    pixels: Pixels, size: Size, crop: Size, mode: InterpolationMode, rounding: CropRounding
) -> Pixels:
    height, width, channels = pixels.shape
    down = _taps(height, size[0], crop[0], mode, rounding)
    across = _taps(width, size[1], crop[1], mode, rounding)
    read = pixels[down.start : down.stop, across.start : across.stop]
    # Whole lines are added up: columns become lines first, and then lines again.
    lines = down.add_up(cv2.transpose(_narrowed(read, across, crop[1])))
    if mode is InterpolationMode.BICUBIC:  # it overshoots
        lines.clip(0, None, out=lines)
    # OpenCV rounds halves to even and saturates, as torch does.
    rounded = cv2.convertScaleAbs(lines)
    return np.asarray(rounded, np.uint8).reshape(*crop, channels)


def _narrowed(pixels: Pixels, across: "_Taps", width: int) -> NDArray[np.float32]:
    """Add up the columns of uint8 (h, w, C): float32 (width, h, C).

    Large pictures are taken in bands of lines: as float32 they would have four times their size.
    """
    height, before, channels = pixels.shape
    band = max(1, _BAND_VALUES // (before * channels))
    narrowed = [
        across.add_up(cv2.transpose(pixels[top : top + band]).astype(np.float32)).reshape(
            width, -1, channels
        )
        for top in range(0, height, band)
    ]
    return narrowed[0] if len(narrowed) == 1 else np.concatenate(narrowed, axis=1)


@dataclass(frozen=True, slots=True)
class _Taps:
    """What is read along one side, and how it is added up to the side of the result.

    Output i is the sum of shares[k] * lines[places[k]] for k from ends[i] to ends[i + 1]; lines are
    those of the picture from `start` to `stop`.
    """

    start: int
    stop: int
    places: torch.Tensor
    shares: torch.Tensor
    ends: torch.Tensor

    def add_up(self, lines: NDArray[Any]) -> NDArray[np.float32]:
        """Sum float32 (stop - start, ...) up to (outputs, n)."""
        summed = nn.embedding_bag(
            self.places,
            torch.from_numpy(lines).view(len(lines), -1),
            self.ends,
            mode="sum",
            per_sample_weights=self.shares,
            include_last_offset=True,
        )
        return np.asarray(summed.numpy(), np.float32)


def _period(given: int, wanted: int, mode: InterpolationMode) -> int:
    """Give the distance of pulses that never meet in an output."""
    return 2 * ceil(_REACH[mode] * max(given / wanted, 1)) + 3


def _is_usual(given: int, wanted: int, mode: InterpolationMode) -> bool:
    return given <= _LONGEST and given * _period(given, wanted, mode) <= _MOST_PULSES


@lru_cache(_KEPT)
def _taps(
    given: int, wanted: int, crop: int, mode: InterpolationMode, rounding: CropRounding
) -> _Taps:
    """Ask torch how a side is resized, for the `crop` places in its middle.

    Pulses that are further apart than a filter is wide never meet in an output: which of them it
    answers to, and where it lies itself, say what place that was.
    """
    period = _period(given, wanted, mode)
    phases = torch.arange(period)
    pulses = (torch.arange(given) % period == phases[:, None]).float()
    answers = nn.interpolate(
        pulses[:, None, None], (1, wanted), mode=mode.value, align_corners=False, antialias=True
    )
    outputs = torch.arange(crop) + _first(wanted, crop, rounding)
    shares = answers[:, 0, 0, outputs].T
    middles = (outputs + 0.5) * (given / wanted) - 0.5
    places = phases + period * ((middles[:, None] - phases) / period).round().long()
    places, order = places.sort(dim=1)
    shares = shares.gather(1, order)
    used = shares != 0
    start, stop = int(places[used].min()), int(places[used].max()) + 1
    ends = nn.pad(used.sum(1).cumsum(0), (1, 0))
    return _Taps(start, stop, places[used] - start, shares[used], ends)
