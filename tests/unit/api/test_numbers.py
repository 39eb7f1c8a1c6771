"""Whole numbers in bodies, as JSON writes them."""

import pytest

from api.jobs.schemas import RerunCreate
from api.web.parsing import validated
from jobs.base.errors import InvalidRequest


def rerun(kept_s):
    return validated(RerunCreate, {"model": "digits", "output_expires_after": kept_s})


@pytest.mark.parametrize("kept_s", [3600, 3600.0, {"seconds": 3600.0}])
def test_a_whole_number_is_one_however_it_is_written(kept_s):
    assert rerun(kept_s).lifetime_s == 3600


@pytest.mark.parametrize("kept_s", ["3600", True, 3600.5, 59, {"seconds": 59.0}, 1e300])
def test_what_is_none_is_refused_by_the_name_of_its_member_alone(kept_s):
    with pytest.raises(InvalidRequest, match="`output_expires_after") as refused:
        rerun(kept_s)
    assert "function" not in str(refused.value)


def test_the_document_has_its_bounds():
    number, *_ = RerunCreate.model_json_schema()["properties"]["output_expires_after"]["anyOf"]
    assert number == {"type": "integer", "minimum": 60, "maximum": 3650 * 86400}
