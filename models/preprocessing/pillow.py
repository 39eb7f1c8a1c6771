"""Pictures resized by Pillow, to the bit: most libraries of networks bring theirs to size with it.

Pillow rounds to whole numbers after the rows and again after the columns, and its shares are fixed
point: another filter than torchvision's for tensors, by one step of 255 here and there. A network
that was measured with one of them answers with the other a thousandth apart.
"""

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode

from models.media.memory import Pixels
from models.preprocessing.resampling import Size, by_channel, centre

_FILTERS = {
    InterpolationMode.NEAREST: Image.Resampling.NEAREST,
    InterpolationMode.BILINEAR: Image.Resampling.BILINEAR,
    InterpolationMode.BICUBIC: Image.Resampling.BICUBIC,
    InterpolationMode.LANCZOS: Image.Resampling.LANCZOS,
}


def resize_by_pillow(
    pixels: Pixels, size: Size, crop: Size, mode: InterpolationMode
) -> torch.Tensor:
    """Resize uint8 (H, W, C), C of 1 or 3, to `size` and cut `crop` out of its centre.

    `crop` is no larger than `size`. Gives uint8 (C, *crop), as `resampling.resize_and_crop` does.
    """
    if size == pixels.shape[:2]:
        return by_channel(centre(pixels, crop))
    grey = pixels.shape[2] == 1
    image = Image.fromarray(np.ascontiguousarray(pixels[:, :, 0] if grey else pixels))
    # A copy: torch wants memory that may be written to, and Pillow's may not.
    resized = np.array(image.resize((size[1], size[0]), _FILTERS[mode]))
    return by_channel(centre(resized[:, :, None] if grey else resized, crop))
