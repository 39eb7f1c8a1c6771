"""The texts that a job asks a network with: read once for a set of them, before its pictures.

    params ─► texts ─► kept by the network? ─► features, which every sample of the job carries
                              └─ no ─► tokens ─► pieces ─► batcher ─► kept

Texts run where pictures do, a few at a time: a thousand take a slow device minutes, in which other
jobs have their turns and the shard is seen to move.
"""

import time
from collections.abc import Sequence
from concurrent.futures import CancelledError

import torch

from jobs.inputs.manifests import Item
from jobs.results.segments import ItemError
from models.records.errors import ParamsError
from models.runtime.network import ImageNetwork
from models.tasks.task import Text
from workers.engine.device.batcher import Batcher
from workers.engine.holding.hold import Hold
from workers.engine.reading.chunk import Chunk

# Texts of one batch: seconds of one core for the largest published towers.
PIECE_TEXTS = 16
# A thousand texts are cut in a tenth of a second, unless a tokenizer is made to take long.
_CUTTING_S = 20.0
# Between two looks of who waits for another shard's texts.
_LOOK_S = 1.0


class TextsNotRead(Exception):
    """The network made nothing of the job's texts; `error` says why, for every item."""

    def __init__(self, error: ItemError) -> None:
        super().__init__(error.message)
        self.error = error


class TextReader:
    """Has a network read the texts of one shard's job; `device_s` is what it took of the device."""

    def __init__(
        self,
        batcher: Batcher,
        hold: Hold,
        items: Sequence[Item],
        cutting_s: float = _CUTTING_S,
    ) -> None:
        """Read for the shard of `hold` with its `items`; cutting texts may take `cutting_s`."""
        self.device_s = 0.0
        self._cutting_s = cutting_s
        self._batcher, self._hold, self._items = batcher, hold, items

    def read(self, network: ImageNetwork) -> torch.Tensor | None:
        """Give the features of the job's texts, float32 (n, d); None where it asks with none.

        Raises TextsNotRead, and CancelledError when the shard was told to stop.
        """
        texts = network.texts(self._hold.lease.params)
        if not texts:
            return None
        known = network.text_rows
        while not known.turn.acquire(timeout=_LOOK_S):
            # Whoever has it is seen to move, or ended.
            self._hold.moved()
            self._end_if_stopped()
        try:
            found = known.find(texts)
            if found is None:
                found = self._compute(network, texts)
                known.keep(texts, found)
            return found
        finally:
            known.turn.release()

    def _compute(self, network: ImageNetwork, texts: tuple[str, ...]) -> torch.Tensor:
        prepared = self._cut(network, texts)
        size = min(PIECE_TEXTS, network.record.max_batch)
        rows: list[torch.Tensor] = []
        for start in range(0, len(prepared), size):
            self._end_if_stopped()
            lease = self._hold.lease
            chunk = Chunk(
                network,
                (lease.model, "texts"),
                lease.shard_id,
                lease.first,
                self._items,
                self._hold.stopped,
                prepared[start : start + size],
                timeline=self._hold.timeline,
            )
            self._batcher.announce()
            self._batcher.put(chunk)
            for piece in self._batcher.answer(chunk, self._hold.moved):
                if not isinstance(piece.outputs, torch.Tensor):
                    raise TextsNotRead(piece.error or ItemError("internal_error", "no answer"))
                rows.append(piece.outputs)
            self._hold.moved()
            self.device_s += chunk.device_s
        return torch.cat(rows)

    def _cut(self, network: ImageNetwork, texts: tuple[str, ...]) -> list[Text]:
        """Cut texts into tokens, one by one: patterns of a stranger's tokenizer may take long."""
        began = time.monotonic()
        prepared: list[Text] = []
        for text in texts:
            self._end_if_stopped()
            try:
                prepared += network.prepare_texts([text])
            except ParamsError as err:
                raise TextsNotRead(ItemError(err.code, str(err))) from err
            self._hold.moved()
            if time.monotonic() - began > self._cutting_s:
                message = "The model's tokenizer takes too long for this job's labels."
                raise TextsNotRead(ItemError("model_unusable", message))
        return prepared

    def _end_if_stopped(self) -> None:
        if self._hold.stopped.is_set():
            raise CancelledError
