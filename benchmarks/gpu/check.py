"""One command that proves the CUDA path on a GPU machine: `python3 -m benchmarks.gpu.check`.

Run it in the repository's root. It needs torch >= 2.11, torchvision, opencv-python-headless and
safetensors; no network and no installed Pixelmill. Prints each proof's figures and ends with status
1 when one fails. On a machine without CUDA it says so, and proves the same logic on the CPU.
"""

import platform
import sys
import traceback
from collections.abc import Callable, Mapping

import torch

from benchmarks.gpu import proofs
from benchmarks.gpu.proofs import Figures

PROOFS: Mapping[str, Callable[[torch.device], Figures]] = {
    "two lanes, pinned memory and a stream each": proofs.prove_lanes,
    "uint8 to the device, resized and normalised there": proofs.prove_preprocessing,
    "autocast to fp16 and bf16": proofs.prove_precisions,
    "channels last": proofs.prove_channels_last,
    "a batch too large is halved": proofs.prove_halving,
    "two pinned workers stay apart": proofs.prove_apart,
}


def main() -> int:
    """Run every proof; gives the exit status."""
    has_cuda = torch.cuda.is_available()
    device = torch.device("cuda", 0) if has_cuda else torch.device("cpu")
    print(f"torch {torch.__version__}, {_name_of(device)}")
    if not has_cuda:
        print("skipped: no CUDA here. The logic is proven on the CPU; its figures mean nothing.")
    proofs.compute_exactly()
    failed = 0
    for name, prove in PROOFS.items():
        try:
            figures = prove(device)
        except Exception:  # the other proofs are worth seeing
            traceback.print_exc()
            print(f"FAILS: {name}")
            failed += 1
            continue
        print(f"holds: {name}")
        for figure, value in figures.items():
            shown = f"{value:.4g}" if isinstance(value, float) else value
            print(f"       {figure}: {shown}")
    return 1 if failed else 0


def _name_of(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    sys.exit(main())
