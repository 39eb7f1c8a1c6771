"""Zero-shot classification as the documents show it, by command line and HTTP."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pixelmill import InvalidRequest
from tests.e2e.models import foreign
from tests.e2e.stacks import RunningStack, results_of
from tests.unit.models.huggingface.two_towers import LABELS, TASK, Towers, save

DOCUMENT = Path(__file__).parents[3] / "docs" / "models.md"
TEMPLATE = "a photo of {}"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return foreign.write_pictures(tmp_path_factory.mktemp("room") / "photos", 12)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> Towers:
    return save("clip", tmp_path_factory.mktemp("clip"), arrays(pictures))


def arrays(pictures: Path) -> list[np.ndarray]:
    return [np.array(each) for each in foreign.read_pictures(pictures)]


def check(rows: list[list[dict]], towers: Towers, pictures: Path, labels: list[str]) -> None:
    """Hold what was answered against transformers' pipeline."""
    for found, picture in zip(rows, arrays(pictures), strict=True):
        theirs = dict(zip(labels, towers.chances(picture, labels, TEMPLATE), strict=True))
        assert {each["class"]: each["confidence"] for each in found} == {
            name: pytest.approx(chance, abs=1e-3) for name, chance in theirs.items()
        }
        assert [each["class"] for each in found] == [labels[each["class_id"]] for each in found]


def test_a_job_is_answered_by_its_own_labels_as_transformers_answers(
    stack: RunningStack, clip: Towers, pictures: Path
) -> None:
    with stack.client() as client:
        model = client.push("my/pairs", clip.folder, task=TASK, wait=50)
        assert (model.state, model.task, model.raw["labels"]) == ("ready", TASK, [TASK])
        assert model.raw["params_schema"]["required"] == ["labels"]
        jobs = []
        for labels in (LABELS, LABELS[:2]):
            params = {"labels": labels, "template": TEMPLATE, "top_k": 5}
            job = client.submit(pictures, model=model.id, params=params, overlays=True)
            jobs.append(client.wait(job, timeout=120).check())
            rows = [row["predictions"] for row in results_of(client, job.id)]
            check(rows, clip, pictures, labels)
        with pytest.raises(InvalidRequest, match="twice") as caught:
            client.submit(pictures, model=model.id, params={"labels": ["a cat", "a cat"]})
        assert caught.value.param == "params.labels"
        again = client.wait(client.rerun(jobs[0], model.id), timeout=120).check()
        comparison = client.comparison(again, wait=60)
    assert comparison.agreement == 1.0
    pairs = comparison.report["confusion"]
    assert {pair["before"] for pair in pairs} <= set(LABELS)
    assert sum(pair["count"] for pair in pairs) == 12


def test_siglip_in_several_files_answers_as_transformers_answers(
    stack: RunningStack, pictures: Path, tmp_path: Path
) -> None:
    towers = save("siglip", tmp_path / "siglip", arrays(pictures))
    (towers.folder / "model.safetensors").unlink()
    towers.network.save_pretrained(towers.folder, max_shard_size="50KB")
    assert len(list(towers.folder.glob("*.safetensors"))) > 2
    with stack.client() as client:
        model = client.push("my/siglip", towers.folder, task=TASK, wait=50)
        assert model.state == "ready"
        params = {"labels": LABELS, "template": TEMPLATE, "top_k": 5}
        job = client.wait(client.submit(pictures, model=model.id, params=params), timeout=120)
        rows = [row["predictions"] for row in results_of(client, job.check().id)]
        # The same file once more is the same version.
        assert client.push("my/siglip", towers.folder, task=TASK, wait=50).id == model.id
    check(rows, towers, pictures, LABELS)


def test_the_documents_example_runs(
    stack: RunningStack, clip: Towers, pictures: Path, tmp_path: Path
) -> None:
    shutil.copytree(clip.folder, tmp_path / "clip")
    shutil.copytree(pictures, tmp_path / "photos")
    (example,) = re.findall(
        r"```bash\n(pixelmill push \S+ \S+ --task zero-shot.*?)```", DOCUMENT.read_text(), re.DOTALL
    )
    environ = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PIXELMILL_URL": stack.info["url"],
        "PIXELMILL_API_KEY": stack.info["api_key"],
    }
    done = subprocess.run(
        ["bash", "-e", "-c", example], cwd=tmp_path, env=environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    with (tmp_path / "labels.csv").open(newline="") as file:
        rows = [json.loads(row["predictions"]) for row in csv.DictReader(file)]
    check(rows, clip, pictures, ["a cat", "a dog"])


def test_a_broken_tokenizer_refuses_the_push_in_one_line(
    stack: RunningStack, clip: Towers, tmp_path: Path
) -> None:
    folder = shutil.copytree(clip.folder, tmp_path / "clip")
    (folder / "tokenizer.json").write_text('{"model": {"type": "BPE", "vocab": 3}}')
    with stack.client() as client:
        with pytest.raises(InvalidRequest, match=r"tokenizer\.json cannot be used") as caught:
            client.push("my/broken", folder, task=TASK, wait=50)
        assert "\n" not in str(caught.value)
        assert "my/broken" not in [each.name for each in client.models()]
