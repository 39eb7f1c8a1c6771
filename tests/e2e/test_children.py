"""Two versions compared on one job, in the open and in the shadow, through a real stack."""

import dataclasses
import hashlib
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load as read_weights
from safetensors.numpy import save as write_weights

from jobs.base.bootstrap import Ground, open_ground
from jobs.base.settings import load_settings
from jobs.tables import ModelAlias, ModelShadow
from jobs.tenants.audit import OPERATOR
from jobs.versions.registry import register
from jobs.versions.shadows import get_shadow, set_shadow
from models.catalog import SHIPPED, shipped_weights
from models.runtime.registry import load
from pixelmill import NotFound
from tests.e2e.stacks import RunningStack, results_of, wait_for
from tests.e2e.whole.test_command_line import environ as environ
from tests.e2e.whole.test_command_line import run

RECORD = dataclasses.replace(SHIPPED["digits"], name="trial")
SHIPPED_WEIGHTS = shipped_weights("digits").read_bytes()


def with_noise(weights: bytes) -> bytes:
    """Weights of a version that answers differently now and then."""
    rng = np.random.default_rng(7)
    return write_weights(
        {
            name: (value + rng.normal(0, 0.7 * value.std(), value.shape)).astype(value.dtype)
            for name, value in sorted(read_weights(weights).items())
        }
    )


@pytest.fixture(scope="module")
def ground(stack: RunningStack) -> Iterator[Ground]:
    """The stack's ground, with two versions of a model of which the alias names the first."""
    opened = open_ground(
        load_settings(
            database_url=f"sqlite:///{stack.data / 'pixelmill.db'}",
            storage_url=(stack.data / "blobs").as_uri(),
        )
    )
    for weights in (SHIPPED_WEIGHTS, with_noise(SHIPPED_WEIGHTS)):
        digest = "sha256:" + hashlib.sha256(weights).hexdigest()
        register(opened.database, opened.storage, "trial", RECORD.to_json(), weights, digest)
    with opened.database.write() as session:
        session.add(ModelAlias(name="trial", alias="production", version=1, updated_at=0.0))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def expected(digits_folder: Path) -> Counter[tuple[str, str]]:
    """What both versions say of every digit, run directly."""
    files = [path.read_bytes() for path in sorted(digits_folder.iterdir())]
    params = {"top_k": 1, "min_confidence": 0.0}
    said = []
    for weights in (SHIPPED_WEIGHTS, with_noise(SHIPPED_WEIGHTS)):
        network = load(RECORD, weights)
        answers = network.postprocess(
            network.forward([network.prepare(file) for file in files]), params
        )
        said.append([answer[0]["class"] for answer in answers])
    return Counter(zip(*said, strict=True))


def test_a_rerun_tells_what_another_version_answers_differently(
    stack: RunningStack,
    ground: Ground,
    digits_folder: Path,
    expected: Counter[tuple[str, str]],
    environ: dict[str, str],
) -> None:
    same = sum(count for (one, other), count in expected.items() if one == other)
    assert 36 < same < 360, "the noise changes some answers and not all"
    with stack.client() as client:
        job = client.wait(client.submit(digits_folder, model="trial"), timeout=120)
        child = client.wait(client.rerun(job, "trial@2"), timeout=120)
        assert (child.kind, child.parent_id, child.succeeded) == ("rerun", job.id, True)
        comparison = client.comparison(child, wait=60)
        report, changes = comparison.report, list(client.changes(child))
        before, after = (results_of(client, each.id) for each in (job, child))
    assert report["items"]["compared"] == 360
    assert report["items"]["same"] == same
    assert comparison.agreement == pytest.approx(same / 360)
    found = {(pair["before"], pair["after"]): pair["count"] for pair in report["confusion"]}
    assert found == expected
    assert report["before"]["device_s_per_item"] > 0
    assert report["after"]["items_per_s"] > 0
    assert [change["index"] for change in changes] == [
        index
        for index in range(360)
        if before[index]["predictions"][0]["class"] != after[index]["predictions"][0]["class"]
    ]
    for change in changes:
        assert change["before"]["predictions"] == before[change["index"]]["predictions"]
        assert change["after"]["predictions"] == after[change["index"]]["predictions"]
    printed = run(environ, "compare", child.id)
    assert printed.returncode == 0, printed.stderr
    assert f"360 of 360 items compared: {same} the same" in printed.stdout
    again = run(environ, "rerun", job.id, "trial@1", "--wait")
    assert again.returncode == 0, again.stderr
    assert "360 the same, 0 changed" in again.stdout


def test_a_retry_from_the_command_line_runs_what_had_failed(
    stack: RunningStack, digits_folder: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    (tmp_path / "good.png").write_bytes(next(digits_folder.iterdir()).read_bytes())
    with stack.client() as client:
        job = client.wait(client.submit(tmp_path, model="digits"), timeout=60)
        assert (job.request_counts.completed, job.request_counts.failed) == (1, 1)
        done = run(environ, "retry", job.id, "--wait")
        assert done.returncode == 1, "it is broken still"
        (row,) = client.results(done.stdout.split()[0])
    assert (row.custom_id, row.index) == ("bad.png", 0)


def test_overlays_are_drawn_and_saved(
    stack: RunningStack, digits_folder: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    paths = sorted(digits_folder.iterdir())[:3]
    with stack.client() as client:
        job = client.wait(client.submit(paths, model="digits", overlays=True), timeout=60)
        drawn = Image.open(io.BytesIO(client.overlay(job, 2)))
        plain = client.wait(client.submit(paths, model="digits"), timeout=60)
        with pytest.raises(NotFound, match="`overlays`"):
            client.overlay(plain, 0)
    assert (drawn.format, drawn.size) == ("JPEG", (420, 420))
    saved = run(environ, "overlays", job.id, "-d", tmp_path / "pictures")
    assert saved.returncode == 0, saved.stderr
    assert len(list((tmp_path / "pictures").glob("*.jpg"))) == 3


def test_a_version_in_the_shadow_runs_unseen_and_its_figures_are_kept(
    stack: RunningStack, ground: Ground, digits_folder: Path, expected: Counter[tuple[str, str]]
) -> None:
    def figures() -> ModelShadow | None:
        with ground.database.read() as session:
            found = get_shadow(session, "trial", "production")
        return found if found.jobs else None

    set_shadow(ground.database, "trial", "production", 2, 100, OPERATOR)
    with stack.client() as client:
        job = client.wait(client.submit(digits_folder, model="trial"), timeout=120)
        seen = wait_for(figures, 90, "the shadow's figures")
        assert next(client.jobs()).id == job.id, "nobody sees the shadow"
        assert client.job(job.id).request_counts.completed == 360
    same = sum(count for (one, other), count in expected.items() if one == other)
    assert (seen.jobs, seen.compared, seen.same) == (1, 360, same)
    assert (seen.errored_before, seen.errored_after) == (0, 0)
    assert seen.device_after_s > 0
