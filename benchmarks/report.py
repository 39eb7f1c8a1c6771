"""What the benchmarks leave in build/: bench.json, bench.md with the tables, bench.svg."""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any
from xml.sax.saxutils import escape

from benchmarks.contest import OURS, RAW, Turns, ratios
from benchmarks.figures import BUILD, Verdict

_MIB = 1024**2
# The plot's measures, in pixels.
_WIDTH, _LINE, _LEFT, _RIGHT = 860, 26, 330, 150
_COLOURS = {RAW: "#8a8f98", OURS: "#2f6fdb"}
_OTHER_COLOUR = "#c9ced6"


@dataclass(frozen=True, slots=True)
class Row:
    """What one row of the table came to.

    `parity` must hold on every machine; `verdicts` are about speed. `turns` are those of a contest,
    `figures` whatever else was measured.
    """

    title: str
    verdicts: Sequence[Verdict]
    parity: Sequence[Verdict] = ()
    turns: Mapping[str, Turns] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)


def write(rows: Sequence[Row], name: str) -> list[Path]:
    """Write everything under build/NAME; gives the files."""
    BUILD.mkdir(exist_ok=True)
    paths = [BUILD / f"{name}.{suffix}" for suffix in ("json", "md", "svg")]
    told = {"machine": machine(), "rows": [asdict(row) for row in rows]}
    contents = (json.dumps(told, indent=2) + "\n", markdown(rows), plot(rows))
    for path, content in zip(paths, contents, strict=True):
        path.write_text(content)
    return paths


def machine() -> dict[str, str]:
    """Say on what it was measured."""
    import os

    import torch

    return {
        "cores": str(os.cpu_count()),
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def markdown(rows: Sequence[Row]) -> str:
    """Write every row: its verdicts, and its contest as a table."""
    lines = ["# Benchmarks", "", ", ".join(f"{key} {value}" for key, value in machine().items())]
    for row in rows:
        lines += ["", f"## {row.title}", ""]
        lines += [f"- {verdict}" for verdict in (*row.verdicts, *row.parity)]
        lines += _table(row.turns) if row.turns else _list(row.figures)
    return "\n".join(lines) + "\n"


def _table(turns: Mapping[str, Turns]) -> list[str]:
    head = (
        "", "images/s", "ratio to raw", "Pixelmill's ratio to it", "CPU ms an image",
        "peak MiB", "start-up s",
    )  # fmt: skip
    lines = ["", f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for line, each in turns.items():
        cells = [
            line,
            spread(each.images_per_s, 0),
            spread(ratios(each.images_per_s, turns[RAW].images_per_s), 2),
            spread(ratios(turns[OURS].images_per_s, each.images_per_s), 2),
            f"{median(each.cpu_s_per_image) * 1e3:.2f}",
            f"{median(each.peak_bytes) / _MIB:.0f}",
            f"{each.start_s:.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    rounds = len(turns[RAW].images_per_s)
    return [*lines, "", f"Medians of {rounds} rounds (least to most)."]


def _list(figures: Mapping[str, Any]) -> list[str]:
    return ["", *(f"- {name}: {_short(value)}" for name, value in figures.items())]


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def spread(values: Sequence[float], digits: int) -> str:
    """Write the median, and from where to where they lie."""
    least, most = min(values), max(values)
    return f"{median(values):,.{digits}f} ({least:,.{digits}f} to {most:,.{digits}f})"


def plot(rows: Sequence[Row]) -> str:
    """Draw every contest as bars of images a second, each against its own fastest."""
    drawn: list[str] = []
    y = 10
    for row in rows:
        if not row.turns:
            continue
        drawn.append(_text(10, y + 16, row.title, "font-weight='bold'"))
        y += _LINE
        most = max(median(each.images_per_s) for each in row.turns.values())
        for line, each in row.turns.items():
            drawn += _bar(line, y, median(each.images_per_s), most)
            y += _LINE
        y += _LINE // 2
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{_WIDTH}' height='{y + 10}' "
        "font-family='system-ui, sans-serif' font-size='13'>\n"
        "<rect width='100%' height='100%' fill='white'/>\n" + "\n".join(drawn) + "\n</svg>\n"
    )


def _bar(line: str, y: int, rate: float, most: float) -> list[str]:
    length = (_WIDTH - _LEFT - _RIGHT) * rate / most
    colour = next((c for name, c in _COLOURS.items() if line.startswith(name)), _OTHER_COLOUR)
    return [
        _text(_LEFT - 8, y + 16, line, "text-anchor='end'"),
        f"<rect x='{_LEFT}' y='{y + 4}' width='{length:.1f}' height='{_LINE - 8}' "
        f"fill='{colour}'/>",
        _text(int(_LEFT + length) + 6, y + 16, f"{rate:,.0f} images/s"),
    ]


def _text(x: int, y: int, words: str, more: str = "") -> str:
    return f"<text x='{x}' y='{y}' {more}>{escape(words)}</text>"
