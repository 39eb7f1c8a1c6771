"""Networks with a `prepare` and a `postprocess` of their own, and with neither."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from models.contracts import check_params
from models.extensions import Architecture, Placement, Sample
from models.media.pictures import Picture
from models.runtime.network import ImageNetwork, OwnNetwork
from tests.model_files.own_modules import Means, NewModule, boxes, classes, prepare
from tests.unit.models.extensions.own_networks import CROPPED, GOOD, LETTERBOX, PICTURES, SCALE, own


def answers(network: ImageNetwork, **params: Any) -> list[Any]:
    outputs = network.forward([network.prepare(data) for data in PICTURES])
    checked = check_params(network.record.task, params)
    together = network.postprocess(outputs, checked)
    one_by_one = [
        network.postprocess(outputs[place : place + 1], checked)[0]
        for place in range(len(PICTURES))
    ]
    assert together == one_by_one
    return together


def test_without_functions_of_its_own_it_is_pixelmills_task(new_module: NewModule) -> None:
    says = Architecture(build=Means, task="classification", preprocess=CROPPED)
    assert type(own(new_module, says)) is ImageNetwork


def test_what_prepare_gives_comes_to_forward_and_nothing_else_is_done(
    new_module: NewModule,
) -> None:
    came: list[torch.Tensor] = []

    class Noting(Means):
        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            came.append(pictures)
            return super().forward(pictures)

    says = Architecture(build=Noting, task="classification", preprocess=CROPPED, prepare=prepare)
    network = own(new_module, says)
    samples = [network.prepare(data) for data in PICTURES]
    network.forward(samples)
    pixels = torch.stack([sample.pixels for sample in samples])
    assert torch.equal(came[-1], pixels / 255)
    assert came[-1].dtype == torch.float32
    assert [len(each) for each in answers(network, top_k=5)] == [2] * 4


def test_samples_of_several_shapes_run_in_batches_of_their_own(new_module: NewModule) -> None:
    def whole(_record: Any, picture: Picture) -> Sample:
        pixels = torch.from_numpy(picture.pixels.copy()).permute(2, 0, 1).float() / 255
        return Sample(pixels, picture.height, picture.width)

    says = Architecture(build=Means, task="classification", preprocess=SCALE, prepare=whole)
    network = own(new_module, says)
    samples = [network.prepare(data) for data in PICTURES]
    together = network.forward(samples)
    assert isinstance(together, torch.Tensor)
    for place, sample in enumerate(samples):
        assert torch.allclose(network.forward([sample])[0], together[place], atol=1e-5)


@pytest.mark.parametrize("task", ["classification", "detection"])
@pytest.mark.parametrize("preprocess", [CROPPED, LETTERBOX, {"fixed": [8, 8], **SCALE}])
def test_a_postprocess_of_its_own_goes_with_every_preprocessing(
    new_module: NewModule, task: str, preprocess: dict[str, Any]
) -> None:
    post = classes if task == "classification" else boxes
    says = Architecture(build=Means, task=task, preprocess=preprocess, postprocess=post)
    network = own(new_module, says)
    assert isinstance(network, OwnNetwork)
    network.warm_up()
    least = {"min_confidence": 0.0}
    found = answers(network, **(least | ({"top_k": 2} if task == "classification" else {})))
    assert [len(each) for each in found] == [2] * 4
    for each in found:
        assert each[0]["confidence"] >= each[1]["confidence"]


def test_a_letterbox_is_a_records_choice_for_classifiers_too(new_module: NewModule) -> None:
    says = Architecture(build=Means, task="classification", preprocess=LETTERBOX)
    network = own(new_module, says)
    sample = network.prepare(PICTURES[0])
    assert sample.pixels.shape == (3, 16, 16)
    assert sample.inside == Placement(top=2, left=0, height=11, width=16)
    assert len(answers(network)) == 4


def test_boxes_are_moved_from_a_letterbox_to_the_original(new_module: NewModule) -> None:
    def corners(record: Any, _row: Any, seen: Any, _params: Any) -> list[dict[str, Any]]:
        place = seen.inside
        inner = [place.left, place.top, place.left + place.width, place.top + place.height]
        x, y, right, bottom = seen.in_original(torch.tensor([inner]).float())[0].tolist()
        box = {"x": x, "y": y, "width": right - x, "height": bottom - y}
        return [{"class": "a", "class_id": 0, "confidence": 1.0, "box": box}]

    says = Architecture(build=Means, task="detection", preprocess=LETTERBOX, postprocess=corners)
    found = answers(own(new_module, says))
    sizes = [side for each in found for side in (each[0]["box"]["width"], each[0]["box"]["height"])]
    assert sizes == pytest.approx([30, 20, 20, 30, 1, 1, 64, 9], rel=1e-5)


class Several(Means):
    """Gives what it is told to: a tuple, a dict or a list."""

    form = "tuple"

    def forward(self, pictures: torch.Tensor) -> Any:
        rows = super().forward(pictures)
        if self.form == "tuple":
            return rows, rows.argmax(1)
        if self.form == "dict":
            return {"rows": rows, "best": rows.argmax(1)}
        return [{"rows": row, "best": row.argmax()} for row in rows]


@pytest.mark.parametrize("form", ["tuple", "dict", "list"])
def test_what_forward_gives_is_cut_into_what_it_gave_for_each_picture(
    new_module: NewModule, form: str
) -> None:
    def best(record: Any, output: Any, _seen: Any, _params: Any) -> list[dict[str, Any]]:
        given = output.values() if isinstance(output, Mapping) else output
        row, number = given
        assert (row.shape, number.shape) == ((2,), ())
        place = int(number)
        return [{"class": record.labels[place], "class_id": place, "confidence": 0.5}]

    kind = type("Formed", (Several,), {"form": form})
    says = Architecture(build=kind, task="classification", preprocess=CROPPED, postprocess=best)
    assert [len(each) for each in answers(own(new_module, says))] == [1] * 4


class Detector(nn.Module):
    """Gives what torchvision's detectors give: one object in the upper left."""

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.score = nn.Parameter(torch.tensor([0.75]))

    def forward(self, pictures: torch.Tensor) -> list[dict[str, torch.Tensor]]:
        box = torch.tensor([[0.0, 0.0, 4.0, 4.0]])
        one = {"boxes": box, "scores": self.score, "labels": torch.tensor([1])}
        return [one] * len(pictures)


