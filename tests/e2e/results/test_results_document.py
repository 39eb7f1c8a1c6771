"""Every example of docs/results.md works as it stands, and real networks' answers are right."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from api.results.forms.table import FORMS
from jobs.results.segments import SCHEMA
from models.pictures.data import encode
from models.pictures.scenes import SCENE_SIZE, Scene, heldout_scenes
from pixelmill import Job
from tests.documents import Example, examples
from tests.e2e.stacks import RunningStack

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs" / "results.md").read_text()
EXAMPLES = examples(DOCUMENT)


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return heldout_scenes(24)


@pytest.fixture(scope="module")
def archive(scenes: list[Scene], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes with names that are hard to write, and a file that is no picture among them."""
    path = tmp_path_factory.mktemp("scenes") / "scenes.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr('0, "ä".png', b"no picture")
        for number, scene in enumerate(scenes):
            made.writestr(f"Bild {number:02d}, 犬/a.png", encode(scene.image, ".png"))
    return path


def run_job(stack: RunningStack, archive: Path, model: str) -> Job:
    with stack.client() as client:
        job = client.wait(client.submit(archive, model=model), timeout=120)
    assert (job.status, job.outcome) == ("completed", "partial")
    return job


@pytest.fixture(scope="module")
def job(stack: RunningStack, archive: Path) -> Job:
    return run_job(stack, archive, "scenes-detector")


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reader")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.place)
def test_an_example_works(stack: RunningStack, job: Job, reader: Path, example: Example) -> None:
    text = example.text.replace("JOB", job.id).replace("DATA", repr(str(stack.data)))
    if example.language == "xml":
        assert ElementTree.fromstring(text).find("Image") is not None
        return
    if example.language == "json":
        url, key = stack.info["url"], stack.info["api_key"]
        with httpx.Client(headers={"Authorization": f"Bearer {key}"}, trust_env=False) as client:
            said = client.get(f"{url}/v1/jobs/{job.id}/summary").raise_for_status().json()
        assert said.keys() == json.loads(text).keys()
        return
    command = {"bash": ["bash", "-euc"], "python": [sys.executable, "-c"]}[example.language]
    programs = str(Path(sys.executable).parent)
    environ = os.environ | {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PIXELMILL_URL": stack.info["url"],
        "PIXELMILL_API_KEY": stack.info["api_key"],
    }
    text = text.replace("curl ", "curl --silent --fail ")
    done = subprocess.run(
        [*command, text], cwd=reader, env=environ, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    if example.language == "python":
        assert done.stdout
    for name in [word for word in text.split() if word.startswith(("found.", "tasks.", "curl."))]:
        assert (reader / name).stat().st_size > 100


def test_the_table_has_every_form_and_the_list_every_column() -> None:
    told = {line.split("`")[1] for line in DOCUMENT.splitlines() if line.startswith("| `")}
    assert {"json", *FORMS} - told == set()
    columns = DOCUMENT[DOCUMENT.index("| column |") :]
    assert [name for name in SCHEMA.names if f"`{name}`" not in columns] == []


def test_boxes_in_coco_are_where_the_digits_are(
    stack: RunningStack, job: Job, scenes: list[Scene]
) -> None:
    with stack.client() as client:
        found = coco_of(client.results(job).to_coco())
    assert [each["index"] for each in found.dataset["left_out"]] == [0]
    true: list[dict[str, Any]] = []
    for number, scene in enumerate(scenes, start=1):
        for (left, top, right, bottom), label in zip(scene.boxes, scene.labels, strict=True):
            size = [float(right - left), float(bottom - top)]
            true.append(
                {
                    "id": len(true) + 1, "image_id": number, "category_id": int(label),
                    "bbox": [float(left), float(top), *size], "area": size[0] * size[1],
                    "iscrowd": 0,
                }
            )  # fmt: skip
    truth = coco_of({**found.dataset, "annotations": true})
    measured = COCOeval(truth, truth.loadRes(found.dataset["annotations"]), "bbox")
    measured.evaluate()
    measured.accumulate()
    measured.summarize()
    assert measured.stats[1] > 0.8


def test_masks_in_coco_lie_on_the_ink(
    stack: RunningStack, archive: Path, scenes: list[Scene]
) -> None:
    with stack.client() as client:
        coco = coco_of(client.results(run_job(stack, archive, "scenes-segmenter")).to_coco())
    for number, scene in enumerate(scenes, start=1):
        found = np.zeros((SCENE_SIZE, SCENE_SIZE), int)
        for each in coco.loadAnns(coco.getAnnIds(imgIds=[number])):
            found[coco.annToMask(each) == 1] = each["category_id"]
        ink = scene.mask > 0
        assert (found[ink] == scene.mask[ink]).mean() > 0.6
        # Turned round its diagonal it would lie beside it.
        assert (found[ink] > 0).mean() > (found.T[ink] > 0).mean() + 0.2


def coco_of(value: dict[str, Any]) -> COCO:
    coco = COCO()
    coco.dataset = json.loads(json.dumps(value))
    coco.createIndex()
    return coco
