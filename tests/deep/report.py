"""The report of long proofs: what was run when, how it ended, and its figures."""

from collections.abc import Iterable

from tests.deep.parts import Part
from tests.deep.running import Outcome

_HEAD = """\
# Long proofs

`make deep` runs what is too long for every day and writes this page; `make deep ARGS="fuzz bombs"`
runs these parts alone, and `make deep ARGS="fuzz -- --films 20"` one part with options of its own.
The page says of each part when it was last run where the page was written, and how it ended.
"""


def report(found: Iterable[tuple[Part, Outcome | None]]) -> str:
    """Write the page."""
    pairs = list(found)
    rows = [_row(part, outcome) for part, outcome in pairs]
    head = "| part | what it proves | last run | minutes | ended |\n|---|---|---|---|---|"
    told = [_figures(outcome) for _, outcome in pairs if outcome is not None]
    return "\n".join([_HEAD, head, *rows, "", *told])


def _row(part: Part, outcome: Outcome | None) -> str:
    if outcome is None:
        last, minutes, ended = "not by `make deep`", f"about {part.minutes}", ""
    else:
        last = f"{outcome.day}, {outcome.commit or 'no commit'}"
        minutes = f"{outcome.minutes:g}"
        ended = "as it should" if outcome.status == 0 else f"**with {outcome.status}**"
    return f"| `{part.name}` | {part.proves} | {last} | {minutes} | {ended} |"


def _figures(outcome: Outcome) -> str:
    options = f" with `{outcome.options}`" if outcome.options else ""
    lines = "\n".join(outcome.figures) or "(nothing was told)"
    return f"## {outcome.part}{options}\n\n```\n{lines}\n```\n"
