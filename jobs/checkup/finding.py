"""What was looked at, what was found, and what to do about it: one line each."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a checkup; without a remedy there is nothing wrong."""

    name: str
    what: str
    remedy: str = ""

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.remedy

    def line(self) -> str:
        """Give it as a person reads it."""
        head = f"{'ok' if self.is_sound else 'FAULT':6}{self.name:12}{self.what}"
        return head if self.is_sound else f"{head}. {self.remedy}"
