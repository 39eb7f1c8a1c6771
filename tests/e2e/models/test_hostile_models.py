"""Jobs go on beside hostile model files, and a job on a stranger's model beside a killed worker."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from models.catalog import SHIPPED
from pixelmill import Client, Conflict, Job, NotFound
from tests.e2e.conftest import many_digits_zip
from tests.e2e.models import foreign
from tests.e2e.stacks import RunningStack, results_of, running_stack, wait_for
from tests.integration.workers.walls.hostile_models import TABLE
from tests.model_files.posting import refusal_of
from tests.model_files.weights_files import RECORD, noisy_digits

ITEMS = 5000
PACED = RECORD | {
    "architecture": "e2e/paced",
    "task": "classification",
    "preprocess": SHIPPED["digits"].to_json()["preprocess"],
    "max_batch": 32,
    "shard_items": 50,
}
# Where the API says it before a worker looks at it, other words than in the table.
SAID_AT_ONCE = {"text named .onnx": "a text", "pickle": "pickle", "noise": "unknown"}
FILES = (
    "text named .onnx",
    "pickle",
    "noise",
    "cut short at 60 %",
    "external absolute path",
    "external in a branch",
    "custom operator",
    "functions that double 25 times",
    "logarithm of a black picture",
    "ConstantOfShape of 2^40",
    "loop that doubles what it holds",
    "external initializer",
    "external path upwards",
    "external address",
    "external in an attribute",
    "external in a loop",
    "external in a sparse tensor",
    "external in a function",
    "address in memory",
    "path in an attribute",
    "operator of onnxruntime",
    "custom operator in a branch",
    "unknown standard operator",
    "function that calls itself",
    "functions that call each other",
    "functions that double 60 times",
    "chain of 100 functions",
    "2,000 functions",
    "graphs 10 deep",
    "input of 30 gigapixels",
    "negative size of an input",
    "shape larger than its bytes",
    "shape smaller than its bytes",
    "negative shape",
    "no graph",
    "cycle",
    "opset 9999",
    "kernel for other channels",
    "matrices that do not fit",
    "weights that are NaN",
)

# A heavy network of another source, and pictures of it.
SIDE, LAYERS, CHANNELS = 64, 3, 32
HEAVY_ITEMS = 1000


@pytest.fixture(scope="module")
def harmed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack of its own, for its worker is killed; the paced network runs in one lane."""
    extension = {"PIXELMILL_EXTENSIONS": "tests.e2e.models.networks", "PIXELMILL_LANES": "1"}
    with running_stack(tmp_path_factory.mktemp("harmed"), **extension) as running:
        yield running


def rows_of(client: Client, job: Job, count: int) -> list[dict[str, Any]]:
    """Wait for a job, and give its rows: one for each item."""
    client.wait(job, timeout=180).check()
    rows = results_of(client, job.id)
    assert [row["index"] for row in rows] == list(range(count))
    return rows


def first_class(row: dict[str, Any]) -> str:
    return str(row["predictions"][0]["class"])


def test_a_job_on_an_onnx_model_survives_the_death_of_its_worker(
    harmed: RunningStack, tmp_path: Path, digits_folder: Path
) -> None:
    seen, path = foreign.read_pictures(digits_folder), tmp_path / "heavy.onnx"
    network = foreign.conv_network(SIDE, LAYERS, CHANNELS, seen[:40])
    path.write_bytes(foreign.exported(network, (SIDE, SIDE)))
    expected = foreign.onnx_chances(path.read_bytes(), seen, SIDE)
    assert len(set(expected.argmax(1).tolist())) == len(foreign.LABELS)
    pictures = many_digits_zip(tmp_path / "digits.zip", HEAVY_ITEMS)
    with harmed.client() as client:
        record = {"labels": foreign.LABELS, "shard_items": 50}
        model = client.push("my/heavy", path, record, scale="imagenet", wait=50)
        job = client.submit(pictures, model=model.id)
        wait_for(lambda: client.job(job).request_counts.finished, 120, "the job to run")
        killed = harmed.kill("worker-0")
        assert not client.job(job).is_terminal, "it was killed in the middle of the job"
        rows = rows_of(client, job, HEAVY_ITEMS)
        assert harmed.pids["worker-0"] != killed
    for row in rows:
        chances, first = expected[row["index"] % len(seen)], row["predictions"][0]
        best = pytest.approx(float(chances.max()), abs=1e-3)
        assert (first["confidence"], float(chances[first["class_id"]])) == (best, best)


def test_hostile_files_are_refused_while_a_job_runs_and_it_does_not_notice(
    harmed: RunningStack, tmp_path: Path, digits_folder: Path
) -> None:
    weights = tmp_path / "digits.safetensors"
    weights.write_bytes(noisy_digits(1))
    pictures = many_digits_zip(tmp_path / "digits.zip", ITEMS)
    one = next(digits_folder.iterdir())

    def refusal(name: str) -> str:
        return refusal_of(harmed, f"my/hostile-{FILES.index(name)}", TABLE[name][0]())

    with harmed.client() as client:
        quiet = client.submit(digits_folder, model="digits")
        expected = [first_class(row) for row in rows_of(client, quiet, 360)]
        assert client.push("paced", weights, PACED, wait=50).state == "ready"
        worker, answers = harmed.pids["worker-0"], list[list[str]]()
        with ThreadPoolExecutor(3) as senders:
            refusals = [senders.submit(refusal, name) for name in FILES]
            # One job after the other runs until all files are refused.
            while not all(each.done() for each in refusals):
                job = client.submit(pictures, model="paced")
                answers.append(list(map(first_class, rows_of(client, job, ITEMS))))
            told = dict(zip(FILES, (each.result() for each in refusals), strict=True))
        for number in range(len(FILES)):
            with pytest.raises((NotFound, Conflict)):
                client.submit([one], model=f"my/hostile-{number}")
        assert harmed.pids["worker-0"] == worker, "the worker went on"
    for name, message in told.items():
        assert "\n" not in message
        assert re.search(SAID_AT_ONCE.get(name, TABLE[name][1]), message), message
    wanted = [expected[index % len(expected)] for index in range(ITEMS)]
    assert all(each == wanted for each in answers)
