"""The results of one job: rows one after the other, a file in any form, or a data frame."""

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

from pixelmill.client.records import Result
from pixelmill.client.results.forms import checked_form
from pixelmill.client.results.frames import read_arrow, read_pandas, read_polars
from pixelmill.client.results.writing import new_file


class Results(Iterator[Result]):
    """A job's results; iterate them, or have them whole in another form.

    Rows come in the order of their commit, none lost and none repeated. The other forms hold the
    rows that are there when they are asked for; of results that are followed, all of them, once
    the job is over.
    """

    def __init__(
        self,
        rows: Iterator[Result],
        blocks: Callable[[str], Iterator[bytes]],
        settle: Callable[[], object],
    ) -> None:
        """`blocks` gives the bytes of a form, `settle` waits until there are all rows wanted."""
        self._rows = rows
        self._blocks = blocks
        self._settle = settle

    def __next__(self) -> Result:
        """Give the next row."""
        return next(self._rows)

    def save(self, path: str | PathLike[str], form: str | None = None) -> Path:
        """Write a file in a form, by the name of the file where none is said, whole or not at all.

        Forms: ndjson, csv, parquet, coco, yolo, label-studio, geojson; which of them a job has
        hangs on its model's task. Raises InvalidInput for a name that says none, and InvalidRequest
        for a form that the job has not.
        """
        target = Path(path)
        form = checked_form(form, target)
        with new_file(target) as file:
            for block in self.blocks(form):
                file.write(block)
        return target

    def blocks(self, form: str) -> Iterator[bytes]:
        """Give the bytes of a form, piece by piece, in bounded memory.

        Raises ConnectionFailed if they break off, also where the connection does not show it.
        """
        self._settle()
        yield from self._blocks(form)

    def to_arrow(self) -> Any:
        """Give a `pyarrow.Table` with typed columns: predictions are lists of structs."""
        with self._parquet() as path:
            return read_arrow(path)

    def to_pandas(self) -> Any:
        """Give a `pandas.DataFrame` with Arrow's types, in which whole numbers stay whole."""
        with self._parquet() as path:
            return read_pandas(path)

    def to_polars(self) -> Any:
        """Give a `polars.DataFrame`; predictions are lists of structs, to explode and unnest."""
        with self._parquet() as path:
            return read_polars(path)

    def to_coco(self) -> dict[str, Any]:
        """Give COCO's object of images, annotations and categories, of boxes or masks.

        For pycocotools: `coco = COCO()`, `coco.dataset = …`, `coco.createIndex()`.
        """
        found: dict[str, Any] = json.loads(b"".join(self.blocks("coco")))
        return found

    @contextmanager
    def _parquet(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="pixelmill-") as folder:
            yield self.save(Path(folder) / "results.parquet")
