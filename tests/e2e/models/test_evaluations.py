"""How good the shipped networks are on labelled pictures, as docs/models.md has it typed."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.answers.measures import Boxes, mean_average_precision, mean_iou
from models.measuring.evaluation import boxes_of, class_map_of
from models.pictures.data import encode, heldout_digits
from models.pictures.scenes import SCENE_SIZE, Scene, heldout_scenes
from pixelmill import Client, NotFound
from tests.e2e.stacks import RunningStack, results_of

SECTION = (Path(__file__).parents[3] / "docs" / "models.md").read_text()
SECTION = SECTION.partition("## How good is it on your pictures")[2].partition("\n## ")[0]
(COMMANDS,) = re.findall(r"```bash\n(.*?)```", SECTION, flags=re.DOTALL)


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return heldout_scenes(40)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, scenes: list[Scene]) -> Path:
    """A folder with `labelled/`, `boxes/` and `streets/`, as the document's reader has them."""
    folder = tmp_path_factory.mktemp("reader")
    for number, (image, label) in enumerate(zip(*heldout_digits(), strict=True)):
        path = folder / "labelled" / str(label) / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(image, ".png"))
    (folder / "labelled" / "7" / "broken.png").write_bytes(b"no picture")
    (folder / "boxes").mkdir()
    (folder / "streets" / "masks").mkdir(parents=True)
    for number, scene in enumerate(scenes):
        for kind in ("boxes", "streets"):
            (folder / kind / f"{number:03d}.png").write_bytes(encode(scene.image, ".png"))
        (folder / "streets" / "masks" / f"{number:03d}.png").write_bytes(encode(scene.mask, ".png"))
    (folder / "boxes" / "annotations.json").write_text(json.dumps(coco_of(scenes)))
    return folder


def coco_of(scenes: list[Scene]) -> dict[str, Any]:
    return {
        "images": [
            {"id": number, "file_name": f"{number:03d}.png"} for number in range(len(scenes))
        ],
        "categories": [{"id": digit + 1, "name": str(digit)} for digit in range(10)],
        "annotations": [
            {"image_id": number, "category_id": int(label) + 1, "bbox": sides_of(box)}
            for number, scene in enumerate(scenes)
            for box, label in zip(scene.boxes, scene.labels, strict=True)
        ],
    }


def sides_of(box: Any) -> list[float]:
    x1, y1, x2, y2 = map(float, box)
    return [x1, y1, x2 - x1, y2 - y1]


@pytest.fixture(scope="module")
def environ(stack: RunningStack) -> dict[str, str]:
    programs = str(Path(sys.executable).parent)
    plain = {name: value for name, value in os.environ.items() if "PIXELMILL" not in name}
    paths = {"PATH": f"{programs}:{os.environ['PATH']}", "PIXELMILL_DATA": str(stack.data)}
    return plain | paths


@pytest.fixture(scope="module")
def done(environ: dict[str, str], reader: Path) -> list["subprocess.CompletedProcess[str]"]:
    """Type the commands of the document, one after the other."""
    commands = COMMANDS.strip().splitlines()
    assert len(commands) == 3
    return [
        subprocess.run(
            ["bash", "-c", command], cwd=reader, env=environ, capture_output=True, text=True
        )
        for command in commands
    ]


def evaluated(client: Client, done: "subprocess.CompletedProcess[str]") -> Any:
    return client.evaluation(done.stdout.split()[0])


