"""A check that comes with a version: kept for the worker, and erased with it; bad ones refused."""

import base64
import hashlib
import io
import json
from typing import Any

import pytest

from jobs.aftercare.tidying import delete_strays
from jobs.base.bootstrap import Ground
from jobs.leases.leases import lease_next
from jobs.tables import ModelVersion
from jobs.versions.validation import VALIDATIONS, accept
from tests.integration.api.callers import Caller, check_problem
from tests.model_files.weights_files import DIGITS, RECORD

DATA = base64.b64encode(b"a picture").decode()
SAMPLE: dict[str, Any] = {
    "name": "cat.png",
    "data": DATA,
    "predictions": [{"class_id": 3, "confidence": 0.5}],
}
CHECK: dict[str, Any] = {"against": {"timm": "1.0"}, "samples": [SAMPLE]}
PROOF: dict[str, Any] = {
    "against": {"timm": "1.0"},
    "check": None,
    "samples": 1,
    "holds": True,
    "differences": [{"measure": "confidence", "worst": 1e-6, "limit": 1e-3, "compared": 1}],
    "apart": [],
    "reason": None,
}
URL = "/v1/models/my/cats/versions"


def push(caller: Caller, check: Any) -> Any:
    text = check if isinstance(check, str) else json.dumps(check)
    form = {"weights": (io.BytesIO(DIGITS), "w"), "record": json.dumps(RECORD), "check": text}
    return caller.post(URL, data=form)


def row(ground: Ground) -> ModelVersion:
    turn = lease_next(ground, VALIDATIONS)
    assert turn is not None
    return turn.row


def test_it_lies_in_the_store_until_the_version_was_tried_out(
    caller: Caller, ground: Ground
) -> None:
    view = push(caller, CHECK)
    assert (view.status_code, view.json["proof"]) == (202, None)
    turn = lease_next(ground, VALIDATIONS)
    assert turn is not None
    blob = turn.row.check_blob
    assert blob is not None
    kept = json.loads(ground.storage.get(blob))
    assert kept["samples"][0]["data"] == DATA
    sent = hashlib.sha256(json.dumps(CHECK).encode()).hexdigest()
    assert kept["digest"] == f"sha256:{sent}"
    assert delete_strays(ground, older_than_s=-60) == 0
    accept(ground.database, turn, proof=PROOF)
    assert caller.get(URL + "/1").json["proof"] == PROOF
    # What a worker has not erased is found.
    assert delete_strays(ground, older_than_s=-60) == 1
    assert blob not in set(ground.storage.list("models/"))


def test_a_version_of_an_uploaded_file_may_have_one_too(caller: Caller, ground: Ground) -> None:
    file = caller.upload(DIGITS, "digits.safetensors")
    body = {"input_file_id": file, "record": RECORD, "check": CHECK}
    assert caller.post(URL, json=body).status_code == 202
    assert row(ground).check_blob is not None


def test_weights_that_are_there_leave_nothing_of_a_second_check(
    caller: Caller, ground: Ground
) -> None:
    push(caller, CHECK)
    before = set(ground.storage.list("models/"))
    assert push(caller, CHECK).json["version"] == 1
    assert set(ground.storage.list("models/")) == before


@pytest.mark.parametrize(
    ("check", "param"),
    [
        ({"samples": []}, "samples"),
        ({"samples": [SAMPLE] * 17}, "samples"),
        ({"samples": [{**SAMPLE, "data": "###"}]}, "samples.0"),
        (
            {"samples": [{**SAMPLE, "predictions": [{"confidence": 1.0}]}]},
            "samples.0.predictions.0",
        ),
        (
            {"samples": [{**SAMPLE, "predictions": [{"class_id": 1, "confidence": 2.0}]}]},
            "samples.0.predictions.0.confidence",
        ),
        ({"samples": [{**SAMPLE, "more": 1}]}, "samples.0.more"),
        ([SAMPLE], None),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_is_kept(
    caller: Caller, ground: Ground, check: Any, param: str | None
) -> None:
    before = set(ground.storage.list("models/"))
    problem = check_problem(push(caller, check), 422)
    assert problem["error"]["param"] == param
    assert set(ground.storage.list("models/")) == before
    assert lease_next(ground, VALIDATIONS) is None


def test_one_of_too_many_bytes_is_refused(caller: Caller) -> None:
    problem = check_problem(push(caller, " " * (32 * 2**20 + 1)), 422)
    assert "at most 33,554,432" in problem["detail"]
    assert problem["error"]["param"] == "check"
