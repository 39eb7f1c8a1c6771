"""Which models there are, in which versions, and what each of them takes."""

import pytest

from jobs.base.bootstrap import Ground
from jobs.tables import ModelAlias, ModelVersion
from jobs.versions.registry import register
from tests.integration.api.callers import Caller, check_problem


def add_version(ground: Ground, model: ModelVersion, name: str, fill: str) -> ModelVersion:
    record = model.record | {"name": name}
    return register(ground.database, ground.storage, name, record, b"w", "sha256:" + fill * 64)


@pytest.fixture
def two_versions(ground: Ground, digits_model: ModelVersion) -> None:
    add_version(ground, digits_model, "digits", "1")
    with ground.database.write() as session:
        session.add(ModelAlias(name="digits", alias="production", version=1, updated_at=0.0))


@pytest.fixture
def slashed(ground: Ground, digits_model: ModelVersion) -> str:
    add_version(ground, digits_model, "torchvision/resnet50", "2")
    return "torchvision/resnet50"


@pytest.mark.usefixtures("two_versions")
def test_models_are_listed_in_their_newest_version(caller: Caller, slashed: str) -> None:
    page = caller.get("/v1/models").json
    assert page["object"] == "list"
    assert [model["id"] for model in page["data"]] == ["digits@2", f"{slashed}@1"]
    digits = page["data"][0]
    assert (digits["object"], digits["task"]) == ("model", "classification")
    assert digits["labels"] == [str(digit) for digit in range(10)]
    assert digits["aliases"] == {"production": 1}
    assert "top_k" in digits["params_schema"]["properties"]
    assert digits["result_schema"]["type"] == "array"


@pytest.mark.usefixtures("two_versions")
def test_a_name_shows_the_version_that_it_stands_for(caller: Caller) -> None:
    for name, version in [("digits", 1), ("digits@2", 2), ("digits@production", 1)]:
        model = caller.get(f"/v1/models/{name}").json
        assert (model["name"], model["version"]) == ("digits", version)


@pytest.mark.usefixtures("two_versions")
def test_versions_are_listed_newest_first(caller: Caller) -> None:
    page = caller.get("/v1/models/digits/versions").json
    assert [model["version"] for model in page["data"]] == [2, 1]
    assert page["data"][0]["digest"] == "sha256:" + "1" * 64


@pytest.mark.usefixtures("two_versions")
def test_a_job_runs_the_version_that_it_names(caller: Caller) -> None:
    assert caller.submit()["model"]["version"] == 1
    assert caller.submit(model="digits@2")["model"]["version"] == 2


def test_a_name_with_a_slash_is_a_name_like_any_other(caller: Caller, slashed: str) -> None:
    assert caller.get(f"/v1/models/{slashed}").json["name"] == slashed
    assert caller.get(f"/v1/models/{slashed}@1").json["version"] == 1
    (version,) = caller.get(f"/v1/models/{slashed}/versions").json["data"]
    assert version["name"] == slashed
    assert caller.submit(model=slashed)["model"]["name"] == slashed


def test_an_unknown_model_says_how_to_list_them(caller: Caller) -> None:
    for path in ("nope", "nope/versions", "digits@9", "a/b/c"):
        problem = check_problem(caller.get(f"/v1/models/{path}"), 404, "model_not_found")
        assert "GET /v1/models" in problem["detail"]
