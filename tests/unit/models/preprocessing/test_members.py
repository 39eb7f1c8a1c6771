"""docs/models.md lists what a record's `preprocess` may hold, and its record for timm is timm's."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest
import timm
from safetensors.torch import save

from api.models.schemas import FramesBody, PreprocessBody
from models.preprocessing.frames import FramePreprocessing
from models.preprocessing.preprocess import Preprocessing
from models.preprocessing.whole_pictures import WholePicture
from models.records.errors import RecordError
from models.runtime.completion import complete
from tests.documents import examples

DOCUMENT = (Path(__file__).parents[4] / "docs" / "models.md").read_text()
FORMS = {"crops": Preprocessing, "whole": WholePicture, "films": FramePreprocessing}


def listed(form: str) -> set[str]:
    """Give the members that the document's table lists for a form."""
    section = DOCUMENT.partition("### How pictures are prepared")[2].partition("\n###")[0]
    rows = re.findall(r"^\| (`[^|]+) \| ([^|]+) \|", section, re.MULTILINE)
    return {
        name for names, forms in rows if form in forms for name in re.findall(r"`(\w+)`", names)
    }


@pytest.mark.parametrize("form", FORMS)
def test_the_document_lists_every_member_of_each_form(form: str) -> None:
    assert listed(form) == {each.name for each in fields(FORMS[form])}


def test_http_takes_the_same_members() -> None:
    assert set(PreprocessBody.model_fields) == listed("crops") | listed("whole")
    assert set(FramesBody.model_fields) == listed("films")


def test_the_documents_record_for_a_network_of_timm_is_what_is_read_of_it() -> None:
    name = "mobilenetv3_small_050"
    assert f"`{name}`" in DOCUMENT
    (shown,) = (each.text for each in examples(DOCUMENT) if each.text.startswith('{"preprocess"'))
    weights = save(timm.create_model(name, num_classes=1000).state_dict())
    asked = {"name": "x", "architecture": f"timm/{name}"}
    record = complete(asked, weights, lambda _: pytest.fail("it is no ONNX file"))
    assert json.loads(shown)["preprocess"] == record.preprocess


@pytest.mark.parametrize("form", FORMS)
def test_members_that_miss_are_named_in_each_form(form: str) -> None:
    with pytest.raises(RecordError, match=r"lacks .*`mean`, `std`"):
        FORMS[form].read({"channels": 3})
