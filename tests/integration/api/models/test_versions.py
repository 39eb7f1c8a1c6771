"""Versions over HTTP: registered, tried out, listed, deleted; and private where they are one's own.

No worker runs here: what it would find is said by the tests (see workers/test_validation.py).
"""

import threading
from pathlib import Path
from typing import Any

import pytest

from api.app import create_app
from jobs.base.bootstrap import Ground
from jobs.leases.leases import is_due
from jobs.tables import ModelVersion
from jobs.tenants.keys import NewKey
from jobs.versions.validation import VALIDATIONS
from models.catalog import SHIPPED, shipped_weights
from tests.integration.api.callers import Caller, check_problem, try_out, with_settings
from tests.integration.api.models.registering import job, rows
from tests.model_files.weights_files import DIGITS, RECORD, hostile_files, noisy_digits

SCENES: dict[str, Any] = {
    "architecture": "torchvision/resnet18",
    "labels": ["cat", "dog"],
    "preprocess": {"resize": 256, "crop": 224, "channels": 3, "mean": [0, 0, 0], "std": [1, 1, 1]},
}

MOTION: dict[str, Any] = {
    name: SHIPPED["motion"].to_json()[name] for name in ("architecture", "labels", "preprocess")
}

WIDE_FRAMES = MOTION["preprocess"] | {"crop": [1024, 1024]}


def weights_stored(ground: Ground) -> set[str]:
    return set(ground.storage.list("models/"))


def test_a_version_is_validating_until_a_worker_has_tried_it_out(
    caller: Caller, ground: Ground
) -> None:
    answer = caller.push("my/cats", DIGITS, {**RECORD, "metrics": {"accuracy": 0.5}})
    assert answer.status_code == 202
    assert answer.headers["Location"] == "/v1/models/my/cats/versions/1"
    view = answer.json
    assert (view["id"], view["name"], view["state"]) == ("my/cats@1", "my/cats", "validating")
    assert (view["task"], view["architecture"]) == ("classification", "digits")
    assert view["preprocess"] == SHIPPED["digits"].to_json()["preprocess"]
    assert (view["labels"], view["metrics"]) == (RECORD["labels"], {"accuracy": 0.5})
    (row,) = rows(ground)
    assert view["author"] == row.author == caller.headers["Authorization"].split("_")[2]
    assert ground.storage.get(row.weights) == DIGITS
    problem = check_problem(caller.post("/v1/jobs", json=job("my/cats")), 409, "model_not_ready")
    assert "my/cats@1" in problem["detail"]
    try_out(ground)
    assert caller.get("/v1/models/my/cats/versions/1").json["state"] == "ready"
    assert caller.get("/v1/models/my/cats").json["created_at"] > 0
    assert caller.submit(model="my/cats")["model"]["name"] == "my/cats"


def test_the_call_may_wait_for_the_worker(caller: Caller, ground: Ground) -> None:
    answers: list[Any] = []
    for reason, status in ((None, 201), ("It does not fit.", 422)):
        weights = noisy_digits(status)
        pushing = threading.Thread(
            target=lambda weights=weights: answers.append(caller.push("my/cats", weights, wait=20))
        )
        pushing.start()
        while not is_due(ground.database, VALIDATIONS):
            assert pushing.is_alive()
        try_out(ground, reason)
        pushing.join(20)
        assert answers[-1].status_code == status
    assert answers[0].headers["Preference-Applied"] == "wait=20"
    assert "It does not fit." in answers[1].json["detail"]
    states = [view["state"] for view in caller.get("/v1/models/my/cats/versions").json["data"]]
    assert states == ["refused", "ready"]
    refused = caller.get("/v1/models/my/cats/versions/2").json
    assert refused["reason"] == "It does not fit."
    check_problem(caller.post("/v1/jobs", json=job("my/cats@2")), 409, "model_not_ready")
    assert caller.submit(model="my/cats")["model"]["version"] == 1


def test_an_uploaded_file_becomes_a_version_too(caller: Caller, ground: Ground) -> None:
    file = caller.upload(DIGITS, "digits.safetensors")
    body = {"input_file_id": file, "record": RECORD}
    assert caller.post("/v1/models/my/cats/versions", json=body).status_code == 202
    caller.delete(f"/v1/files/{file}")
    assert ground.storage.get(rows(ground)[0].weights) == DIGITS
    problem = check_problem(caller.post("/v1/models/my/cats/versions", json=body), 404)
    assert problem["error"]["param"] == "input_file_id"


