"""The torch-free face: records, parameters, schemas."""

import json
import subprocess
import sys

import pytest

from models.catalog import (
    SHIPPED,
    ModelRecord,
    check_params,
    params_schema,
    result_schema,
    shipped_weights,
)
from models.records.errors import ParamsError, RecordError, UnknownArchitecture


def test_the_catalogue_needs_neither_torch_nor_opencv_nor_numpy():
    code = (
        "import sys, models.catalog as c; c.check_params('classification', {});"
        "print([m for m in ('torch', 'torchvision', 'cv2', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_defaults_are_filled_in():
    assert check_params("classification", {}) == {
        "decode": "exact",
        "top_k": 1,
        "min_confidence": 0.0,
    }
    assert check_params("classification", {"top_k": 100, "min_confidence": 1})["top_k"] == 100


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"top_k": 0}, "top_k"),
        ({"top_k": 101}, "top_k"),
        ({"top_k": "5"}, "top_k"),
        ({"top_k": True}, "top_k"),
        ({"top_k": 1.5}, "top_k"),
        ({"min_confidence": -0.1}, "min_confidence"),
        ({"min_confidence": 1.1}, "min_confidence"),
        ({"min_confidence": float("nan")}, "min_confidence"),
        ({"topk": 5}, "topk"),
    ],
)
def test_a_bad_parameter_is_named(params, param):
    with pytest.raises(ParamsError, match=f"'{param}'") as caught:
        check_params("classification", params)
    assert caught.value.param == param
    assert caught.value.code == "invalid_params"


def test_a_task_that_does_not_exist_is_named_with_those_that_do():
    with pytest.raises(RecordError, match=r"'divination'.*classification"):
        check_params("divination", {})


def test_schemas_are_plain_json_and_closed_to_unknown_parameters():
    schema = json.loads(json.dumps(params_schema("classification")))
    assert schema["additionalProperties"] is False
    assert schema["properties"]["top_k"]["maximum"] == 100
    items = json.loads(json.dumps(result_schema("classification")))["items"]
    assert set(items["required"]) == {"class", "class_id", "confidence"}


def test_a_record_survives_json():
    record = SHIPPED["digits"]
    assert ModelRecord.from_json(json.loads(json.dumps(record.to_json()))) == record


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"colour": "red"}, "has no field colour"),
        ({"max_batch": 0}, "max_batch"),
        ({"shard_items": 0}, "shard_items"),
        ({"limits": {"max_pixels": 10**12}}, "max_pixels"),
        ({"limits": {"max_weight": 1}}, "max_weight"),
        ({"labels": None}, "malformed"),
    ],
)
def test_an_odd_record_is_refused_by_name(fields, named):
    with pytest.raises(RecordError, match=named):
        ModelRecord.from_json({**SHIPPED["digits"].to_json(), **fields})


def test_shipped_weights_exist_and_are_small():
    for name in SHIPPED:
        assert 0 < shipped_weights(name).stat().st_size < 2_000_000
    with pytest.raises(UnknownArchitecture, match="digits"):
        shipped_weights("nonesuch")


def test_the_catalogues_figures_are_those_of_the_card():
    for name, record in SHIPPED.items():
        card = shipped_weights(name).with_suffix(".md").read_text()
        cells = [line.split("|") for line in card.splitlines() if line.startswith("| ")]
        figures = {row[1].strip(): row[2].strip() for row in cells}
        for figure, value in record.metrics.items():
            assert float(figures[figure]) == value
