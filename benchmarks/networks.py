"""Networks that compute nothing: they take a known time asleep, or none at all.

Loaded into a stack's workers with PIXELMILL_EXTENSIONS=benchmarks.networks. The device sleeps, and
the cores stay free for what is measured.
"""

import time
from functools import partial
from typing import Any

import torch
from safetensors.torch import save
from torch import nn

from jobs.base.database import Database
from jobs.base.storage import Storage
from jobs.versions.registry import register
from models.catalog import SHIPPED
from models.runtime.weights import digest


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


PACED = {f"paced/{ms}ms": partial(Paced, item_s=ms / 1000) for ms in (1, 2, 10)}
NOTHING = "nothing"
ARCHITECTURES = {**PACED, NOTHING: partial(Paced, item_s=0.0)}
# Pixels of a side of the pictures for the network that does nothing.
TINY = 8


def register_paced(database: Database, storage: Storage, shard_items: int) -> dict[str, str]:
    """Register the paced ones as models whose jobs are cut into shards of so many items.

    Gives the models' names by those of the architectures.
    """
    names = {}
    for architecture in PACED:
        name = architecture.replace("/", "-")
        record = SHIPPED["digits"].to_json() | {
            "name": name,
            "architecture": architecture,
            "max_batch": shard_items,
            "shard_items": shard_items,
        }
        _register(database, storage, record)
        names[architecture] = name
    return names


def register_nothing(database: Database, storage: Storage) -> None:
    """Register the network that does nothing."""
    plain = SHIPPED["digits"].to_json()
    preprocess = plain["preprocess"] | {"resize": TINY, "crop": TINY}
    named = {"name": NOTHING, "architecture": NOTHING, "preprocess": preprocess}
    _register(database, storage, plain | named)


def _register(database: Database, storage: Storage, record: dict[str, Any]) -> None:
    weights = save({"unused": torch.zeros(1)})
    register(database, storage, record["name"], record, weights, digest(weights))
