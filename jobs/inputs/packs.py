"""A pack: inputs that came inside a request, laid end to end in one blob.

Ten thousand small images that came in one body become one blob, so that a shard of them is read in
one range read, as from a stored archive.
"""

from collections.abc import Iterable
from contextlib import ExitStack
from types import TracebackType
from typing import BinaryIO, Self

from jobs.base.storage import Storage, pack_name


class Pack:
    """A blob that comes to exist if anything was added and the block ended without an exception."""

    def __init__(self, storage: Storage, job_id: str) -> None:
        self.name = pack_name(job_id)
        # The blobs that come of this pack and its siblings.
        self.names = [self.name]
        self._storage, self._job_id = storage, job_id
        self._stack = ExitStack()
        self._sink: BinaryIO | None = None
        self._end = 0

    def add(self, chunks: Iterable[bytes]) -> tuple[int, int]:
        """Append bytes; gives where they begin and how many they are."""
        if self._sink is None:
            self._sink = self._stack.enter_context(self._storage.create(self.name))
        start = self._end
        for chunk in chunks:
            self._sink.write(chunk)
            self._end += len(chunk)
        return start, self._end - start

    def sibling(self) -> "Pack":
        """Give another pack of the same job, to be opened by itself."""
        other = Pack(self._storage, self._job_id)
        self.names.append(other.name)
        return other

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)
