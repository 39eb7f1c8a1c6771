"""An item that kills, starves or hangs its worker costs itself and nothing else."""

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save

from jobs.database import Database
from jobs.storage import Storage
from jobs.versions import register
from models.catalog import SHIPPED
from models.data import encode
from models.weights import digest
from tests.e2e.stacks import RunningStack, results_of, running_stack

ITEMS = 256
MARKED = 200


def register_faulty(stack: RunningStack, architecture: str) -> str:
    """Register a misbehaving network as a model of its own."""
    record = SHIPPED["digits"].to_json()
    name = architecture.replace("/", "-")
    record |= {"name": name, "architecture": architecture, "max_batch": 64, "shard_items": 64}
    weights = save({"unused": torch.zeros(1)})
    database = Database(f"sqlite:///{stack.data / 'pixelmill.db'}")
    storage = Storage((stack.data / "blobs").as_uri())
    register(database, storage, name, record, weights, digest(weights))
    database.close()
    return name


def write_zip(path: Path, marked: set[int]) -> Path:
    """Write flat grey pictures of changing brightness, some of them the marked one."""
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(ITEMS):
            value = MARKED if number in marked else number % 100
            archive.writestr(
                f"{number:03d}.png", encode(np.full((28, 28), value, np.uint8), ".png")
            )
    return path


def check(rows: list[dict], marked: set[int], code: str) -> None:
    """Hold every row against what the network says of that picture."""
    assert [row["index"] for row in rows] == list(range(ITEMS))
    for row in rows:
        if row["index"] in marked:
            assert row["error"]["code"] == code, row
        else:
            assert row["status"] == "succeeded", row
            assert row["predictions"][0]["class_id"] == row["index"] % 100 % 10


@pytest.fixture
def faulty_stack(tmp_path: Path) -> Iterator[RunningStack]:
    with running_stack(
        tmp_path / "data",
        PIXELMILL_EXTENSIONS="tests.faults.networks",
        PIXELMILL_STALL_S="5",
        PYTHONPATH=os.getcwd(),
    ) as stack:
        yield stack


@pytest.mark.parametrize("marked", [{77}, {5, 77, 200}])
def test_an_item_that_crashes_the_process_is_errored_alone(
    faulty_stack: RunningStack, tmp_path: Path, marked: set[int]
) -> None:
    name = register_faulty(faulty_stack, "faults/crashing")
    with faulty_stack.client() as client:
        job = client.submit(write_zip(tmp_path / "in.zip", marked), model=name)
        done = client.wait(job, timeout=240)
        rows = results_of(client, job.id)
    check(rows, marked, "worker_crashed")
    assert done.outcome == "partial"
    deaths = faulty_stack.log().count("worker_died")
    print(f"\n{deaths} deaths for {len(marked)} marked items in {ITEMS}")
    assert deaths <= 3 * len(marked)


def test_a_network_that_runs_out_of_memory_finds_its_batch(
    faulty_stack: RunningStack, tmp_path: Path
) -> None:
    name = register_faulty(faulty_stack, "faults/hungry")
    with faulty_stack.client() as client:
        job = client.submit(write_zip(tmp_path / "in.zip", set()), model=name)
        assert client.wait(job, timeout=120).outcome == "succeeded"
        check(results_of(client, job.id), set(), "")
    assert "worker_died" not in faulty_stack.log()


def test_an_item_that_hangs_is_given_up_and_the_others_get_their_results(
    faulty_stack: RunningStack, tmp_path: Path
) -> None:
    name = register_faulty(faulty_stack, "faults/hanging")
    with faulty_stack.client() as client:
        job = client.submit(write_zip(tmp_path / "in.zip", {77}), model=name)
        client.wait(job, timeout=280)
        check(results_of(client, job.id), {77}, "worker_crashed")
