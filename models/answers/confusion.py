"""What was taken for what, as a table."""

import numpy as np
from numpy.typing import NDArray


def confusion_table(confusion: NDArray[np.int64], labels: tuple[str, ...]) -> str:
    """Return the counts as a Markdown table."""
    rows = [["", *labels], ["---"] * (len(labels) + 1)]
    rows += [
        [f"**{name}**", *map(str, counts)] for name, counts in zip(labels, confusion, strict=True)
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
