"""onnxruntime, as it is used here: one way to import it, to set it up and to open a file with it.

The walls open a stranger's file exactly as the engine does later, so that what was tried out there
is what runs here. Needs no torch.
"""

import importlib
import os
import re
from typing import Any

from models.records.errors import WeightsError

# What a record's weights may be run by, in this order, on each kind of device.
_PROVIDERS = {
    "cuda": ("CUDAExecutionProvider", "CPUExecutionProvider"),
    "cpu": ("CPUExecutionProvider",),
}
_NO_MEMORY = re.compile(r"bad[ _]alloc|allocate", re.IGNORECASE)
# Lines of onnxruntime's log: errors alone. What a file does wrong is raised.
_ERRORS_ALONE = 3


def library(name: str) -> Any:
    """Import `onnx` or `onnxruntime`, which are extras; raises WeightsError where they are missing.

    onnxruntime 1.32 counts who uses it: imported plainly it starts a thread, writes a database
    below the home folder, and sends. It is told not to before it is imported.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        return importlib.import_module(name)
    except ImportError as err:
        raise WeightsError(
            f"This worker has no {name}, which reads ONNX files. Install it with "
            "pip install 'pixelmill[onnx]', and start the worker again."
        ) from err


def threads() -> int:
    """Say with how many threads a session computes: the cores that the launcher gave."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdecimal() and int(told) else os.cpu_count() or 1


def session_options(count: int) -> Any:
    """Give the options of every session; it computes with `count` threads.

    Without onnxruntime's own pool of memory: a network that was run then holds its weights alone
    (99 MiB for a file of 99, and 148 with the pool), and gives back all of it when it is let go.
    Batches take no longer, because the C library keeps their memory (workers/launcher.py).
    """
    runtime = library("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = count, 1
    options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _ERRORS_ALONE
    options.enable_cpu_mem_arena = False
    # Threads that wait turn in circles otherwise, and take cores from decoding.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    # Else a file in onnxruntime's own format would be taken too, which has no parser of ours.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    return options


def open_session(data: bytes, device: str = "cpu", cores: int = 0) -> Any:
    """Make an InferenceSession of a file's bytes, which it does not keep; `cores`: 0 is all.

    Raises whatever onnxruntime does: see `models.onnx_models.examination.trial`.
    """
    runtime = library("onnxruntime")
    offered = set(runtime.get_available_providers())
    wanted = _PROVIDERS["cuda" if device.startswith("cuda") else "cpu"]
    session = runtime.InferenceSession(
        data,
        session_options(cores or threads()),
        providers=[each for each in wanted if each in offered],
        enable_fallback=0,
    )
    # It keeps the file for a change of providers, which there is none of: twice the weights.
    session._model_bytes = None
    return session


def raise_if_out_of_memory(err: Exception) -> None:
    """Raise MemoryError where onnxruntime says by its words alone that there was not enough."""
    if isinstance(err, MemoryError) or _NO_MEMORY.search(str(err)):
        raise MemoryError(str(err)) from err