def test_a_classifier_is_as_good_as_whoever_counts_finds(
    stack: RunningStack, done: list["subprocess.CompletedProcess[str]"]
) -> None:
    assert done[0].returncode == 1, "one picture is broken"
    assert "digits@1 on 360 of 361 items, 1 failed" in done[0].stdout
    assert "failed: 7/broken.png" in done[0].stderr
    with stack.client() as client:
        found = evaluated(client, done[0])
        rows = results_of(client, found.job_id)
        card = client.model("digits").raw["evaluations"]
    pairs = [
        (row["custom_id"][0], row["predictions"][0]["class"]) for row in rows if row["predictions"]
    ]
    right = sum(true == told for true, told in pairs)
    assert (found.items, found.evaluated, found.failed) == (361, 360, 1)
    assert found.figures["accuracy"] == pytest.approx(right / 360)
    assert found.figures["accuracy"] > 0.98
    table = np.zeros((10, 10), int)
    for true, told in pairs:
        table[int(true), int(told)] += 1
    assert found.confusion["counts"] == table.tolist()
    assert found.unanswered[0]["custom_id"] == "7/broken.png"
    assert card[0]["job_id"] == found.job_id
    assert card[0]["value"] == found.figures["accuracy"]


def test_a_detector_has_the_average_precision_of_its_boxes(
    stack: RunningStack,
    done: list["subprocess.CompletedProcess[str]"],
    reader: Path,
    scenes: list[Scene],
) -> None:
    assert done[1].returncode == 0, done[1].stderr
    written = json.loads((reader / "boxes.json").read_text())
    with stack.client() as client:
        found = evaluated(client, done[1])
        boxes = [boxes_of(row["predictions"]) for row in results_of(client, found.job_id)]
    truth = [Boxes(each.boxes, each.labels, each.labels * 0 + 1.0) for each in scenes]
    for name, least in (("map_50", [0.5]), ("map_50_95", np.arange(50, 100, 5) / 100)):
        expected = np.mean([mean_average_precision(boxes, truth, each) for each in least])
        assert written["figures"][name] == pytest.approx(expected, abs=1e-3)
    assert written["figures"] == found.figures
    assert written["figures"]["map_50"] > 0.9
    assert sum(row["support"] for row in written["per_class"]) == sum(
        len(each.labels) for each in scenes
    )


def test_a_segmenter_has_the_iou_of_its_masks(
    stack: RunningStack, done: list["subprocess.CompletedProcess[str]"], scenes: list[Scene]
) -> None:
    assert done[2].returncode == 0, done[2].stderr
    size = (SCENE_SIZE, SCENE_SIZE)
    with stack.client() as client:
        found = evaluated(client, done[2])
        maps = [class_map_of(row["predictions"], size) for row in results_of(client, found.job_id)]
    expected = mean_iou(maps, [scene.mask for scene in scenes], 11)
    assert found.figures["miou"] == pytest.approx(expected)
    assert found.figures["miou"] > 0.8
    assert len(found.per_class) == 11, "the background is a class"


def test_what_cannot_be_evaluated_is_refused_in_one_line(
    environ: dict[str, str], reader: Path, tmp_path: Path
) -> None:
    (tmp_path / "seven").mkdir()
    (tmp_path / "seven" / "a.png").write_bytes(b"picture")
    (tmp_path / "empty").mkdir()
    for model, folder, words in (
        ("digits", tmp_path, "'seven' is no class of digits@1"),
        ("digits", tmp_path / "empty", "holds no image"),
        ("motion", reader / "labelled", "does video-classification, which is not evaluated"),
        ("scenes-detector", reader / "labelled", "has no COCO file"),
        ("scenes-segmenter", reader / "boxes", "has no folder masks"),
    ):
        refused = subprocess.run(
            [sys.executable, "-m", "pixelmill", "evaluate", model, folder],
            env=environ,
            capture_output=True,
            text=True,
        )
        assert refused.returncode == 2, refused.stderr
        assert words in refused.stderr
        assert len(refused.stderr.strip().splitlines()) == 1, refused.stderr


def test_a_deleted_evaluation_is_gone(
    stack: RunningStack, done: list["subprocess.CompletedProcess[str]"]
) -> None:
    with stack.client() as client:
        found = evaluated(client, done[2])
        client.delete(found.job_id)
        with pytest.raises(NotFound):
            client.evaluation(found.job_id)
        listed = client.version("scenes-segmenter", 1).raw["evaluations"]
    assert found.job_id not in {each["job_id"] for each in listed}
