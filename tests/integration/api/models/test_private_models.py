"""Models of one tenant, under the name that its owner knows."""

from jobs.base.bootstrap import Ground
from tests.integration.api.callers import Caller, check_problem, try_out
from tests.integration.api.models.registering import job, rows
from tests.model_files.weights_files import DIGITS, noisy_digits


def test_nobody_finds_another_tenants_models(
    caller: Caller, stranger: Caller, operator: Caller, ground: Ground
) -> None:
    caller.push("my/cats", DIGITS)
    try_out(ground)
    caller.put("/v1/models/my/cats/aliases/production", json={"version": 1})
    stored = rows(ground)[0].name
    for other in (stranger, operator):
        ids = [model["id"] for model in other.get("/v1/models").json["data"]]
        assert ids == ["digits@1"]
        for name in ("my/cats", stored, f"{stored}@1", "my/cats@production"):
            for method, path in [
                ("GET", f"/v1/models/{name}"),
                ("GET", f"/v1/models/{name}/versions"),
                ("GET", f"/v1/models/{name}/versions/1"),
                ("GET", f"/v1/models/{name}/aliases"),
                ("GET", f"/v1/models/{name}/aliases/production"),
                ("DELETE", f"/v1/models/{name}/versions/1"),
            ]:
                theirs = check_problem(other.open(method, path), 404, "model_not_found")
                nobodys = check_problem(other.open(method, path.replace("cats", "dogs")), 404)
                assert theirs["detail"].replace("cats", "dogs") == nobodys["detail"]
            check_problem(other.post("/v1/jobs", json=job(name)), 404, "model_not_found")
        check_problem(other.push(stored, noisy_digits(1)), 404)
        check_problem(
            other.put(f"/v1/models/{stored}/aliases/production", json={"version": 1}), 404
        )
        check_problem(other.delete(f"/v1/models/{stored}/aliases/production"), 404)
    check_problem(caller.get(f"/v1/models/{stored}"), 404, "model_not_found")


def test_an_own_model_is_called_by_its_owners_name_everywhere(
    caller: Caller, stranger: Caller, ground: Ground
) -> None:
    for owner, weights in ((caller, DIGITS), (stranger, noisy_digits(1))):
        owner.push("my/cats", weights)
    try_out(ground)
    assert [each["id"] for each in caller.get("/v1/models").json["data"]] == [
        "digits@1", "my/cats@1",
    ]  # fmt: skip
    made = caller.submit(model="my/cats@1")
    assert made["model"]["name"] == "my/cats"
    assert made["model"]["digest"] == caller.get("/v1/models/my/cats").json["digest"]
    assert made["model"]["digest"] != stranger.get("/v1/models/my/cats").json["digest"]
    rehearsed = caller.post("/v1/jobs", json=job("my/cats") | {"dry_run": True}).json
    assert rehearsed["model"]["name"] == "my/cats"
    listed = caller.get("/v1/jobs", query_string={"model": "my/cats"}).json["data"]
    assert [each["id"] for each in listed] == [made["id"]]
    caller.post(f"/v1/jobs/{made['id']}/cancel")
    (row,) = caller.get(f"/v1/jobs/{made['id']}/results").json["data"]
    assert row["model"].startswith("my/cats@1#sha256:")
    assert caller.tenant_id not in str((made, rehearsed, listed, row))


def test_a_misspelt_model_is_told_the_nearest_that_its_tenant_sees(
    ground: Ground, caller: Caller, stranger: Caller
) -> None:
    caller.push("my/cats", DIGITS)
    try_out(ground)
    near = caller.post("/v1/jobs", json=job("my/cat")).json["detail"]
    assert "Did you mean 'my/cats'?" in near
    assert "Did you mean 'digits'?" in caller.post("/v1/jobs", json=job("digist")).json["detail"]
    assert "Did you mean" not in stranger.post("/v1/jobs", json=job("my/cat")).json["detail"]
