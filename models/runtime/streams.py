"""Threads that run batches on one device beside each other: the lanes.

    lane A   stack ─copy─ compute ────────── results   stack ─copy─ compute ──
    lane B              stack ─copy─ compute ────────── results   stack ─copy─

What a thread of a GPU does stands in its stream. All threads begin with the same one, in which the
copy of one batch would wait for the kernels of another; with a stream for each, a lane stacks,
copies and reads results while another computes. Batches are stacked into pinned memory, from which
a copy runs beside kernels (`models.tasks.task.stack`); torch keeps what was pinned for the next.

On the CPU there are no streams, and lanes need no more than their threads.
"""

import torch


def use_own_stream(device: str) -> None:
    """Let what the calling thread does on the device stand in a stream of its own."""
    if torch.device(device).type == "cuda":
        torch.cuda.set_stream(torch.cuda.Stream(device))  # type: ignore[no-untyped-call]  # torch's
