"""What storage keeps of a job is a data set: a folder of segments, as data frames read it."""

import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from jobs.base.bootstrap import Ground
from jobs.tenants.keys import NewKey
from tests.integration.api.forms.answered import BROKEN, Answer, box, run_job


@pytest.fixture
def folder(ground: Ground, tenant: NewKey) -> Path:
    answers = [
        Answer(f"{n}.jpg", BROKEN if n % 2 else [box("dog", 1, 1, 2, 3, 4)]) for n in range(70)
    ]
    job = run_job(ground, tenant, "detection", answers)
    blobs = Path(urlsplit(ground.storage.url).path)
    # Where workers draw.
    (blobs / "jobs" / job / "overlays").mkdir()
    (blobs / "jobs" / job / "overlays" / "000000000-1-x").write_bytes(b"\xff\xd8")
    return blobs / "jobs" / job / "segments"


def frames(folder: Path) -> dict[str, list[Any]]:
    """Give the indexes as each library finds them in the whole folder."""
    pattern = str(folder / "*.parquet")
    found = duckdb.execute("select index from read_parquet(?)", [pattern]).fetchall()
    return {
        "pandas": pd.read_parquet(folder)["index"].tolist(),
        "polars": pl.read_parquet(pattern)["index"].to_list(),
        "duckdb": [index for (index,) in found],
        "pyarrow": pq.read_table(folder)["index"].to_pylist(),
    }


def test_a_folder_of_segments_is_a_data_set(folder: Path) -> None:
    assert len(list(folder.iterdir())) == 3
    for library, indexes in frames(folder).items():
        assert sorted(indexes) == list(range(70)), library
    query = """
        select custom_id, box.class, box.box.width from (
            select custom_id, unnest(from_json(predictions,
                '[{"class": "VARCHAR", "box": {"width": "DOUBLE"}}]')) as box
            from read_parquet(?)
        ) where custom_id = '4.jpg'
    """
    found = duckdb.execute(query, [str(folder / "*.parquet")]).fetchall()
    assert found == [("4.jpg", "dog", 3.0)]


def test_segments_say_the_version_of_their_form(folder: Path) -> None:
    versions = {
        pq.read_schema(path).metadata[b"pixelmill_segment"] for path in folder.glob("*.parquet")
    }
    assert versions == {b"1"}


def test_segments_from_before_there_were_versions_lie_beside_new_ones(folder: Path) -> None:
    first = sorted(folder.iterdir())[0]
    table = pq.read_table(first).drop_columns(["fps", "duration_ms"])
    pq.write_table(table.replace_schema_metadata(None), first)
    assert b"pixelmill_segment" not in (pq.read_schema(first).metadata or {})
    sizes = {"pandas": pd.read_parquet(folder), "pyarrow": pq.read_table(folder).to_pandas()}
    assert {name: len(frame) for name, frame in sizes.items()} == {"pandas": 70, "pyarrow": 70}
    query = "select count(*) from read_parquet(?, union_by_name := true)"
    assert duckdb.execute(query, [str(folder / "*.parquet")]).fetchone() == (70,)
    pattern = str(folder / "*.parquet")
    table = pl.scan_parquet(pattern, missing_columns="insert", extra_columns="ignore").collect()
    assert len(table) == 70


def test_old_overlays_beside_the_segments_are_passed_by_by_their_names(folder: Path) -> None:
    # As versions up to 0.3 laid them.
    for path in sorted(folder.iterdir()):
        shutil.copy(path, path.with_suffix(".overlays"))
        path.with_suffix(".overlays").write_bytes(b"\xff\xd8 no Parquet")
    names = sorted(folder.glob("*.parquet"))
    assert len(pd.read_parquet(names)) == 70
    assert len(pq.read_table(names)) == 70
    assert len(pl.read_parquet(folder / "*.parquet")) == 70
