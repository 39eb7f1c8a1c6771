"""From a record and its weights to a network that runs.

Only what stands in the two tables below can be built: a name that is not on the list is refused,
and weights are numbers (safetensors), never code. A new task or architecture is one file and one
line here.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import nn

from models import weights as weights_file
from models.catalog import SHIPPED
from models.contracts import contract_of
from models.errors import RecordError, UnknownArchitecture, WeightsError
from models.networks import digits, scenes_detector, scenes_segmenter, torchvision
from models.options import CONFIGURABLE
from models.record import ModelRecord
from models.tasks import classification, detection, embedding, segmentation
from models.tasks.task import Outputs, Predictions, Sample, Task

Entry = TypeVar("Entry")
Builder = Callable[..., nn.Module]


def table(entries: Iterable[tuple[str, Entry]]) -> dict[str, Entry]:
    """Return a dict of named entries; raises ValueError when two bear the same name."""
    named: dict[str, Entry] = {}
    for name, entry in entries:
        if name in named:
            raise ValueError(f"{name!r} is registered twice; give one of them another name.")
        named[name] = entry
    return named


TASKS: Mapping[str, Task] = table(
    (each.TASK.name, each.TASK) for each in (classification, detection, embedding, segmentation)
)

# Each builder takes the number of classes, and options where its architecture has some
# (models/options.py), and gives a network with untrained weights.
ARCHITECTURES: dict[str, Builder] = table(
    [
        ("digits", digits.build),
        ("scenes-detector", scenes_detector.build),
        ("scenes-segmenter", scenes_segmenter.build),
        *torchvision.builders(),
    ]
)


def extend(architectures: Mapping[str, Builder]) -> None:
    """Add an operator's own architectures; raises ValueError when a name is taken."""
    ARCHITECTURES.update(table([*ARCHITECTURES.items(), *architectures.items()]))


class Network:
    """A network that is ready to run: `prepare` -> `forward` -> `postprocess`.

    `prepare` and `postprocess` are pure and may run in any thread. `forward` belongs to one
    thread at a time, the one that owns the device.
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
        self._task = TASKS[record.task]
        # channels_last: the convolutions of oneDNN and cuDNN run natively in that order.
        moved = module.eval().requires_grad_(False).to(self.device)
        self._module: nn.Module = moved.to(memory_format=torch.channels_last)

    def prepare(self, data: bytes) -> Sample:
        """Turn one item's bytes into a sample, on the CPU.

        Raises InputError (image_decode_failed, image_too_large, unsupported_media).
        """
        return self._task.prepare(self.record, data)

    def forward(self, samples: Sequence[Sample]) -> Outputs:
        """Run the network on a batch; returns the outputs on the CPU, sliceable by sample.

        Raises torch.OutOfMemoryError when the batch does not fit the device.
        """
        with (
            torch.inference_mode(),
            torch.autocast(
                self.device.type, dtype=self.autocast, enabled=self.autocast is not None
            ),
        ):
            return self._task.infer(self.record, self._module, samples, self.device)

    def postprocess(self, outputs: Outputs, params: Mapping[str, Any]) -> list[Predictions]:
        """Turn outputs, or a slice of them, into one list of predictions a sample."""
        return self._task.postprocess(self.record, outputs, params)

    def warm_up(self) -> None:
        """Run a blank sample once, so that the first real one does not pay for set-up.

        Raises WeightsError when what comes out are no numbers: then every answer would be wrong.
        """
        outputs = self.forward([self._task.blank(self.record)])
        if isinstance(outputs, torch.Tensor) and not outputs.isfinite().all():
            raise WeightsError(
                f"Model {self.record.name!r} answers a black picture with what is not a number: "
                "its weights do not belong to this architecture, or are damaged."
            )

    @property
    def size_bytes(self) -> int:
        """Bytes of parameters and buffers on the device (activations come on top)."""
        held = [*self._module.parameters(), *self._module.buffers()]
        return sum(each.numel() * each.element_size() for each in held)


def load(
    record: ModelRecord,
    weights: bytes,
    digest: str | None = None,
    device: str = "cpu",
    autocast: torch.dtype | None = None,
) -> Network:
    """Build the record's network from safetensors bytes.

    `digest` ("sha256:<hex>") is checked first when given. Raises WeightsError, RecordError or
    UnknownArchitecture; a failed load leaves nothing behind.
    """
    if digest is not None:
        weights_file.check_digest(weights, digest)
    contract_of(record.task)
    TASKS[record.task].check(record)
    module = build(record)
    weights_file.fill(module, weights_file.read(weights), record.name)
    return Network(record, module, device, autocast)


def build(record: ModelRecord) -> nn.Module:
    """Build the record's architecture, untrained; raises UnknownArchitecture, RecordError."""
    builder = ARCHITECTURES.get(record.architecture)
    if builder is None:
        raise UnknownArchitecture(
            f"There is no architecture {record.architecture!r} (model {record.name!r}). "
            f"There are {', '.join(map(repr, SHIPPED))} and torchvision's networks for "
            f"{', '.join(TASKS)}, for example 'torchvision/resnet50'."
        )
    if not record.labels:
        raise RecordError(f"Model {record.name!r} has no labels; give one name a class.")
    if record.options and record.architecture not in CONFIGURABLE:
        raise RecordError(
            f"The architecture {record.architecture!r} of model {record.name!r} has no options; "
            f"leave out {', '.join(record.options)}."
        )
    return builder(len(record.labels), **record.options)