def test_equal_weights_with_an_equal_record_are_the_version_that_is_there(
    caller: Caller, ground: Ground
) -> None:
    first = caller.push("my/cats", DIGITS)
    again = caller.push("my/cats", DIGITS, {**RECORD, "description": "the same"})
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json["version"] == 1
    try_out(ground)
    assert caller.push("my/cats", DIGITS).status_code == 200
    renamed = {**RECORD, "labels": [f"digit {each}" for each in RECORD["labels"]]}
    assert caller.push("my/cats", DIGITS, renamed).json["version"] == 2
    assert weights_stored(ground) >= {row.weights for row in rows(ground)}
    assert len(rows(ground)) == 2
    assert len({row.weights for row in rows(ground)}) == 2


def test_versions_that_come_at_once_each_get_a_number_of_their_own(
    caller: Caller, ground: Ground
) -> None:
    pushes = [noisy_digits(seed) for seed in (1, 2, 3, 3)]
    threads = [
        threading.Thread(target=caller.push, args=("my/cats", weights)) for weights in pushes
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [row.version for row in rows(ground)] == [1, 2, 3]
    assert len({row.digest for row in rows(ground)}) == 3


def test_hostile_files_are_refused_at_once_and_leave_nothing(
    caller: Caller, ground: Ground, tmp_path: Path
) -> None:
    before = weights_stored(ground)
    trap = tmp_path / "sprung"
    for what, data in hostile_files(trap).items():
        problem = check_problem(caller.push("my/cats", data), 422)
        assert problem["error"]["param"] == "weights", what
    file = caller.upload(hostile_files(trap)["torch pickle"])
    body = {"input_file_id": file, "record": RECORD}
    check_problem(caller.post("/v1/models/my/cats/versions", json=body), 422)
    assert not trap.exists()
    assert rows(ground) == []
    assert weights_stored(ground) == before


def test_weights_that_no_worker_could_hold_are_refused(ground: Ground, tenant: NewKey) -> None:
    small = with_settings(ground, model_memory=len(DIGITS) - 1)
    problem = check_problem(Caller(create_app(small), tenant).push("my/cats", DIGITS), 413)
    assert "hold at most" in problem["detail"]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"labels": None}, "record.labels"),
        ({"labels": []}, "labels"),
        ({"labels": [""]}, "labels.0"),
        ({"labels": [*RECORD["labels"][:9], RECORD["labels"][0]]}, "record.labels"),
        ({"architecture": "tests.evil"}, "record.architecture"),
        ({"architecture": "torchvision/keypointrcnn_resnet50_fpn"}, "record.architecture"),
        ({"task": "detection"}, "record.task"),
        ({"architecture": "recurrent/resnet18-gru"}, "record.preprocess"),
        ({"options": {"kernel_size": 3, "in_chans": 1}}, "options.in_chans"),
        ({"preprocess": {"resize": 10**9}}, "preprocess.channels"),
        ({"preprocess": SCENES["preprocess"] | {"crop": 10**9}}, "preprocess.crop"),
        ({"preprocess": SCENES["preprocess"] | {"mean": "abc"}}, "preprocess.mean"),
        ({"preprocess": MOTION["preprocess"] | {"window": 10**9}}, "preprocess.window"),
        ({"preprocess": MOTION["preprocess"] | {"crop": [64]}}, "preprocess.crop"),
        (MOTION | {"max_batch": 256, "preprocess": WIDE_FRAMES}, "record.max_batch"),
        (SCENES | {"max_batch": 10**9}, "max_batch"),
        (
            SCENES | {"max_batch": 256, "preprocess": SCENES["preprocess"] | {"crop": 4000}},
            "record.max_batch",
        ),
        ({"shard_items": 0}, "shard_items"),
        ({"limits": {"max_pixels": 10**12}}, "limits.max_pixels"),
        ({"limits": {"max_bytes": 4 * 2**30}}, "record.limits.max_bytes"),
        ({"metrics": {"accuracy": "high"}}, "metrics.accuracy"),
        ({"pickle": "cos"}, "pickle"),
    ],
)
def test_a_record_that_cannot_be_run_is_refused_by_its_member(
    caller: Caller, ground: Ground, change: dict[str, Any], param: str
) -> None:
    record = {name: value for name, value in (RECORD | change).items() if value is not None}
    problem = check_problem(caller.push("my/cats", DIGITS, record), 422)
    assert problem["error"]["param"] == param
    assert rows(ground) == []


def test_a_record_that_is_no_json_and_a_missing_part_are_refused(caller: Caller) -> None:
    check_problem(caller.push("my/cats", DIGITS, "{'labels'"), 400)
    form = {"data": {"record": "{}"}, "content_type": "multipart/form-data"}
    problem = check_problem(caller.post("/v1/models/my/cats/versions", **form), 422)
    assert problem["error"]["param"] == "weights"


