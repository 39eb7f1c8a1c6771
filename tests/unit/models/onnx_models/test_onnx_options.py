"""What can be chosen of how an ONNX file is read, in a record and over HTTP."""

from dataclasses import asdict

import pytest
from pydantic import TypeAdapter, ValidationError

from models.records.errors import RecordError
from models.records.options import OnnxOptions, read_onnx_options

BAD = [
    ({"heads": "yolo"}, "'heads'"),
    ({"head": ""}, "'head'"),
    ({"head": 3}, "'head'"),
    ({"iou": 1.1}, "'iou'"),
    ({"iou": True}, "'iou'"),
    ({"iou": float("nan")}, "'iou'"),
    ({"least_confidence": "0.1"}, "'least_confidence'"),
    ({"iou": 0.5, "outputs": "softmax"}, "'logits', 'probabilities'"),
    ({"boxes": []}, "'pixels', 'normalised'"),
]


def test_what_is_left_out_is_ultralytics_own():
    assert asdict(read_onnx_options({})) == {
        "head": None,
        "iou": 0.7,
        "least_confidence": 0.01,
        "outputs": None,
        "boxes": None,
        "scale": None,
    }
    chosen = {"head": "ssd", "iou": 0, "least_confidence": 1.0, "boxes": "pixels"}
    assert asdict(read_onnx_options(chosen)) == {**chosen, "outputs": None, "scale": None}


@pytest.mark.parametrize(("options", "says"), BAD)
def test_the_first_bad_option_is_named(options, says):
    with pytest.raises(RecordError, match=says):
        read_onnx_options(options)


@pytest.mark.parametrize("options", [options for options, _ in BAD if "head" not in options][:1])
def test_the_api_refuses_what_is_unknown(options):
    with pytest.raises(ValidationError, match="heads"):
        TypeAdapter(OnnxOptions).validate_python(options)
