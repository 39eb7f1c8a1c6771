"""One mutation: a text of a file, what it becomes, and the tests that must then go red."""

from dataclasses import dataclass, field
from pathlib import Path


class DoesNotApply(Exception):
    """The code has moved on: the text of a mutation is not in its file exactly once."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """A fault that somebody could write by mistake.

    `red` are the tests, by their pytest ids, of which one must fail when the fault is there.
    """

    file: str
    was: str
    becomes: str
    red: tuple[str, ...] = field(kw_only=True)
    # What a caller or an operator would suffer from it.
    why: str = field(kw_only=True)
    # What the tests run on: the fault may be seen on one kind of database alone.
    database: str = field(kw_only=True, default="sqlite")

    def applied_to(self, root: Path) -> str:
        """Give the text of the file with the fault in it; raises DoesNotApply."""
        path = root / self.file
        text = path.read_text() if path.is_file() else ""
        found = text.count(self.was)
        if found != 1 or self.was == self.becomes:
            raise DoesNotApply(
                f"{self.file} has {found} times the text {self.was!r}, and should have it once. "
                "Write down in tests/mutations/table what it is by now."
            )
        return text.replace(self.was, self.becomes)

    def is_about(self, words: list[str]) -> bool:
        """Say whether each of these words stands in its file, change, reason or tests."""
        text = " ".join((self.file, self.was, self.becomes, self.why, *self.red)).lower()
        return all(word.lower() in text for word in words)