def test_a_network_for_videos_says_how_frames_become_windows(
    caller: Caller, ground: Ground
) -> None:
    assert caller.push("my/moves", shipped_weights("motion").read_bytes(), MOTION).json["task"] == (
        "video-classification"
    )
    try_out(ground)
    view = caller.get("/v1/models/my/moves").json
    assert (view["state"], view["preprocess"]) == ("ready", MOTION["preprocess"])
    (row,) = rows(ground)
    assert row.record["input_kind"] == "video"
    assert row.record["limits"] == SHIPPED["motion"].to_json()["limits"]


def test_all_versions_of_a_model_do_one_task(caller: Caller, ground: Ground) -> None:
    caller.push("my/cats", DIGITS)
    record = {"architecture": "scenes-detector", "labels": RECORD["labels"]}
    problem = check_problem(caller.push("my/cats", noisy_digits(1), record), 422)
    assert "classification" in problem["detail"]


def test_only_an_operator_changes_what_all_share(
    caller: Caller, operator: Caller, ground: Ground
) -> None:
    for answer in (
        caller.push("digits", noisy_digits(1)),
        caller.push("brand-new", noisy_digits(1)),
        caller.delete("/v1/models/digits/versions/1"),
        caller.put("/v1/models/digits/aliases/production", json={"version": 1}),
        caller.delete("/v1/models/digits/aliases/production"),
        caller.get("/v1/audit"),
    ):
        problem = check_problem(answer, 403, "insufficient_scope")
        assert "--admin" in problem["detail"]
    assert operator.push("digits", noisy_digits(1)).json["version"] == 2
    try_out(ground)
    assert caller.get("/v1/models/digits").json["version"] == 2


def test_an_operator_may_name_an_architecture_that_only_the_workers_know(
    operator: Caller, caller: Caller, ground: Ground
) -> None:
    whole = RECORD | {"architecture": "ours/net", "task": "classification"}
    whole["preprocess"] = SHIPPED["digits"].to_json()["preprocess"]
    named = {"architecture": "ours/net"}
    for record in (whole, named):
        problem = check_problem(caller.push("my/special", DIGITS, record), 422)
        assert problem["error"]["param"] == "record.architecture"
    assert operator.push("special", DIGITS, whole).status_code == 202
    answer = operator.push("special", noisy_digits(1), named)
    assert (answer.status_code, answer.json["task"], answer.json["labels"]) == (202, "", [])
    with ground.database.read() as session:
        row = session.get_one(ModelVersion, ("special", 2))
    assert row.record == {
        "name": "special",
        "architecture": "ours/net",
        "task": "",
        "labels": [],
        "preprocess": {},
        "metrics": {},
        "description": "",
    }, "a worker reads the rest from the module"
    missing = named | {"task": "finding"}
    check_problem(operator.push("special", noisy_digits(2), missing), 422)


def test_an_operator_may_not_name_what_another_source_does_not_have(operator: Caller) -> None:
    record = RECORD | {"architecture": "torchvision/unheard_of", "task": "classification"}
    record["preprocess"] = SCENES["preprocess"]
    problem = check_problem(operator.push("special", DIGITS, record), 422)
    assert problem["error"]["param"] == "record.architecture"


def test_a_deleted_version_is_hidden_and_its_number_never_given_again(
    caller: Caller, ground: Ground
) -> None:
    for seed in (1, 2):
        caller.push("my/cats", noisy_digits(seed))
    try_out(ground)
    running = caller.submit(model="my/cats@2")
    receipt = caller.delete("/v1/models/my/cats/versions/2").json
    assert receipt == {"id": "my/cats@2", "object": "model", "deleted": True}
    assert caller.delete("/v1/models/my/cats/versions/2").json == receipt
    check_problem(caller.get("/v1/models/my/cats/versions/2"), 404, "model_not_found")
    check_problem(caller.post("/v1/jobs", json=job("my/cats@2")), 404, "model_not_found")
    assert caller.get("/v1/models/my/cats").json["version"] == 1
    assert [each["version"] for each in caller.get("/v1/models/my/cats/versions").json["data"]] == [
        1
    ]
    assert caller.get(f"/v1/jobs/{running['id']}").json["model"] == running["model"]
    assert caller.push("my/cats", noisy_digits(2)).json["version"] == 3
    for odd in ("0", "99", "x", "1.0", "²"):
        check_problem(caller.delete(f"/v1/models/my/cats/versions/{odd}"), 404)


def test_a_name_that_no_model_can_have_is_refused(caller: Caller, operator: Caller) -> None:
    for name in ("my/Cats", "my/my/cats", "my/a/b/c/d", "my/versions"):
        check_problem(caller.push(name, DIGITS), 422)
    check_problem(operator.push("TEN_x/cats", DIGITS), 422)
