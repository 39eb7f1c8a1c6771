"""Pictures that a caller holds in memory, each sent as a file that is made when its turn comes.

NumPy arrays and PIL's images are sent as PNG, which loses nothing; bytes as they are.
"""

import io
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeGuard

from pixelmill.client.inputs.skipping import reason_to_skip
from pixelmill.wire.errors import InvalidInput
from pixelmill.wire.tarstream import Made

if TYPE_CHECKING:
    import numpy as np

# What PNG holds, by PIL's name; of others only the caller knows what they are to become.
_MODES = frozenset(("1", "L", "LA", "P", "RGB", "RGBA", "I;16"))
# PIL's conversion of these cuts off what is over 255.
_NUMBERS = frozenset(("I", "F"))
_CHANNELS = (1, 3, 4)
# Half as large as stored, and the fastest by far: what is sent is read once.
_LEVEL = 1

_HOW = "give uint8 of (height, width), or of (height, width, 3) in RGB"
# What says how an array of another type becomes one of uint8.
_ADVICE = {
    "f": "; from 0 to 1 that is (array * 255).round().astype('uint8')",
    "b": "; that is array.astype('uint8') * 255",
    "u": "; of 0 to 65535 that is (array // 257).astype('uint8')",
    "i": "; of 0 to 255 that is array.astype('uint8')",
}
NO_TENSOR = "give tensor.numpy(), uint8 of (height, width, 3) in RGB"


def is_picture(thing: object) -> bool:
    """Whether this is a picture in memory: an array, PIL's image, or the bytes of a file."""
    if _is_array(thing):
        # Of text and of objects an array is a list.
        return thing.dtype.kind not in "OSUMm"
    return _is_bytes(thing) or _is_pil(thing)


def is_stack(thing: object) -> bool:
    """Whether this is one array with many pictures: (count, height, width, channels)."""
    return _is_array(thing) and thing.ndim == 4


def is_tensor(thing: object) -> bool:
    """Whether this is a tensor of torch, of which nobody knows what its axes are."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(thing, torch.Tensor)


def numbered(pictures: Sequence[Any]) -> tuple[Made, ...]:
    """Name pictures by their place: `000000.png`; raises InvalidInput for one that cannot be."""
    return tuple(
        Made(f"{place:06d}{'' if _is_bytes(picture) else '.png'}", _making(picture, f"{place}"))
        for place, picture in enumerate(pictures)
    )


def named(pictures: Mapping[str, Any]) -> tuple[Made, ...]:
    """Give pictures the names that their results will carry; raises InvalidInput for a bad one."""
    if not pictures:
        raise InvalidInput("the mapping of pictures is empty; give at least one.")
    for name, picture in pictures.items():
        if not is_picture(picture):
            raise InvalidInput(
                f"{name!r} names a {type(picture).__name__}; the values of a mapping are pictures "
                "(uint8 arrays, PIL's images, bytes), and a request dict has `input`."
            )
        if not isinstance(name, str) or not name:
            raise InvalidInput(f"{name!r} names a picture; give text that is not empty.")
        if reason_to_skip(name):
            raise InvalidInput(
                f"{name!r} names a picture, but files of such a name are none; name it otherwise."
            )
    return tuple(Made(name, _making(each, repr(name))) for name, each in pictures.items())


def _making(picture: Any, place: str) -> Any:
    """Check a picture, and give what makes its file."""
    if _is_bytes(picture):
        return partial(bytes, picture)
    if _is_array(picture):
        _check_array(picture, place)
        return partial(_png_of_array, picture, place)
    if picture.mode in _NUMBERS:
        raise InvalidInput(
            f"picture {place} has PIL's mode {picture.mode}: numbers and no colours, which only "
            "you can scale. Give a uint8 array of 0 to 255."
        )
    if picture.mode not in _MODES:
        raise InvalidInput(
            f"picture {place} has PIL's mode {picture.mode}, which PNG does not hold; "
            "convert it first: image.convert('RGB')."
        )
    return partial(_png_of_image, picture, place)


def _check_array(picture: "np.ndarray[Any, Any]", place: str) -> None:
    is_flat = picture.ndim == 2 or (picture.ndim == 3 and picture.shape[2] in _CHANNELS)
    if not picture.size:
        raise InvalidInput(f"picture {place} is an array of {picture.shape}: it is empty.")
    is_grey_16 = picture.dtype == "uint16" and picture.ndim == 2
    if (picture.dtype == "uint8" and is_flat) or is_grey_16:
        return
    advice = "" if picture.dtype == "uint8" else _ADVICE.get(picture.dtype.kind, "")
    if picture.ndim == 3 and picture.shape[0] in _CHANNELS and not is_flat:
        advice += "; with the channels first, array.transpose(1, 2, 0)"
    raise InvalidInput(
        f"picture {place} is an array of {picture.dtype} and {picture.shape}: {_HOW}{advice}."
    )


def _png_of_array(picture: "np.ndarray[Any, Any]", place: str) -> bytes:
    image = _pil().fromarray(picture[:, :, 0] if picture.shape[2:] == (1,) else picture)
    return _png_of_image(image, place)


def _png_of_image(image: Any, place: str) -> bytes:
    from PIL import ImageOps  # the caller's own library

    written = io.BytesIO()
    # What a camera turned is sent as it is looked at, like the file that it was opened from.
    try:
        ImageOps.exif_transpose(image).save(written, "PNG", compress_level=_LEVEL)
    except OSError as err:
        raise InvalidInput(f"picture {place} cannot be read by Pillow: {err}.") from err
    return written.getvalue()


def _pil() -> Any:
    try:
        from PIL import Image  # the caller's own library
    except ImportError as err:
        raise InvalidInput("arrays are written as PNG by Pillow: pip install pillow.") from err
    return Image


def _is_bytes(thing: object) -> bool:
    return isinstance(thing, bytes | bytearray | memoryview)


# Who holds an array or an image has imported its library; nobody else has to wait for that.


def _is_array(thing: object) -> "TypeGuard[np.ndarray[Any, Any]]":
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(thing, numpy.ndarray)


def _is_pil(thing: object) -> bool:
    pil = sys.modules.get("PIL.Image")
    return pil is not None and isinstance(thing, pil.Image)
