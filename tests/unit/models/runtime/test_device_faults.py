"""What torch raises when a device has too little memory, and when it is lost."""

import pytest
import torch

from models.runtime.device_faults import is_device_lost, is_out_of_memory

NO_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    MemoryError(),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("GET was unable to find an engine to execute this computation"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"),
]
LOST = [
    RuntimeError("CUDA error: an illegal memory access was encountered"),
    RuntimeError("CUDA error: unspecified launch failure"),
    RuntimeError("CUDA error: uncorrectable ECC error encountered"),
]
OTHERS = [
    RuntimeError("mat1 and mat2 shapes cannot be multiplied (1x3 and 4x5)"),
    ValueError("CUDA error: out of memory"),
]


def words(err: BaseException) -> str:
    return f"{type(err).__name__} {err}"


@pytest.mark.parametrize("err", NO_MEMORY, ids=words)
def test_too_little_memory_passes(err: BaseException) -> None:
    assert is_out_of_memory(err)
    assert not is_device_lost(err)


@pytest.mark.parametrize("err", LOST, ids=words)
def test_a_lost_device_does_not(err: BaseException) -> None:
    assert is_device_lost(err)
    assert not is_out_of_memory(err)


@pytest.mark.parametrize("err", OTHERS, ids=words)
def test_all_else_is_neither(err: BaseException) -> None:
    assert not is_device_lost(err)
    assert not is_out_of_memory(err)
