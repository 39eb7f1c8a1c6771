"""What a benchmark leaves: lines on the terminal, a JSON file in build/, an exit status."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

BUILD = Path("build")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was wanted, in words and figures, and whether it holds."""

    wanted: str
    holds: bool

    def __str__(self) -> str:
        """Give one line for the terminal."""
        return f"{'holds' if self.holds else 'FAILS'}: {self.wanted}"


def percentile(values: Sequence[float], share: float) -> float:
    """Give the smallest value that is not exceeded by `share` of them (nearest rank)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def close(name: str, figures: Mapping[str, object], verdicts: Sequence[Verdict]) -> int:
    """Print the verdicts and write everything to build/NAME.json; gives the exit status."""
    told = [{"wanted": verdict.wanted, "holds": verdict.holds} for verdict in verdicts]
    BUILD.mkdir(exist_ok=True)
    path = BUILD / f"{name}.json"
    path.write_text(json.dumps({"figures": figures, "verdicts": told}, indent=2) + "\n")
    print(*verdicts, f"figures: {path}", sep="\n")
    return 0 if all(verdict.holds for verdict in verdicts) else 1
