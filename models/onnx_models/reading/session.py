"""The runtime of ONNX files: a module without parameters, around a session of onnxruntime.

batch, float32 (B, C, h, w) ─► onnxruntime ─► outputs, tensors ─► head ─► what the task reads

A file of float16 is given float16, and one of uint8 whole numbers from 0 to 255; heads read float32
in any case.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from models.onnx_models.examination.opening import (
    open_session,
    raise_if_out_of_memory,
    threads,
)
from models.onnx_models.examination.trial import NUMBERS
from models.onnx_models.examination.wording import reason, shown
from models.records.bounds import HEAVY_S
from models.records.errors import WeightsError
from models.records.record import ModelRecord

_BATCH_AXES = 4

# Turns a file's outputs for pictures of one size, (h, w), into what the task reads.
Decode = Callable[[Sequence[Tensor], tuple[int, int]], Any]


def load_module(record: ModelRecord, weights: bytes, device: str = "cpu") -> nn.Module:
    """Open the record's ONNX file, to be read by the head that its options name.

    Raises WeightsError for a file that cannot be opened, or where onnxruntime is not installed,
    and RecordError for options that are wrong.
    """
    from models.onnx_models.reading.heads.table import HEADS
    from models.records.options import read_onnx_options

    options = read_onnx_options(record.options)
    head = HEADS[options.head or ""]

    def decode(outputs: Sequence[Tensor], size: tuple[int, int]) -> Any:
        return head.decode(outputs, size, options)

    return OnnxModule(weights, decode, device, one_at_a_time=head.single)


class OnnxModule(nn.Module):
    """An ONNX file that takes a batch; may be called by several threads at a time.

    A session computes with as many threads as it was opened with. It is opened with one, and anew
    with all once the first picture has shown that the network is heavy: the threads of a light one
    would wait for each other on cores that are busy decoding.
    """

    def __init__(
        self, weights: bytes, decode: Decode, device: str = "cpu", *, one_at_a_time: bool = False
    ) -> None:
        """Open the file, on `device` where onnxruntime can; raises WeightsError.

        `one_at_a_time`: its outputs are those of one picture, whatever it is given.
        """
        super().__init__()
        self.size_bytes = len(weights)
        self._decode = decode
        self.cores: int | None = 1 if device == "cpu" else None
        # What it is opened with anew, until the first picture has shown whether it must be.
        self._unproven = weights if device == "cpu" and threads() > 1 else None
        self._proving = threading.Lock()
        self._session = _opened(weights, device, 1 if device == "cpu" else 0)
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type not in NUMBERS:
            raise WeightsError(
                f"The model takes {', '.join(shown(each.name) for each in inputs[:8])}, and "
                "pictures are given as one tensor of floats. Export it with that input alone."
            )
        self._input = inputs[0].name
        self._number = NUMBERS[inputs[0].type]
        # Some take a picture, and no batch.
        self._takes_batch = len(inputs[0].shape) == _BATCH_AXES
        self._takes_one = one_at_a_time or not self._takes_batch or inputs[0].shape[0] == 1

    def forward(self, batch: Tensor) -> Any:
        """Run float32 (B, C, h, w), in any memory format; gives what the head makes of it.

        Raises MemoryError where a smaller batch may do, and RuntimeError for what else onnxruntime
        says.
        """
        height, width = batch.shape[-2:]
        # Without a copy where it lies on the CPU and in this order already.
        pictures = self._given(batch.detach().cpu().contiguous().numpy())
        count = len(pictures)
        runs = [pictures[at : at + 1] for at in range(count)] if self._takes_one else [pictures]
        if not self._takes_batch:
            runs = [run[0] for run in runs]
        if self._unproven is not None:
            self._prove(runs[0])
        decoded = []
        for run in runs:
            outputs = self._run(run)
            tensors = [_read(each).to(batch.device) for each in outputs]
            decoded.append(self._decode(tensors, (height, width)))
        return decoded[0] if len(decoded) == 1 else _joined(decoded)

    def _prove(self, run: npt.NDArray[Any]) -> None:
        """See with one core what a picture takes, and open the file anew if that is much."""
        with self._proving:
            if self._unproven is None:
                return
            # The first run pays for its set-up.
            self._run(run)
            start = time.thread_time()
            self._run(run)
            seconds = time.thread_time() - start
            if seconds >= HEAVY_S * (len(run) if self._takes_batch else 1):
                # Two sessions would hold the weights twice.
                del self._session
                self._session = _opened(self._unproven, "cpu", 0)
                self.cores = threads()
            self._unproven = None

    def _given(self, pictures: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        """Give pictures in the numbers of the file."""
        if self._number is np.uint8:  # what was 200 is 199.99999 after a scale and back
            pictures = np.rint(pictures).clip(0, 255)
        return pictures.astype(self._number, copy=False)

    def _run(self, pictures: npt.NDArray[Any]) -> list[Any]:
        try:
            outputs: list[Any] = self._session.run(None, {self._input: pictures})
        except Exception as err:
            raise_if_out_of_memory(err)
            raise RuntimeError(f"onnxruntime cannot run the model: {reason(err)}.") from err
        return outputs


def _opened(weights: bytes, device: str, cores: int) -> Any:
    """Open a session; raises WeightsError, and MemoryError."""
    try:
        return open_session(weights, device, cores)
    except WeightsError:
        raise
    except Exception as err:
        raise_if_out_of_memory(err)
        raise WeightsError(
            f"onnxruntime cannot open the model: {reason(err)}. Export it anew."
        ) from err


def _read(output: Any) -> Tensor:
    """Give an output as a tensor; of whatever precision it is, heads compute in float32."""
    tensor = torch.from_numpy(np.asarray(output))
    return tensor.float() if tensor.is_floating_point() else tensor


def _joined(decoded: Sequence[Any]) -> Any:
    """Put together what a head gave of one picture after the other."""
    if isinstance(decoded[0], Tensor):
        return torch.cat(list(decoded))
    if isinstance(decoded[0], Mapping):
        return {name: torch.cat([each[name] for each in decoded]) for name in decoded[0]}
    return [picture for each in decoded for picture in each]
