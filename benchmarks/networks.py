"""Networks that take a known time, so that shares of the device can be held against weights.

Loaded into a stack's workers with PIXELMILL_EXTENSIONS=benchmarks.networks. Nothing is computed:
the device sleeps, and the cores stay free for what is measured.
"""

import time
from functools import partial

import torch
from safetensors.torch import save
from torch import nn

from jobs.database import Database
from jobs.storage import Storage
from jobs.versions import register
from models.catalog import SHIPPED
from models.weights import digest


class Paced(nn.Module):
    """Takes `item_s` seconds for each item of a batch and answers nothing of interest."""

    def __init__(self, classes: int, item_s: float) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.classes, self.item_s = classes, item_s

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Sleep, then give zeros (N, classes)."""
        time.sleep(len(batch) * self.item_s)
        return torch.zeros(len(batch), self.classes)


ARCHITECTURES = {
    "paced/1ms": partial(Paced, item_s=0.001),
    "paced/2ms": partial(Paced, item_s=0.002),
}


def register_paced(database: Database, storage: Storage, shard_items: int) -> list[str]:
    """Register both as models whose jobs are cut into shards of so many items; gives the names."""
    weights = save({"unused": torch.zeros(1)})
    names = []
    for architecture in ARCHITECTURES:
        name = architecture.replace("/", "-")
        record = SHIPPED["digits"].to_json() | {
            "name": name,
            "architecture": architecture,
            "max_batch": shard_items,
            "shard_items": shard_items,
        }
        register(database, storage, name, record, weights, digest(weights))
        names.append(name)
    return names
