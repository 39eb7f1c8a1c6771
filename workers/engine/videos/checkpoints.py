"""The place that a long video has reached, kept so that a killed worker's successor goes on there.

    jobs/{job}/checkpoints/{index}/{windows}-{fence}-{sha256}.safetensors

A blob lies under its job, is erased with it, and is never changed. Its name holds the digest of its
bytes, so that a damaged one is seen. It counts only for the same input, model and parameters. The
network's state and the clips so far are numbers (safetensors), the rest JSON; nothing is code.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from jobs.base.storage import BlobMissing, Storage, checkpoint_name, checkpoint_prefix
from models.media.films import Position
from models.tasks.task import State, Stepped, Windows
from workers.engine.videos.clips import Clips
from workers.engine.videos.windows import Window

log = structlog.get_logger(__name__)

_STATE = "state."


@dataclass(slots=True)
class Progress:
    """What is known of a video after some windows; enough to go on from there.

    after: the last frame that no window to come needs. kept: frames after it that a window has had.
    is_over: there is no window to come; `damage` is then what the video had to say for itself.
    """

    after: Position | None = None
    kept: int = 0
    state: State | None = None
    clips: Clips = field(default_factory=Clips)
    is_over: bool = False
    damage: str | None = None

    def advance(self, window: Window, stepped: Stepped, shape: Windows) -> None:
        """Note the answer for the next window."""
        self.clips.add(window.clip(stepped))
        self.state = stepped.state
        # A short window is the last; there is no place after it to go on from.
        if len(window.frames) == shape.length:
            self.after = window.frames[shape.stride - 1].position
            self.kept = shape.length - shape.stride


class Checkpoints:
    """The checkpoints of one video; `basis` is what must be the same for one to count."""

    def __init__(self, storage: Storage, job_id: str, index: int, basis: Mapping[str, Any]) -> None:
        self._storage, self._job_id, self._index = storage, job_id, index
        self._basis = json.dumps(basis, sort_keys=True)
        # Of this attempt and of those before it; to be deleted when the result is committed.
        self.names: list[str] = []

    def newest(self) -> Progress:
        """Give the furthest place that can be gone on from; the beginning if there is none.

        Raises StorageError.
        """
        found = sorted(self._storage.list(checkpoint_prefix(self._job_id, self._index)))
        self.names += found
        for name in reversed(found):
            progress = self._read(name)
            if progress is not None:
                return progress
        return Progress()

    def save(self, progress: Progress, fence: int) -> None:
        """Write a checkpoint, then delete those that it replaces. Raises StorageError."""
        data = _encode(progress, self._basis)
        digest = hashlib.sha256(data).hexdigest()
        count = len(progress.clips)
        name = checkpoint_name(self._job_id, self._index, count, fence, digest)
        self._storage.put(name, [data])
        replaced = [each for each in self.names if each != name]
        # What cannot be deleted now is still named, and goes with the next one or the commit.
        self.names = [*replaced, name]
        self._storage.delete(replaced)
        self.names = [name]

    def _read(self, name: str) -> Progress | None:
        try:
            data = self._storage.get(name)
        except BlobMissing:  # a worker that has lost its lease replaces its own
            return None
        digest = name.rpartition("-")[2].removesuffix(".safetensors")
        if hashlib.sha256(data).hexdigest() != digest:
            log.warning("checkpoint_damaged", checkpoint=name)
            return None
        try:
            return _decode(data, self._basis)
        except (SafetensorError, ValueError, KeyError, TypeError) as err:
            log.warning("checkpoint_not_ours", checkpoint=name, error=str(err))
            return None


def _encode(progress: Progress, basis: str) -> bytes:
    tensors = {
        "logits": progress.clips.logits(),
        "times": progress.clips.times(),
        **{f"{_STATE}{number}": part for number, part in enumerate(progress.state or ())},
    }
    place = {
        "after": progress.after,
        "kept": progress.kept,
        "is_over": progress.is_over,
        "damage": progress.damage,
        "carries": progress.state is not None,
    }
    # Each with memory of its own: that of a batch is shared.
    own = {
        name: tensor.clone(memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }
    return bytes(save(own, {"basis": basis, "place": json.dumps(place)}))


def _decode(data: bytes, basis: str) -> Progress:
    """Read a checkpoint; raises ValueError, KeyError, TypeError or SafetensorError."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    if header["basis"] != basis:
        raise ValueError("it is of another input, model or other parameters")
    place, tensors = json.loads(header["place"]), load(data)
    names = sorted((name for name in tensors if name.startswith(_STATE)), key=_number)
    return Progress(
        after=place["after"] and Position(*place["after"]),
        kept=place["kept"],
        state=tuple(tensors[name] for name in names) if place["carries"] else None,
        clips=Clips.of(tensors["times"], tensors["logits"]),
        is_over=place["is_over"],
        damage=place["damage"],
    )


def _number(name: str) -> int:
    return int(name.removeprefix(_STATE))
