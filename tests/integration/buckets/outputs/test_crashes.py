"""An io worker that is killed in the middle of an output: the next one leaves each row once."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.dataset
import pytest

from jobs.base.bootstrap import Ground, open_ground
from jobs.base.settings import load_settings
from jobs.buckets.folder_outlets import FolderOutlet
from jobs.buckets.locations import Location
from jobs.buckets.remote import RemoteBucket
from jobs.buckets.sources import Buckets
from jobs.leases.leases import LeaseLost, lease_next
from jobs.outputs import parts
from jobs.outputs.leasing import OUTPUTS, begin, end_written
from jobs.outputs.writing import write_next
from models.catalog import prediction_of
from tests.integration.buckets.outputs.conftest import RESULTS, Outputs, may_write

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

COUNT = 9


def write_until_killed(settings: dict[str, Any], whole: int) -> None:
    """Write as an io worker does, and be killed by the kernel after `whole` objects."""
    parts._MOST_ROWS = 2
    put = 0

    def counted(original: Callable[..., str]) -> Callable[..., str]:
        def one(outlet: Any, location: Location, data: bytes) -> str:
            nonlocal put
            if put == whole:
                os.kill(os.getpid(), signal.SIGKILL)
            put += 1
            return original(outlet, location, data)

        return one

    for outlet in (FolderOutlet, RemoteBucket):
        outlet.put = counted(outlet.put)  # type: ignore[method-assign]
    ground = open_ground(load_settings(**settings))
    with closing(Buckets(ground)) as buckets:
        write_next(ground, buckets, prediction_of)


def kill_one(house: Ground, whole: int) -> None:
    process = multiprocessing.get_context("spawn").Process(
        target=write_until_killed, args=(house.settings.model_dump(), whole)
    )
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


def test_each_row_is_there_once_whenever_a_worker_was_killed(
    outputs: Outputs,
    house: Ground,
    tmp_path_factory: pytest.TempPathFactory,
    cut_small: Callable[[int], None],
) -> None:
    cut_small(2)
    room: Path = tmp_path_factory.mktemp("lake")
    may_write(house, room.as_uri(), "")
    job = outputs.run(COUNT, room.as_uri())
    for whole in (0, 3, 5):
        kill_one(house, whole)
        assert outputs.view(job)["status"] == "writing"
        assert not (room / job / "_manifest.json").exists()
        outputs.hurry()
    assert outputs.write()
    assert outputs.view(job)["attempts"] == 4
    found = pyarrow.dataset.dataset(room / job).to_table()["index"].to_pylist()
    assert sorted(found) == list(range(COUNT))


def test_in_an_object_store_too(
    outputs: Outputs, house: Ground, cut_small: Callable[[int], None]
) -> None:
    cut_small(2)
    job = outputs.run(COUNT)
    kill_one(house, 3)
    assert len(outputs.objects()) == 3
    outputs.hurry()
    assert outputs.write()
    names = [f"results/{job}/{part['name']}" for part in outputs.manifest(job)["parts"]]
    assert outputs.objects() == sorted([*names, f"results/{job}/_manifest.json"])
    assert outputs.manifest(job)["rows"] == COUNT


def test_who_was_thought_dead_says_nothing_any_more(outputs: Outputs, house: Ground) -> None:
    job = outputs.run(1, RESULTS)
    late = lease_next(house, OUTPUTS)
    assert late is not None
    begin(house, late)
    outputs.hurry()
    assert outputs.write()
    with pytest.raises(LeaseLost):
        end_written(house, late, rows=0, size=0, manifest="s3://nowhere")
    assert outputs.view(job)["rows"] == 1
