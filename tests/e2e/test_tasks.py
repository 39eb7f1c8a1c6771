"""Detection and segmentation through HTTP: the answers that the networks give directly."""

from pathlib import Path
from typing import Any

import pytest

from models.answers.measures import Boxes, mean_average_precision, mean_iou
from models.catalog import SHIPPED, check_params, shipped_weights
from models.measuring.evaluation import boxes_of, class_map_of
from models.pictures.data import encode
from models.pictures.scenes import Scene, heldout_scenes
from models.runtime.registry import load
from pixelmill import InvalidRequest
from tests.e2e.stacks import RunningStack, results_of


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return heldout_scenes(80)


@pytest.fixture(scope="module")
def folder(scenes: list[Scene], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scenes as PNG files, in their order."""
    made = tmp_path_factory.mktemp("scenes")
    for number, scene in enumerate(scenes):
        (made / f"{number:03d}.png").write_bytes(encode(scene.image, ".png"))
    return made


def directly(name: str, folder: Path, params: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """What the network says of each file, one by one."""
    network = load(SHIPPED[name], shipped_weights(name).read_bytes())
    checked = check_params(network.record.task, params, network.record.labels)
    return [
        network.postprocess(network.forward([network.prepare(path.read_bytes())]), checked)[0]
        for path in sorted(folder.iterdir())
    ]


def through_http(
    stack: RunningStack, name: str, folder: Path, params: dict[str, Any]
) -> list[list[dict[str, Any]]]:
    with stack.client() as client:
        job = client.wait(client.submit(folder, model=name, params=params), timeout=120)
        assert (job.status, job.outcome) == ("completed", "succeeded")
        rows = results_of(client, job.id)
    assert [row["custom_id"] for row in rows] == [path.name for path in sorted(folder.iterdir())]
    return [row["predictions"] for row in rows]


def test_a_job_finds_the_boxes_that_the_detector_finds(
    stack: RunningStack, folder: Path, scenes: list[Scene]
) -> None:
    params = {"min_confidence": 0.1, "nms_iou": 0.4, "max_detections": 50}
    found = through_http(stack, "scenes-detector", folder, params)
    for mine, theirs in zip(found, directly("scenes-detector", folder, params), strict=True):
        assert [each["class"] for each in mine] == [each["class"] for each in theirs]
        for one, other in zip(mine, theirs, strict=True):
            assert one["confidence"] == pytest.approx(other["confidence"], abs=1e-4)
            assert one["box"] == pytest.approx(other["box"], abs=0.01)
    truth = [Boxes(each.boxes, each.labels, each.labels * 0 + 1.0) for each in scenes]
    assert mean_average_precision([boxes_of(each) for each in found], truth) > 0.9


def test_a_job_finds_the_masks_that_the_segmenter_finds(
    stack: RunningStack, folder: Path, scenes: list[Scene]
) -> None:
    found = through_http(stack, "scenes-segmenter", folder, {})
    maps = [class_map_of(each, (96, 96)) for each in found]
    expected = [class_map_of(each, (96, 96)) for each in directly("scenes-segmenter", folder, {})]
    equal = sum((mine == theirs).sum() for mine, theirs in zip(maps, expected, strict=True))
    assert equal >= 0.9999 * 96 * 96 * len(scenes)
    assert mean_iou(maps, [scene.mask for scene in scenes], 11) > 0.8


def test_a_class_that_the_model_does_not_know_is_refused_at_submission(
    stack: RunningStack, folder: Path
) -> None:
    with stack.client() as client, pytest.raises(InvalidRequest, match="'cat'"):
        client.submit(folder, model="scenes-detector", params={"classes": ["cat"]})


def test_the_models_tell_their_parameters_and_results(stack: RunningStack) -> None:
    with stack.client() as client:
        models = {each.name: each.raw for each in client.models()}
    for name, property_ in (("scenes-detector", "box"), ("scenes-segmenter", "mask")):
        assert "classes" in models[name]["params_schema"]["properties"]
        assert property_ in models[name]["result_schema"]["items"]["required"]
