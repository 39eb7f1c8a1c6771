"""Networks that torch runs: built from an allow-listed architecture, filled with safetensors.

Only what stands in the table below can be built: a name that is not on the list is refused, and
weights are numbers, never code. A new architecture is one file and one line here.
"""

from collections.abc import Callable, Iterable, Mapping

from torch import nn

from models.checkpoints.state_dicts import Tensors
from models.extensions.loading import EXTENSIONS
from models.huggingface import building as huggingface
from models.huggingface import loading as huggingface_loading
from models.networks import (
    digits,
    motion,
    recurrent,
    scenes_detector,
    scenes_segmenter,
    timm_networks,
    torchvision,
)
from models.records.architectures import HERE, source_of
from models.records.errors import ExtensionNotLoaded, RecordError, UnknownArchitecture
from models.records.options import CONFIGURABLE
from models.records.record import ModelRecord
from models.runtime import weights as weights_file
from models.runtime.flattening import flattened
from models.runtime.folding import fold_norms
from models.runtime.task_tables import table

Builder = Callable[..., nn.Module]

# Each builder takes the number of classes, and options where its architecture has some
# (models/records/options.py), and gives a network with untrained weights.
ARCHITECTURES: dict[str, Builder] = table(
    [
        ("digits", digits.build),
        ("scenes-detector", scenes_detector.build),
        ("scenes-segmenter", scenes_segmenter.build),
        ("motion", motion.build),
        *torchvision.builders(),
        *recurrent.builders(),
    ]
)

# Sources with more architectures than a table holds: each builds what a record asks for, untrained.
FOREIGN: Mapping[str, Callable[[ModelRecord], nn.Module]] = {
    "timm": timm_networks.build,
    "huggingface": huggingface.build,
}
# Sources whose library has rules of its own for the names of tensors.
FILLERS: Mapping[str, Callable[[nn.Module, Tensors, str], None]] = {
    "huggingface": huggingface_loading.fill
}


def extend(names: Iterable[str]) -> list[ExtensionNotLoaded]:
    """Take the architectures of an operator's modules; gives what is wrong with those that are bad.

    They are named by models.extensions, and are never in the table above.
    """
    faults = []
    for name in names:
        try:
            EXTENSIONS.load(name, ARCHITECTURES)
        except ExtensionNotLoaded as err:
            faults.append(err)
    return faults


def load_module(record: ModelRecord, weights: bytes) -> nn.Module:
    """Build the record's network from safetensors bytes, ready to infer.

    Raises WeightsError, RecordError or UnknownArchitecture.
    """
    module = build(record)
    fill = FILLERS.get(source_of(record.architecture).name, weights_file.fill)
    fill(module, weights_file.read(weights), record.name)
    fold_norms(module.eval())
    return flattened(module)


def build(record: ModelRecord) -> nn.Module:
    """Build the record's architecture, untrained; raises UnknownArchitecture, RecordError."""
    if not record.labels:
        raise RecordError(f"Model {record.name!r} has no labels; give one name a class.")
    foreign = FOREIGN.get(source_of(record.architecture).name)
    if foreign is not None:
        return foreign(record)
    own = EXTENSIONS.find(record.architecture)
    if own is not None:
        return own.build(record)
    builder = ARCHITECTURES.get(record.architecture)
    if builder is None:
        raise unknown(record.architecture, record.name)
    if record.options and record.architecture not in CONFIGURABLE:
        raise RecordError(
            f"The architecture {record.architecture!r} of model {record.name!r} has no options; "
            f"leave out {', '.join(record.options)}."
        )
    return builder(len(record.labels), **record.options)


def check_known(record: ModelRecord) -> None:
    """Refuse an architecture that nobody brought; raises UnknownArchitecture.

    Before anything else of its record is looked at, which its module may read by rules of its own.
    """
    name = record.architecture
    is_known = name in ARCHITECTURES or EXTENSIONS.find(name) is not None
    if source_of(name) == HERE and not is_known:
        raise unknown(name, record.name)


def unknown(architecture: str, model: str) -> UnknownArchitecture:
    """Say that nothing builds an architecture here, and what would."""
    if EXTENSIONS.refused:
        reasons = " ".join(EXTENSIONS.refused.values())
        return ExtensionNotLoaded(
            f"There is no architecture {architecture!r} (model {model!r}) on this worker. {reasons}"
        )
    if "yolo" in architecture.lower():
        return UnknownArchitecture(
            f"There is no architecture {architecture!r} (model {model!r}): a YOLO is run from its "
            "ONNX file. Export it (`yolo export model=best.pt format=onnx`) and push that, without "
            "--architecture."
        )
    ours = ", ".join(repr(name) for name in ARCHITECTURES if "/" not in name)
    own = ", ".join(map(repr, EXTENSIONS.names()))
    return UnknownArchitecture(
        f"There is no architecture {architecture!r} (model {model!r}). There are timm's, such as "
        "'timm/convnext_tiny', torchvision's, such as 'torchvision/resnet50', Hugging Face's "
        f"(push the folder), and {ours}; "
        + (f"of the operator's own {own}" if own else "no module of an operator's own is loaded")
        + " (PIXELMILL_EXTENSIONS of the workers). Any other network: export it to ONNX."
    )
