"""Manifests that name their model themselves: what their faults say, and whose params count."""

import io
import json
from typing import Any

import pytest

from jobs.base.bootstrap import Ground
from jobs.intake.preparation import prepare_next
from tests.integration.api.callers import DATA, Caller, check_problem


def batch_line(custom_id: str, **params: Any) -> bytes:
    body = {"model": "digits", "input": {"data": DATA}} | ({"params": params} if params else {})
    return json.dumps({"custom_id": custom_id, "body": body}).encode() + b"\n"


def test_params_of_the_first_line_are_never_those_of_others_in_silence(
    caller: Caller, ground: Ground
) -> None:
    file = caller.upload(batch_line("one", top_k=3) + batch_line("two"), "batch.jsonl")
    answer = caller.post("/v1/jobs", json={"input_file_id": file})
    prepare_next(ground)
    job = caller.get(answer.headers["Location"]).json
    assert (job["status"], [fault["line"] for fault in job["errors"]["data"]]) == ("failed", [2])
    # Said by the job itself, they are those of all lines, which may leave them out.
    file = caller.upload(batch_line("one") + batch_line("two"), "batch.jsonl")
    answer = caller.post("/v1/jobs", json={"input_file_id": file, "params": {"top_k": 3}})
    assert answer.json["params"]["top_k"] == 3
    prepare_next(ground)
    job = caller.get(answer.headers["Location"]).json
    assert (job["status"], job["request_counts"]["total"]) == ("in_progress", 2)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{not json}\n", "Line 1: This is not valid JSON"),
        (b'\n{"body": {"model": "digits", "input": {}}}\n', "Line 2: `body.input` must be"),
        (b'{"body": {"input": {"url": "https://x.org/1"}}}', "Line 1: `body.model` must name"),
        (b'{"input": {"url": "https://x.org/1"}}', "the first line of this one does not"),
        ('{"body": 1}'.encode("utf-16"), "looks like text in UTF-16"),
        (b"[]", "looks like a JSON array"),
        (b"\x89PNG", "`model` is missing"),
    ],
)
def test_without_a_model_the_fault_of_the_first_line_is_told(
    caller: Caller, ground: Ground, content: bytes, says: str
) -> None:
    body = {"input_file_id": caller.upload(content, "batch.bin")}
    answer = caller.post("/v1/jobs", json=body)
    check_problem(answer, 422)
    assert says in answer.json["detail"]
    form = {"job": "{}", "files": (io.BytesIO(content), "batch.bin")}
    check_problem(caller.post("/v1/jobs", data=form), 422)