def test_a_prepare_of_its_own_goes_before_pixelmills_detection(new_module: NewModule) -> None:
    def halved(_record: Any, picture: Picture) -> Sample:
        pixels = torch.from_numpy(picture.pixels[::2, ::2].copy()).permute(2, 0, 1)
        return Sample(pixels, picture.height, picture.width)

    says = Architecture(build=Detector, task="detection", preprocess=SCALE, prepare=halved)
    found = answers(own(new_module, says))[0]
    assert [(each["class"], each["confidence"]) for each in found] == [("b", 0.75)]
    assert found[0]["box"] == {"x": 0, "y": 0, "width": 8, "height": 8}


class Layered(nn.Module):
    """Scores the first of two classes everywhere."""

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.tensor([3.0, 0.0]))

    def forward(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"out": self.bias[None, :, None, None] + 0 * pictures[:, :1]}


def test_a_prepare_of_its_own_goes_before_pixelmills_segmentation(new_module: NewModule) -> None:
    says = Architecture(build=Layered, task="segmentation", preprocess=SCALE, prepare=prepare)
    for each, area in zip(answers(own(new_module, says)), (600, 600, 1, 576), strict=True):
        assert [(one["class"], one["area"]) for one in each] == [("a", area)]


def vector(_record: Any, row: torch.Tensor, _seen: Any, _params: Any) -> list[dict[str, Any]]:
    return [{"embedding": [3.0, 4.0]}]


def test_vectors_are_scaled_as_the_parameters_say(new_module: NewModule) -> None:
    says = Architecture(build=Means, task="embedding", preprocess=CROPPED, postprocess=vector)
    network = own(new_module, says)
    assert answers(network)[0] == [{"embedding": [0.6, 0.8]}]
    assert answers(network, normalize=False)[0] == [{"embedding": [3.0, 4.0]}]


def test_parameters_hold_whatever_is_found(new_module: NewModule) -> None:
    box = {"x": 0.0, "y": 0.0, "width": 10.0, "height": 10.0}
    near = box | {"x": 1.0}
    told = [("a", 0.2, box), ("b", 0.6, box), ("a", 0.9, box), ("a", 0.8, near)]

    def several(record: Any, _row: Any, _seen: Any, _params: Any) -> list[dict[str, Any]]:
        return [
            {"class": name, "class_id": "ab".index(name), "confidence": sure, "box": where}
            for name, sure, where in told
        ]

    says = Architecture(build=Means, task="detection", preprocess=LETTERBOX, postprocess=several)
    network = own(new_module, says)

    def sure(**params: Any) -> list[float]:
        return [each["confidence"] for each in answers(network, **params)[0]]

    assert sure() == [0.9, 0.8, 0.6]
    assert sure(min_confidence=0.1) == [0.9, 0.8, 0.6, 0.2]
    assert sure(classes=["b"]) == [0.6]
    assert sure(nms_iou=0.5) == [0.9, 0.6]
    assert sure(max_detections=1) == [0.9]


@pytest.mark.parametrize("number", [torch.tensor(0.1), float(torch.tensor(0.1)), np.float64(0.1)])
def test_numbers_are_plain_and_have_the_digits_of_a_float32(
    new_module: NewModule, number: Any
) -> None:
    def sure(record: Any, _row: Any, _seen: Any, _params: Any) -> list[dict[str, Any]]:
        return [GOOD | {"confidence": number}]

    says = Architecture(build=Means, task="classification", preprocess=CROPPED, postprocess=sure)
    assert repr(answers(own(new_module, says))[0][0]["confidence"]) == "0.1"
