"""What a record leaves out is read from the module of its architecture."""

from typing import Any

import pytest

from models.extensions import Architecture
from models.records.errors import ModelError, RecordError
from models.records.record import VIDEO_LIMITS, ModelRecord
from models.runtime import weights as weights_file
from models.runtime.completion import complete, needs_completion
from models.runtime.torch_runtime import extend
from tests.model_files.own_modules import Means, NewModule, prepare

CROPPED = {"resize": 8, "crop": 8, "channels": 3, "mean": [0.0] * 3, "std": [1.0] * 3}
FRAMES = CROPPED | {"resize": [8], "crop": [8, 8], "fps": 5, "window": 4, "windows": [4, 4]}


def completed(new_module: NewModule, value: Any, **said: Any) -> ModelRecord:
    assert extend([new_module("mine", {"own/net": value})]) == []
    stored = {"name": "cats", "architecture": "own/net", "task": "", "labels": [], **said}
    stored.setdefault("preprocess", {})
    assert needs_completion(stored)
    weights = weights_file.write(Means(2).state_dict())
    return complete(stored, weights, lambda _: pytest.fail("this is no ONNX file"))


def test_a_module_says_all_of_it(new_module: NewModule) -> None:
    says = Architecture(
        build=Means,
        task="classification",
        labels=("cat", "dog"),
        preprocess=CROPPED,
        max_batch=4,
        shard_items=16,
        description="cats and dogs",
    )
    read = completed(new_module, says)
    assert (read.task, read.labels, read.preprocess) == ("classification", ("cat", "dog"), CROPPED)
    assert (read.max_batch, read.shard_items, read.description) == (4, 16, "cats and dogs")
    assert read.asked == {"name": "cats", "architecture": "own/net"}
    assert not needs_completion(read.to_json())


def test_the_record_has_the_last_word(new_module: NewModule) -> None:
    says = Architecture(
        build=Means, task="classification", labels=("a", "b"), preprocess=CROPPED, max_batch=4
    )
    larger = CROPPED | {"resize": 32, "crop": 32}
    said = {"labels": ["cat", "dog"], "max_batch": 2, "preprocess": larger}
    read = completed(new_module, says, **said)
    assert (read.labels, read.max_batch, read.preprocess) == (("cat", "dog"), 2, larger)


def test_a_description_is_read_from_the_weights(new_module: NewModule) -> None:
    def describe(asked: Any, shapes: Any) -> dict[str, Any]:
        count = shapes["judge.weight"][0]
        return {"labels": [f"{asked['name']} {number}" for number in range(count)]}

    says = Architecture(
        build=Means, task="classification", preprocess=CROPPED, labels=("x",), describe=describe
    )
    assert completed(new_module, says).labels == ("cats 0", "cats 1")


def test_a_description_that_raises_is_told_with_its_name(new_module: NewModule) -> None:
    def describe(_asked: Any, _shapes: Any) -> dict[str, Any]:
        raise ValueError("these weights are for another network")

    says = Architecture(build=Means, task="classification", describe=describe)
    with pytest.raises(RecordError, match="another network") as raised:
        completed(new_module, says)
    assert "'own/net' of the extension 'mine'" in str(raised.value)


def test_what_nobody_says_is_asked_for_by_its_option(new_module: NewModule) -> None:
    for says, said, word in [
        (Means, {}, "--task"),
        (Means, {"task": "classification"}, "--labels"),
        (Means, {"task": "classification", "labels": ["a", "b"]}, "--record"),
        (Architecture(build=Means, task="detection", labels=("a",)), {}, "--record"),
    ]:
        with pytest.raises(RecordError, match=word) as raised:
            completed(new_module, says, **said)
        assert "'own/net' of the extension 'mine'" in str(raised.value)


def test_a_prepare_of_its_own_needs_no_preprocessing(new_module: NewModule) -> None:
    says = Architecture(build=Means, task="classification", labels=("a", "b"), prepare=prepare)
    assert completed(new_module, says).preprocess == {"channels": 3}


def test_a_vector_needs_no_names(new_module: NewModule) -> None:
    says = Architecture(build=Means, task="embedding", preprocess=CROPPED)
    assert completed(new_module, says).labels == ("embedding",)


def test_a_network_for_videos_has_their_limits(new_module: NewModule) -> None:
    says = Architecture(
        build=Means, task="video-classification", labels=("a", "b"), preprocess=FRAMES
    )
    read = completed(new_module, says)
    assert (read.input_kind, read.limits) == ("video", VIDEO_LIMITS)


def test_an_architecture_that_no_worker_has_is_told_so(new_module: NewModule) -> None:
    stored = {"name": "cats", "architecture": "own/unknown", "task": "", "labels": []}
    assert needs_completion(stored)
    weights = weights_file.write(Means(2).state_dict())
    with pytest.raises(ModelError, match="PIXELMILL_EXTENSIONS"):
        complete({**stored, "preprocess": {}}, weights, lambda _: pytest.fail("no ONNX file"))
