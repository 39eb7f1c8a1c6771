"""The runtime of ONNX files: a module without parameters, around a session of onnxruntime.

batch, float32 (B, C, h, w) ─► onnxruntime ─► outputs, tensors ─► head ─► what the task reads
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from models.onnx_models.opening import open_session, raise_if_out_of_memory
from models.onnx_models.trial import NUMBERS
from models.onnx_models.wording import reason, shown
from models.records.errors import WeightsError
from models.records.record import ModelRecord

# Turns a file's outputs for pictures of one size, (h, w), into what the task reads.
Decode = Callable[[Sequence[Tensor], tuple[int, int]], Any]


def load_module(record: ModelRecord, weights: bytes, device: str = "cpu") -> nn.Module:
    """Open the record's ONNX file, to be read by the head that its options name.

    Raises WeightsError for a file that cannot be opened, or where onnxruntime is not installed,
    and RecordError for options that are wrong.
    """
    from models.onnx_models.heads.table import HEADS
    from models.records.options import read_onnx_options

    options = read_onnx_options(record.options)
    head = HEADS[options.head or ""]
    return OnnxModule(weights, lambda outputs, size: head.decode(outputs, size, options), device)


class OnnxModule(nn.Module):
    """An ONNX file that takes a batch; may be called by several threads at a time."""

    def __init__(self, weights: bytes, decode: Decode, device: str = "cpu") -> None:
        """Open the file, on `device` where onnxruntime can; raises WeightsError."""
        super().__init__()
        self.size_bytes = len(weights)
        self._decode = decode
        try:
            self._session = open_session(weights, device)
        except WeightsError:
            raise
        except Exception as err:
            raise_if_out_of_memory(err)
            raise WeightsError(
                f"onnxruntime cannot open the model: {reason(err)}. Export it anew."
            ) from err
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type not in NUMBERS:
            raise WeightsError(
                f"The model takes {', '.join(shown(each.name) for each in inputs[:8])}, and "
                "pictures are given as one tensor of floats. Export it with that input alone."
            )
        self._input = inputs[0].name
        self._number = NUMBERS[inputs[0].type]
        self._takes_one = inputs[0].shape[0] == 1

    def forward(self, batch: Tensor) -> Any:
        """Run float32 (B, C, h, w), in any memory format; gives what the head makes of it.

        Raises WeightsError for a file that takes one picture, and does not answer it as a batch;
        MemoryError where a smaller batch may do, and RuntimeError for what onnxruntime says else.
        """
        height, width = batch.shape[-2:]
        # Without a copy where it lies on the CPU and in this order already.
        pictures = batch.detach().cpu().contiguous().numpy().astype(self._number, copy=False)
        if self._takes_one and len(pictures) > 1:
            outputs = self._one_by_one(pictures)
        else:
            outputs = self._run(pictures)
        tensors = [torch.from_numpy(np.asarray(each)).to(batch.device) for each in outputs]
        return self._decode(tensors, (height, width))

    def _run(self, pictures: npt.NDArray[Any]) -> list[Any]:
        try:
            outputs: list[Any] = self._session.run(None, {self._input: pictures})
        except Exception as err:
            raise_if_out_of_memory(err)
            raise RuntimeError(f"onnxruntime cannot run the model: {reason(err)}.") from err
        return outputs

    def _one_by_one(self, pictures: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
        answers = [self._run(pictures[at : at + 1]) for at in range(len(pictures))]
        for answer in answers:
            if any(each.shape[:1] != (1,) for each in answer):
                raise WeightsError(
                    "The model takes one picture at a time, and its answers cannot be told apart: "
                    "their first size is not 1. Set max_batch to 1, or export it with a batch."
                )
        return [np.concatenate(each) for each in zip(*answers, strict=True)]
