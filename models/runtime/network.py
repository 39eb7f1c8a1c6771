"""A network that is ready to run: the one thing that workers hold of a version.

It knows its record and its task, and a module that one of the runtimes has made
(models/runtime/registry.py): anything that turns a batch into what the task reads.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Self

import torch
from torch import nn

from models.media.memory import Pixels
from models.media.pictures import Picture, decode
from models.media.sampling import Sampling
from models.records.decoding import FAST
from models.records.errors import WeightsError
from models.records.record import ModelRecord
from models.runtime.device_faults import is_out_of_memory
from models.runtime.task_tables import TASKS, VIDEO_TASKS
from models.tasks.task import (
    Clip,
    Outputs,
    Predictions,
    Sample,
    Step,
    Stepped,
    Task,
    Text,
    VideoTask,
    Windows,
)
from models.tasks.text_rows import TextRows

# Seconds that a batch may take with which a network is warmed up.
_WARM_UP_S = 0.5


class Network(ABC):
    """A network that is ready to run; `ImageNetwork` and `VideoNetwork` are the two kinds.

    All of it may run in any thread, and in several at a time.
    """

    def __init__(
        self,
        record: ModelRecord,
        module: nn.Module,
        device: str = "cpu",
        autocast: torch.dtype | None = None,
    ) -> None:
        """Put `module` on `device`, ready to infer.

        `autocast` names a lower precision to compute in (bfloat16, float16); None is float32.
        """
        self.record = record
        self.device = torch.device(device)
        self.autocast = autocast
        self.module = in_native_order(module.eval().requires_grad_(False).to(self.device))
        if self.device.type == "cuda":
            # Whoever runs it may do so on another stream than the one that brought it here.
            torch.cuda.synchronize(self.device)

    @abstractmethod
    def forward(self, inputs: Sequence[Any]) -> Outputs:
        """Run the network on a batch; returns what it gave, on the CPU, sliceable by input.

        Raises torch.OutOfMemoryError when the batch does not fit the device.
        """

    def read_as(self, record: ModelRecord, around: Callable[[], nn.Module] | None = None) -> Self:
        """Give the same weights read by another record of the same task, computed in float32.

        What the module gives goes through `around()`, where given. Raises RecordError.
        """
        task = TASKS.get(record.task) or VIDEO_TASKS[record.task]
        task.check(record)
        module = self.module if around is None else nn.Sequential(self.module, around())
        return type(self)(record, module, str(self.device))

    def warm_up(self) -> None:
        """Run blank inputs, so that the first real ones do not pay for set-up: one, then a batch.

        The batch is a whole one where that takes no longer than a moment: what memory it needs is
        taken now, and not bit by bit in the middle of a job. Raises WeightsError when what comes
        out are no numbers: then every answer would be wrong.
        """
        blank = self._blank()
        self._refuse_unless_finite(self.forward([blank]))
        start = time.perf_counter()
        self.forward([blank])
        within = int(_WARM_UP_S / (time.perf_counter() - start))
        size = min(self.record.max_batch, within)
        if size > 1:
            try:
                self.forward([blank] * size)
            except RuntimeError as err:
                # A batch too large for the device is run in halves when it is a real one.
                if not is_out_of_memory(err):
                    raise

    @abstractmethod
    def _blank(self) -> Any:
        """Give an input that costs what a real one costs."""

    @property
    def own_cores(self) -> int | None:
        """With how many cores it computes, where its module chooses that itself, as `cores`."""
        cores: int | None = getattr(self.module, "cores", None)
        return cores

    @cached_property
    def size_bytes(self) -> int:
        """Bytes of parameters and buffers on the device (activations come on top).

        A module whose numbers another library holds says how many bytes they have, as `size_bytes`.
        """
        held = [*self.module.parameters(), *self.module.buffers()]
        elsewhere = int(getattr(self.module, "size_bytes", 0))
        return elsewhere + sum(each.numel() * each.element_size() for each in held)

    @contextmanager
    def _inferring(self) -> Iterator[None]:
        with (
            torch.inference_mode(),
            torch.autocast(
                self.device.type, dtype=self.autocast, enabled=self.autocast is not None
            ),
        ):
            yield

    def _refuse_unless_finite(self, outputs: Outputs) -> None:
        given = [each for each in outputs if isinstance(each, torch.Tensor | Stepped)]
        numbers = [each.logits if isinstance(each, Stepped) else each for each in given]
        if not all(each.isfinite().all() for each in numbers):
            raise WeightsError(
                f"Model {self.record.name!r} answers a black picture with what is not a number: "
                "its weights do not belong to this architecture, or are damaged."
            )


class ImageNetwork(Network):
    """A network for images: `prepare` -> `forward` -> `postprocess`.

    Where its task has it read texts: `texts` -> `prepare_texts` -> `forward`, once for a job, whose
    samples then carry what came out.
    """

    def __init__(
        self,
        record: ModelRecord,
        module: nn.Module,
        device: str = "cpu",
        autocast: torch.dtype | None = None,
    ) -> None:
        """Put `module` on `device`, ready to infer; `text_rows` is what it made of texts so far."""
        super().__init__(record, module, device, autocast)
        self.text_rows = TextRows()

    def texts(self, params: Mapping[str, Any]) -> tuple[str, ...]:
        """Name the texts that a job with these params asks with; most tasks have none."""
        steps = self._task.texts
        return steps.named(params) if steps else ()

    def prepare_texts(self, texts: Sequence[str]) -> list[Text]:
        """Turn texts into what `forward` takes; raises ParamsError for one that is too long."""
        steps = self._task.texts
        assert steps is not None
        return steps.prepare(self.module, texts)

    def warm_up(self) -> None:
        """Run a text first, where the network reads texts."""
        if self._task.texts:
            text = self.prepare_texts(["a photo"])
            self._refuse_unless_finite(self.forward(text))
        super().warm_up()

    @property
    def channels(self) -> int:
        """How many channels a picture is decoded to: 3 (RGB) or 1 (grey)."""
        return self._task.channels(self.record)

    def least(self, params: Mapping[str, Any]) -> int | None:
        """Say how many pixels a picture's shorter side must keep while it is decoded.

        A decoder that can give a smaller picture for less may do so down to there; None: all pixels
        are wanted. `params` as `check_params` gives them; those of a job from before there was a
        choice have none, and want all pixels.
        """
        return self._task.least(self.record) if params.get("decode") == FAST else None

    def sample(self, picture: Picture) -> Sample:
        """Turn one decoded picture into a sample, on the CPU; raises ImageTooLarge."""
        return self._task.prepare(self.record, picture)

    def prepare(self, data: bytes) -> Sample:
        """Decode one item's bytes in this process, and turn them into a sample.

        For bytes that are trusted; those of strangers are decoded behind walls. Raises InputError.
        """
        return self.sample(decode(data, self.channels, self.record.limits))

    def forward(self, inputs: Sequence[Sample] | Sequence[Text]) -> Outputs:
        """Run the network on a batch of samples, or of texts; sliceable by either."""
        texts = [each for each in inputs if isinstance(each, Text)]
        samples = [each for each in inputs if isinstance(each, Sample)]
        with self._inferring():
            if texts and self._task.texts:
                return self._task.texts.infer(self.module, texts, self.device)
            return self._task.infer(self.record, self.module, samples, self.device)

    def postprocess(self, outputs: Outputs, params: Mapping[str, Any]) -> list[Predictions]:
        """Turn outputs, or a slice of them, into one list of predictions a sample."""
        return self._task.postprocess(self.record, outputs, params)

    def _blank(self) -> Sample:
        return self._task.blank(self.record)

    @property
    def _task(self) -> Task:
        return TASKS[self.record.task]


class OwnNetwork(ImageNetwork):
    """A network of an operator's own, whose task has functions of its module in it."""

    def __init__(
        self,
        task: Task,
        record: ModelRecord,
        module: nn.Module,
        device: str = "cpu",
        autocast: torch.dtype | None = None,
    ) -> None:
        """Put `module` on `device`, ready to infer, as `task` has it."""
        self._own = task
        super().__init__(record, module, device, autocast)

    def read_as(self, record: ModelRecord, around: Callable[[], nn.Module] | None = None) -> Self:
        """Give the same weights read by another record, as its module's own functions have it."""
        self._own.check(record)
        module = self.module if around is None else nn.Sequential(self.module, around())
        return type(self)(self._own, record, module, str(self.device))

    def warm_up(self) -> None:
        """Run blank inputs, to their predictions; raises ExtensionFailed too."""
        # Not on a machine that has torch alone (benchmarks/gpu).
        from models.contracts import check_params

        super().warm_up()
        self.postprocess(self.forward([self._blank()]), check_params(self.record.task, {}))

    def _refuse_unless_finite(self, outputs: Outputs) -> None:
        from models.extensions.task import tensors_in

        super()._refuse_unless_finite(tensors_in(outputs))

    @property
    def _task(self) -> Task:
        return self._own


