"""Names of classes, held against the labels of the version that is to be evaluated."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from pixelmill.wire.errors import InvalidInput

_NEAREST = 3


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of a version, such as `my/cats@3`, in the order of its outputs."""

    model: str
    names: Sequence[str]

    def check(self, found: Iterable[str], where: str) -> None:
        """Raise InvalidInput for the first name that is none of them, saying the nearest."""
        known = frozenset(self.names)
        unknown = sorted(name for name in set(found) if name not in known)
        if not unknown:
            return
        name = unknown[0]
        near = get_close_matches(name, self.names, _NEAREST) or list(self.names[:_NEAREST])
        nearest = ", ".join(map(repr, dict.fromkeys(near)))
        more = f", and {len(unknown) - 1} more are none either" if unknown[1:] else ""
        raise InvalidInput(
            f"{where} {name!r} is no class of {self.model}; did you mean {nearest}{more}?"
        )
