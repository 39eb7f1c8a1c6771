"""What an operator's own task does wrong is told in one line."""

from typing import Any

import numpy as np
import pytest
import torch

from models.contracts import check_params
from models.extensions import Architecture, Sample
from models.records.errors import ExtensionFailed, ImageTooLarge, RecordError, WeightsError
from tests.model_files.own_modules import Means, NewModule, classes, prepare
from tests.unit.models.extensions.own_networks import CROPPED, GOOD, LETTERBOX, PICTURES, own

WHERE = {"x": 0.0, "y": 0.0, "width": 1.0, "height": 1.0}


@pytest.mark.parametrize(
    ("task", "given", "words"),
    [
        ("classification", None, ["None", "a list of predictions"]),
        ("classification", GOOD, ["a dict", "a list of predictions"]),
        ("classification", ["a"], ["prediction 0", "a str", "a dict"]),
        ("classification", [GOOD | {"confidence": 1.5}], ["`confidence`", "1.5"]),
        ("classification", [GOOD | {"confidence": float("nan")}], ["`confidence`", "nan"]),
        ("classification", [GOOD | {"confidence": torch.ones(2)}], ["`confidence`", "tensor"]),
        ("classification", [GOOD | {"class_id": np.int64(0)}], ["`class_id`", "integer"]),
        ("classification", [GOOD, GOOD | {"class_id": 2}], ["prediction 1", "2 labels"]),
        ("classification", [GOOD | {"class": "b"}], ["'b'", "label 0 is 'a'"]),
        ("classification", [GOOD | {"score": 1}], ["`score`", "leave it out"]),
        ("classification", [{"class": "a", "class_id": 0}], ["`confidence`", "required"]),
        ("detection", [GOOD], ["`box`"]),
        ("detection", [GOOD | {"box": WHERE | {"width": -1.0}}], ["`box.width`"]),
        ("detection", [GOOD | {"box": WHERE | {"x": float("inf")}}], ["`box`", "inf"]),
        ("detection", [GOOD | {"box": WHERE | {"angle": 3}}], ["`angle`"]),
        ("embedding", [{"embedding": [0.0, float("nan")]}], ["`embedding`", "nan"]),
        (
            "segmentation",
            [GOOD | {"area": 1, "mask": {"size": [2, 2], "counts": "04"}}],
            ["`mask.size`", "[20, 30]"],
        ),
    ],
)
def test_predictions_outside_the_contract_are_told_in_one_line(
    new_module: NewModule, task: str, given: Any, words: list[str]
) -> None:
    preprocess = CROPPED if task in ("classification", "embedding") else LETTERBOX
    says = Architecture(build=Means, task=task, preprocess=preprocess, postprocess=lambda *_: given)
    network = own(new_module, says)
    outputs = network.forward([network.prepare(PICTURES[0])])
    with pytest.raises(ExtensionFailed) as raised:
        network.postprocess(outputs, check_params(task, {}))
    said = str(raised.value)
    for word in ("'own/net' of the extension 'mine'", f"the contract of {task}", *words):
        assert word in said
    assert "\n" not in said
    with pytest.raises(ExtensionFailed):
        network.warm_up()


def test_what_a_function_raises_names_module_and_architecture(new_module: NewModule) -> None:
    def fail(*_: Any) -> Any:
        raise KeyError("size\nof it")

    says = Architecture(build=Means, task="classification", preprocess=CROPPED, postprocess=fail)
    network = own(new_module, says)
    outputs = network.forward([network.prepare(PICTURES[0])])
    named = r"'own/net' of the extension 'mine' failed in `postprocess`: KeyError"
    with pytest.raises(ExtensionFailed, match=named):
        network.postprocess(outputs, check_params("classification", {}))
    says = Architecture(build=Means, task="classification", preprocess=CROPPED, prepare=fail)
    with pytest.raises(ExtensionFailed, match=r"'own/net'.*`prepare`: KeyError"):
        own(new_module, says).prepare(PICTURES[0])


def test_a_picture_may_be_refused_and_a_sample_must_be_one(new_module: NewModule) -> None:
    def refuse(*_: Any) -> Any:
        raise ImageTooLarge("Send a smaller one.")

    says = Architecture(build=Means, task="classification", preprocess=CROPPED, prepare=refuse)
    with pytest.raises(ImageTooLarge, match="smaller"):
        own(new_module, says).prepare(PICTURES[0])
    for given in (None, torch.zeros(3, 8, 8), Sample(torch.zeros(8, 8), 8, 8)):
        says = Architecture(
            build=Means,
            task="classification",
            preprocess=CROPPED,
            prepare=lambda *_, given=given: given,
        )
        with pytest.raises(ExtensionFailed, match="Sample"):
            own(new_module, says).prepare(PICTURES[0])


def test_a_record_for_another_task_is_refused(new_module: NewModule) -> None:
    says = Architecture(build=Means, task="classification", preprocess=CROPPED, prepare=prepare)
    with pytest.raises(RecordError, match="does classification"):
        own(new_module, says, task="embedding")


def test_functions_of_ones_own_are_for_pictures(new_module: NewModule) -> None:
    says = Architecture(build=Means, task="video-classification", prepare=prepare)
    with pytest.raises(RecordError, match="classification, detection"):
        own(new_module, says)


def test_forward_must_answer_every_picture(new_module: NewModule) -> None:
    class Short(Means):
        def forward(self, pictures: torch.Tensor) -> Any:
            return [None]

    says = Architecture(build=Short, task="classification", preprocess=CROPPED, postprocess=classes)
    network = own(new_module, says)
    with pytest.raises(RecordError, match="1 answers to 2 pictures"):
        network.forward([network.prepare(data) for data in PICTURES[:2]])


def test_weights_that_give_no_numbers_are_refused(new_module: NewModule) -> None:
    class Lost(Means):
        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            return super().forward(pictures) * float("nan")

    says = Architecture(
        build=Lost,
        task="classification",
        preprocess=CROPPED,
        postprocess=lambda record, *_: [],
    )
    with pytest.raises(WeightsError, match="not a number"):
        own(new_module, says).warm_up()
