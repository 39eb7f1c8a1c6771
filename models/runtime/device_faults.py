"""What an error of a device means: too little memory, or that the device itself is lost.

Too little memory passes, and smaller batches do with less. torch says it in several ways: its
caching allocator by a class of its own; cuBLAS, cuDNN, the host's allocator and the driver by
words (c10/cuda/CUDAException.h, aten/src/ATen/cuda/Exceptions.h and native/cudnn/Conv_v8.cpp).
"""

import torch

_NO_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "ALLOC_FAILED",
    # Where no memory is left for a handle, or for the workspace of any way to convolve.
    "CUBLAS_STATUS_NOT_INITIALIZED",
    "unable to find an engine to execute this computation",
)


def is_out_of_memory(err: BaseException) -> bool:
    """Say whether what failed may work with more memory, or with a smaller batch."""
    if isinstance(err, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(err, RuntimeError) and any(sign in str(err) for sign in _NO_MEMORY)


def is_device_lost(err: BaseException) -> bool:
    """Say whether CUDA itself failed: then every later call of this process will, too."""
    is_cudas = isinstance(err, RuntimeError) and "CUDA error" in str(err)
    return is_cudas and not is_out_of_memory(err)
