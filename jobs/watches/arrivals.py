"""What is new in a folder: its listing beside what was seen of it, both in the order of addresses.

    listed   not seen            new; taken, or where files grow slowly, taken by the next listing
             seen as it is       nothing
             seen otherwise      changed, which is new again
    seen     not listed          gone; forgotten after a while, and if it comes back before, as it
                                 was, it is not new

Pure code: two streams in, one out, and nothing held but the next of each.
"""

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

FORGOTTEN_AFTER_DAYS = 30
"""How long what is gone is remembered: a disk that is not mounted looks like an empty folder."""


class Listed(NamedTuple):
    """An object as a listing tells of it; `name` is what its item will be called."""

    address: str
    size: int
    etag: str
    name: str

    @property
    def mark(self) -> int:
        """Eight bytes (signed, as Parquet keeps them) that stand for this state of the object."""
        told = f"{self.size} {self.etag}".encode("utf-8", "surrogatepass")
        return int.from_bytes(hashlib.blake2b(told, digest_size=8).digest(), signed=True)


class Known(NamedTuple):
    """What is remembered of an object."""

    address: str
    mark: int
    # Whether it became an item in this state, or was only seen in it.
    is_taken: bool
    # The day, counted from 1970, on which it was first missing; 0 while it is there.
    gone_on: int = 0


class Step(NamedTuple):
    """One address: what was remembered of it, what is to be, and the object where it is new."""

    before: Known | None
    after: Known | None
    arrival: Listed | None = None


class Rules(NamedTuple):
    """What a new object is: at once where stores write objects whole, else once it holds still.

    While `takes` is false nothing is new: all that is listed counts as seen.
    """

    at_once: bool
    today: int
    takes: bool = True

    def found(self, before: Known | None, listed: Listed) -> Step:
        """Say what follows from an object that is there."""
        mark = listed.mark
        if not self.takes:
            return Step(before, Known(listed.address, mark, is_taken=True))
        is_same = before is not None and before.mark == mark
        if before is not None and is_same and before.is_taken:
            return Step(before, before._replace(gone_on=0))
        if self.at_once or is_same:
            return Step(before, Known(listed.address, mark, is_taken=True), listed)
        return Step(before, Known(listed.address, mark, is_taken=False))

    def missing(self, before: Known) -> Step:
        """Say what follows from an object that is not there."""
        if not before.is_taken:
            return Step(before, None)
        gone_on = before.gone_on or self.today
        is_over = self.today - gone_on > FORGOTTEN_AFTER_DAYS
        return Step(before, None if is_over else before._replace(gone_on=gone_on))


def steps(known: Iterator[Known], listed: Iterator[Listed], rules: Rules) -> Iterator[Step]:
    """Give what follows for each address, in their order; an address is in each stream once."""
    old, new = next(known, None), next(listed, None)
    while old is not None or new is not None:
        if new is None or (old is not None and old.address < new.address):
            assert old is not None
            yield rules.missing(old)
            old = next(known, None)
        elif old is None or new.address < old.address:
            yield rules.found(None, new)
            new = next(listed, None)
        else:
            yield rules.found(old, new)
            old, new = next(known, None), next(listed, None)
