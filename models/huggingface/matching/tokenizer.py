"""A folder's tokenizer: from texts to the numbers of their tokens, as transformers does it.

Its tokenizer.json comes as one tensor of bytes in the weights' file, for it may have megabytes and
records lie in rows; what tokenizer_config.json says beside stands in the record's options.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import torch

from models.huggingface.matching.bounds import MOST_BYTES, checked
from models.huggingface.model_types import Matching
from models.records.errors import ParamsError, RecordError, WeightsError

T = TypeVar("T")

# The name of the tensor, uint8 (bytes,), that holds a tokenizer.json.
TENSOR: Final = "pixelmill.tokenizer"
_OPTIONS = ("model_input_names", "pad_token", "padding_side")
_SHOWN = 60


class Tokenizer:
    """Cuts texts into tokens; `length` is the most that the network reads of one text."""

    def __init__(
        self,
        tensors: Mapping[str, torch.Tensor],
        options: Mapping[str, Any],
        matching: Matching,
        length: int,
        words: int,
    ) -> None:
        """Make it of what a file holds; `words` is how many tokens the network knows.

        Raises WeightsError for a tokenizer that is missing, broken or not the network's, and
        RecordError for options that are not known.
        """
        self._inner = _made_of(tensors)
        self._length, self._words, self._fills_up = length, words, matching.fills_up
        names, side, pad = _read_options(options)
        self._is_masked, self._pads_left = "attention_mask" in names, side == "left"
        number = self._inner.token_to_id(pad or matching.pads_with)
        if number is None or number >= words:
            raise WeightsError(
                f"The folder's tokenizer has no token {pad or matching.pads_with!r} to fill texts "
                "up with; its tokenizer_config.json names one as `pad_token`."
            )
        self._pad = int(number)

    def tokens(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """Give the numbers of each text's tokens; raises ParamsError for a text that is too long.

        Nothing is cut off: whoever wrote the text would not know.
        """
        found = []
        for text in texts:
            numbers = _safely(partial(self._numbers, text))
            if len(numbers) > self._length:
                raise ParamsError(
                    f"The text {_short(text)} has {len(numbers)} tokens, and this model reads "
                    f"{self._length}; shorten the label or the template.",
                    param="labels",
                )
            if not numbers or max(numbers) >= self._words:
                raise ParamsError(
                    f"The text {_short(text)} has letters that this model's network does not "
                    "know; use others.",
                    param="labels",
                )
            found.append(numbers)
        return found

    def _numbers(self, text: str) -> tuple[int, ...]:
        return tuple(self._inner.encode(text).ids)

    def batch(
        self, tokens: Sequence[Sequence[int]], device: torch.device
    ) -> dict[str, torch.Tensor]:
        """Fill texts up to one length: int64 (n, length), and where the network wants it a mask."""
        length = self._length if self._fills_up else max(map(len, tokens))
        numbers = [self._filled(each, self._pad, length) for each in tokens]
        batch = {"input_ids": torch.tensor(numbers, dtype=torch.int64, device=device)}
        if self._is_masked:
            mask = [self._filled([1] * len(each), 0, length) for each in tokens]
            batch["attention_mask"] = torch.tensor(mask, dtype=torch.int64, device=device)
        return batch

    def _filled(self, numbers: Sequence[int], pad: int, length: int) -> list[int]:
        fill = [pad] * (length - len(numbers))
        return [*fill, *numbers] if self._pads_left else [*numbers, *fill]


def _made_of(tensors: Mapping[str, torch.Tensor]) -> Any:
    tensor = tensors.get(TENSOR)
    if tensor is None:
        raise WeightsError(
            f"The weights lack the tensor {TENSOR!r} with the folder's tokenizer.json, without "
            "which no label can be read; `pixelmill push FOLDER --task zero-shot-classification` "
            "sends it."
        )
    if tensor.dtype is not torch.uint8 or tensor.dim() != 1 or tensor.numel() > MOST_BYTES:
        raise WeightsError(
            f"The tensor {TENSOR!r} must be uint8 of one dimension, the bytes of a tokenizer.json, "
            f"at most {MOST_BYTES:,}."
        )
    from tokenizers import Tokenizer as Inner  # not before it is needed: it is an extra

    plain = checked(tensor.numpy().tobytes())
    return _safely(lambda: Inner.from_str(json.dumps(plain)))


def _read_options(options: Mapping[str, Any]) -> tuple[Sequence[str], str, str | None]:
    """Read what is said beside the tokenizer; raises RecordError naming what is not known."""
    unknown = [name for name in options if name not in _OPTIONS]
    names = options.get("model_input_names", ["input_ids", "attention_mask"])
    side, pad = options.get("padding_side", "right"), options.get("pad_token")
    is_good = isinstance(names, list) and side in ("left", "right")
    if unknown or not is_good or not isinstance(pad, str | None):
        raise RecordError(
            "The record's options.tokenizer may hold `model_input_names` (a list), `padding_side` "
            "(left or right) and `pad_token` (a text), as tokenizer_config.json has them."
        )
    return names, side, pad


def _safely(work: Callable[[], T]) -> T:
    """Do something with the library, whose faults come as what no `except Exception` catches."""
    try:
        return work()
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as err:
        reason = " ".join(str(err).split())[:200]
        raise WeightsError(f"The folder's tokenizer.json cannot be used: {reason}.") from err


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
