"""What a network made of texts, kept for the jobs that ask with the same ones."""

import threading
from collections import OrderedDict

import torch

# Features of texts that a network keeps, of all sets together: some 30 MB of the published ones.
MOST_ROWS = 10_000


class TextRows:
    """Features of sets of texts, float32 (n, d) on the CPU; the least recently used leave first.

    `turn` is for whoever computes a set, so that two jobs do not compute the same one.
    """

    def __init__(self, most_rows: int = MOST_ROWS) -> None:
        self.turn = threading.Lock()
        self._most_rows = most_rows
        self._kept: OrderedDict[tuple[str, ...], torch.Tensor] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, texts: tuple[str, ...]) -> torch.Tensor | None:
        """Give the features of a set, one object for all who ask; None where it is not kept."""
        with self._lock:
            rows = self._kept.get(texts)
            if rows is not None:
                self._kept.move_to_end(texts)
            return rows

    def keep(self, texts: tuple[str, ...], rows: torch.Tensor) -> None:
        """Keep the features of a set; others leave until all have no more than `most_rows`."""
        with self._lock:
            self._kept[texts] = rows
            self._kept.move_to_end(texts)
            while len(self._kept) > 1 and sum(map(len, self._kept.values())) > self._most_rows:
                self._kept.popitem(last=False)