class VideoNetwork(Network):
    """A network for videos: `prepare_frame` -> steps of frames -> `forward` -> `postprocess`.

    `sampling` and `windows` say which frames make a step; see models/tasks/task.py.
    """

    def prepare_frame(self, pixels: Pixels) -> torch.Tensor:
        """Turn one upright frame, uint8 RGB (h, w, 3), into uint8 (channels, h', w').

        Raises ImageTooLarge.
        """
        return self._task.prepare_frame(self.record, pixels)

    def sampling(self, params: Mapping[str, Any]) -> Sampling:
        """Say which frames to look at."""
        return self._task.sampling(self.record, params)

    def windows(self, params: Mapping[str, Any]) -> Windows:
        """Say how those frames become windows; raises ParamsError for one that it cannot take."""
        return self._task.windows(self.record, params)

    def forward(self, inputs: Sequence[Step]) -> list[Stepped]:
        """Run the network on a batch of steps, each of another video."""
        with self._inferring():
            return self._task.infer(self.record, self.module, inputs, self.device)

    def postprocess(
        self, videos: Sequence[Sequence[Clip]], params: Mapping[str, Any]
    ) -> list[Predictions]:
        """Turn the clips of each video, in order of time, into one list of predictions a video."""
        return self._task.postprocess(self.record, videos, params)

    def _blank(self) -> Step:
        return self._task.blank(self.record)

    @property
    def _task(self) -> VideoTask:
        return VIDEO_TASKS[self.record.task]


def in_native_order(module: nn.Module) -> nn.Module:
    """Lay kernels out with channels last, as the convolutions of oneDNN and cuDNN run natively."""
    orders = {4: torch.channels_last, 5: torch.channels_last_3d}
    for weight in module.parameters():
        if weight.dim() in orders:
            weight.data = weight.data.contiguous(memory_format=orders[weight.dim()])
    return module
