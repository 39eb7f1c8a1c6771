"""What other programs make of our files: their own code reads them, not ours."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.base.bootstrap import Ground
from jobs.tenants.keys import NewKey
from tests.environments import python_with, run
from tests.integration.api.callers import Caller
from tests.integration.api.forms.answered import BROKEN, Answer, box, mask, read, run_job
from tests.integration.api.forms.test_coco import ODD, SHAPE

pytestmark = pytest.mark.deep

LABEL_STUDIO = ("label-studio-sdk==2.1.2",)
FIFTYONE = ("fiftyone==1.22.1", "pycocotools==2.0.11")
# The interfaces of docs/results.md.
_RECTANGLES = """
<View><Image name="image" value="$image"/>
  <RectangleLabels name="label" toName="image"><Label value="cat"/><Label value="dog"/>
</RectangleLabels></View>"""
INTERFACES = {
    "detection": _RECTANGLES,
    "segmentation": _RECTANGLES.replace("RectangleLabels", "BrushLabels"),
    "classification": """
<View><Image name="image" value="$image"/>
  <Choices name="choice" toName="image"><Choice value="cat"/><Choice value="dog"/></Choices>
</View>""",
    "video-classification": """
<View><Video name="video" value="$video"/>
  <Choices name="choice" toName="video"><Choice value="cat"/><Choice value="dog"/></Choices>
</View>""",
}
DOG = {"class": "dog", "class_id": 1, "confidence": 0.9}
ANSWERS: dict[str, Any] = {
    "detection": [box("dog", 1, 64, 48, 320, 240), box("cat", 0, -64, 0, 128, 960)],
    "segmentation": [mask("dog", 1, SHAPE), mask("cat", 0, ~SHAPE)],
    "classification": [DOG, {"class": "cat", "class_id": 0, "confidence": 0.1}],
    "video-classification": [{**DOG, "segments": [], "clips": []}],
}
# Holds each prediction against the interface as an import does, and decodes brushes.
_CHECK = """
import json, sys
from label_studio_sdk.converter.brush import decode_rle
from label_studio_sdk.label_interface import LabelInterface
interface = LabelInterface(open("interface.xml").read())
interface.validate()
told = []
for task in json.load(open("tasks.json")):
    assert all(task["data"][each.value_name] for each in interface.objects), task
    for prediction in task["predictions"]:
        faults = interface.validate_prediction(prediction, return_errors=True)
        assert not faults, faults
        rles = [each["value"].get("rle") for each in prediction["result"]]
        told.append([decode_rle(rle).tolist() if rle else None for rle in rles])
print(json.dumps(told))
"""


@pytest.mark.parametrize("task", INTERFACES)
def test_label_studios_own_code_takes_our_tasks(
    caller: Caller, ground: Ground, tenant: NewKey, tmp_path: Path, task: str
) -> None:
    python = python_with(*LABEL_STUDIO)
    fps = 25.0 if task.startswith("video") else None
    size = (8, 5) if task == "segmentation" else (640, 480)
    answers = [Answer(ODD, ANSWERS[task], size, fps=fps), Answer("broken.jpg", BROKEN)]
    job = run_job(ground, tenant, task, answers)
    (tmp_path / "tasks.json").write_bytes(read(caller, job, "label-studio"))
    (tmp_path / "interface.xml").write_text(INTERFACES[task])
    told = json.loads(run(python, "-c", _CHECK, folder=tmp_path))
    assert sum(map(len, told)) == len(ANSWERS[task])
    if task == "segmentation":
        for flat, shape in zip(told[0], (SHAPE, ~SHAPE), strict=True):
            pixels = np.array(flat, np.uint8).reshape(*SHAPE.shape, 4)[:, :, 3]
            assert (pixels == np.where(shape, 255, 0)).all()


# Without its database, which an importer does not need.
_IMPORT = """
import json
from fiftyone.utils.coco import COCODetectionDatasetImporter
importer = COCODetectionDatasetImporter(
    data_path="photos", labels_path="found.coco.json", label_types=["detections", "segmentations"]
)
told = {}
with importer:
    for path, metadata, found in importer:
        labels = found if isinstance(found, dict) else {"detections": found}
        told[path.split("photos/")[1]] = {
            "size": [metadata.width, metadata.height],
            **{kind: [
                [each.label, each.confidence, each.bounding_box,
                 None if each.mask is None else each.mask.astype(int).tolist()]
                for each in (shown.detections if shown else [])
            ] for kind, shown in (labels or {}).items()},
        }
print(json.dumps(told))
"""


def imported(caller: Caller, job: str, folder: Path, names: list[str]) -> dict[str, Any]:
    for name in names:
        path = folder / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"picture")
    (folder / "found.coco.json").write_bytes(read(caller, job, "coco"))
    told: dict[str, Any] = json.loads(run(python_with(*FIFTYONE), "-c", _IMPORT, folder=folder))
    return told


def test_fiftyones_importer_reads_our_boxes(
    caller: Caller, ground: Ground, tenant: NewKey, tmp_path: Path
) -> None:
    answers = [Answer(ODD, ANSWERS["detection"][:1]), Answer("empty.jpg", []), Answer("c", BROKEN)]
    job = run_job(ground, tenant, "detection", answers)
    told = imported(caller, job, tmp_path, [ODD, "empty.jpg"])
    assert told[ODD]["size"] == [640, 480]
    assert told[ODD]["detections"] == [["dog", 0.75, [0.1, 0.1, 0.5, 0.5], None]]
    assert told["empty.jpg"].get("detections", []) == []


def test_fiftyones_importer_reads_our_masks(
    caller: Caller, ground: Ground, tenant: NewKey, tmp_path: Path
) -> None:
    job = run_job(
        ground, tenant, "segmentation", [Answer("a.png", [mask("dog", 1, SHAPE)], (8, 5))]
    )
    told = imported(caller, job, tmp_path, ["a.png"])["a.png"]
    ((name, _, place, pixels),) = told["segmentations"]
    assert (name, place) == ("dog", [2 / 8, 1 / 5, 5 / 8, 3 / 5])
    assert (np.array(pixels) == SHAPE[1:4, 2:7]).all()
