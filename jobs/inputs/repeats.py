"""Names that come twice in a job: found with eight bytes for each item, then refused or told apart.

A caller's own `custom_id` that repeats is refused, with its lines. Names of files that repeat are
numbered: `a.png`, `a.png (2)`, …, and never come to equal the name of another file of the job.
"""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from jobs.inputs.budgets import LONGEST_ID, shortened

# Digits and signs that " (10000000)" takes, and some.
_ROOM = 16


class Names:
    """Hashes of every name of a job, so that looking for repetitions needs little memory."""

    def __init__(self) -> None:
        self.count = 0
        self._values = np.zeros(1024, dtype=np.uint64)

    def add(self, name: str) -> None:
        """Take one more name."""
        if self.count == len(self._values):
            self._values = np.concatenate([self._values, np.zeros_like(self._values)])
        self._values[self.count] = hash_of(name)
        self.count += 1

    def sorted(self) -> npt.NDArray[np.uint64]:
        """Give uint64[names], the hashes in order; no name may be added after it."""
        self._values = self._values[: self.count]
        self._values.sort()
        return self._values

    def repeated(self) -> npt.NDArray[np.uint64]:
        """Give uint64[names that repeat], each hash once and in order."""
        values = self.sorted()
        return np.unique(values[1:][values[1:] == values[:-1]])


class Numbering:
    """Numbers the names that repeat, in the order in which they come."""

    def __init__(self, names: Names) -> None:
        self._repeated = names.repeated()
        self._all = names.sorted()
        # How often each has come so far; the first keeps its name.
        self._seen = np.zeros(len(self._repeated), dtype=np.int64)

    @property
    def is_needed(self) -> bool:
        """Whether any name repeats."""
        return len(self._repeated) > 0

    def name_all(self, names: Sequence[str]) -> list[str]:
        """Give the names of the next items, with a number where one came before."""
        if not self.is_needed:
            return list(names)
        hashes = np.fromiter(map(hash_of, names), np.uint64, len(names))
        places = np.searchsorted(self._repeated, hashes)
        places[places == len(self._repeated)] = 0
        given = list(names)
        for position in np.flatnonzero(self._repeated[places] == hashes):
            given[position] = self._name(given[position], int(places[position]))
        return given

    def _name(self, name: str, place: int) -> str:
        self._seen[place] += 1
        if self._seen[place] == 1:
            return name
        # The name of another file stays that file's.
        while self._is_taken(candidate := _numbered(name, int(self._seen[place]))):
            self._seen[place] += 1
        return candidate

    def _is_taken(self, name: str) -> bool:
        value = np.uint64(hash_of(name))
        place = np.searchsorted(self._all, value)
        return bool(place < len(self._all) and self._all[place] == value)


def hash_of(name: str) -> int:
    """Give eight bytes that stand for a name."""
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def repeated_lines(
    names: Iterable[str], repeated: npt.NDArray[np.uint64], most: int
) -> list[tuple[int, int, str]]:
    """Give up to `most` repetitions: line, the first line of that name (from 1), and the name."""
    seen: dict[str, int] = {}
    wanted = frozenset(int(value) for value in repeated[: most + 1])
    found: list[tuple[int, int, str]] = []
    for line, name in enumerate(names, start=1):
        if hash_of(name) not in wanted:
            continue
        if name in seen:
            found.append((line, seen[name], name))
            if len(found) == most:
                break
        seen.setdefault(name, line)
    return found


def _numbered(name: str, number: int) -> str:
    if len(name) > LONGEST_ID - _ROOM:
        name = shortened(name, LONGEST_ID - _ROOM)
    return f"{name} ({number})"
