"""A chunk: a run of items of one shard, small enough for one batch, passed from stage to stage."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import torch

from jobs.inputs.manifests import Item
from jobs.queue.quarantine import Suspect
from jobs.results.segments import ItemError
from models.runtime.network import ImageNetwork, Network
from models.tasks.task import Outputs, Sample, Step, Text
from workers.engine.timeline import Timeline
from workers.walls.pictures import Packed

# An item's bytes, or why there are none.
Content = bytes | memoryview | ItemError


@dataclass(slots=True)
class Piece:
    """What the device gave for `count` samples in a row: outputs, or the reason for none."""

    count: int
    outputs: Outputs | None = None
    error: ItemError | None = None


@dataclass(slots=True)
class Chunk:
    """What a network is to run for items of one shard: samples of images, texts, a video's step."""

    network: Network
    # Chunks with equal keys may share a batch: same model version, same parameters; the parameters
    # may be others where each sample carries what its own job asks with.
    key: tuple[str, str]
    shard_id: int
    first: int
    items: Sequence[Item]
    # Set when the shard is told to stop: what has not reached the device by then is not run.
    stopped: threading.Event = field(default_factory=threading.Event)
    samples: list[Sample] | list[Text] | list[Step] = field(default_factory=list)
    # Set by the batcher: what the device gave for `samples`, and this chunk's part of its time.
    # Cancelled when the chunk was not run.
    pieces: "Future[list[Piece]]" = field(default_factory=Future)
    device_s: float = 0.0
    # Set where a batch begins with it: how long it had waited for that.
    waited_s: float = 0.0
    # When it was put, by time.monotonic().
    put_at: float = 0.0
    # Of a shard that has a trace.
    timeline: Timeline | None = None
    # Set when a sample lacked memory beside other batches; it then runs once more, alone.
    was_put_back: bool = False

    def drop_if_stopped(self) -> bool:
        """Give the chunk up when its shard has been told to stop; True if so."""
        return self.stopped.is_set() and self.pieces.cancel()

    def suspects(self) -> list[Suspect]:
        """Give the items that are in flight while this chunk is inferred."""
        return [Suspect(self.shard_id, self.first, len(self.items))]


@dataclass(slots=True)
class ImageChunk(Chunk):
    """Images of one shard on their way; positions count within the chunk."""

    network: ImageNetwork
    # What the network made of the texts that the job asks with (models.tasks.task.Sample).
    texts: torch.Tensor | None = None
    samples: list[Sample] = field(default_factory=list)
    hashes: list[str | None] = field(default_factory=list)
    # The bytes of decoded items, by position, kept only where they are to be drawn on.
    keeps_data: bool = False
    data: dict[int, Packed] = field(default_factory=dict)
    # Small pictures of decoded items, by position, where they are wanted.
    keeps_thumbnails: bool = False
    thumbnails: dict[int, bytes] = field(default_factory=dict)
    # (width, height) of the upright originals of decoded items, by position.
    sizes: dict[int, tuple[int, int]] = field(default_factory=dict)
    errors: dict[int, ItemError] = field(default_factory=dict)
    # The positions of the items that could be decoded, in the order of `samples`.
    positions: list[int] = field(default_factory=list)


def reading_stage(items: Sequence[Item]) -> str:
    """Name the stage in which the bytes of items come: from the storage, or from strangers."""
    return "fetch" if any(item.encoding in ("url", "object") for item in items) else "read"


def note_batch(batch: Sequence[Chunk], computed_s: float) -> None:
    """Note a batch that was just computed in the trace of every shard that it held items of.

    Each trace has the whole batch, with links to the other shards that were in it.
    """
    ended_at, now = time.time(), time.monotonic()
    timelines = {id(chunk.timeline): chunk.timeline for chunk in batch if chunk.timeline}
    for timeline in timelines.values():
        began_at = ended_at - computed_s
        put_at = min(chunk.put_at for chunk in batch if chunk.timeline is timeline)
        waited_s = max(0.0, now - computed_s - put_at)
        timeline.note("batch_wait", began_at - waited_s, waited_s)
        beside = (each.context for each in timelines.values() if each is not timeline)
        others = [context for context in beside if context is not None]
        timeline.note("infer", began_at, computed_s, others)
