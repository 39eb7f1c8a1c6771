"""What exists: the torch-free face of `models`, and the only room of it that `api` imports.

Records, parameter schemas, shipped networks and the names of torchvision's are declared next door
and shown here.
"""

from collections.abc import Mapping

from models.contracts import (
    CONTRACTS,
    check_params,
    inherited_params,
    params_schema,
    prediction_of,
    result_schema,
)
from models.contracts.truths import TRUTHS, evaluated_params
from models.records.record import VIDEO_LIMITS, Limits, ModelRecord
from models.records.shipped import SHIPPED, shipped_weights
from models.records.torchvision_names import (
    CLASSIFIERS,
    RECURRENT_CELLS,
    RECURRENT_PREFIX,
    TORCHVISION_PREFIX,
    TORCHVISION_TASKS,
)

__all__ = [
    "ARCHITECTURE_TASKS",
    "CONTRACTS",
    "SHIPPED",
    "TORCHVISION_PREFIX",
    "TORCHVISION_TASKS",
    "TRUTHS",
    "VIDEO_LIMITS",
    "Limits",
    "ModelRecord",
    "check_params",
    "evaluated_params",
    "inherited_params",
    "params_schema",
    "prediction_of",
    "result_schema",
    "shipped_weights",
]

# Every architecture that can be built here, and the task that it does; an operator's extensions
# (models.runtime.torch_runtime.extend) come on top, in the workers alone.
ARCHITECTURE_TASKS: Mapping[str, str] = {
    **{record.architecture: record.task for record in SHIPPED.values()},
    **TORCHVISION_TASKS,
    **{
        f"{RECURRENT_PREFIX}{backbone}-{cell}": "video-classification"
        for cell in RECURRENT_CELLS
        for backbone in ("digits", *CLASSIFIERS)
    },
}
