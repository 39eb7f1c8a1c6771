"""Who may call: nobody without a key, and nobody reaches another tenant's things."""

import re

import pytest
from apiflask import APIFlask

from api.web.auth import OPEN_ENDPOINTS, PAGE_PREFIX
from jobs.base.bootstrap import Ground
from jobs.tables import ApiKey
from jobs.tenants.keys import NewKey, create_key, revoke_key
from tests.integration.api.callers import Caller, check_problem

OPEN_PATHS = {"/healthz", "/readyz", "/openapi.json", "/docs"}


def test_every_route_but_the_open_ones_wants_a_key(app: APIFlask) -> None:
    client = app.test_client()
    walked = 0
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<[^>]+>", "anything", rule.rule)
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            answer = client.open(path, method=method)
            if rule.rule in OPEN_PATHS:
                assert answer.status_code == 200, path
                continue
            if rule.endpoint == "docs.asset":
                continue  # its files stand open: tested beside it
            if rule.endpoint.startswith(PAGE_PREFIX):
                # People are led to the door; what stands open is tested beside it.
                is_led = answer.status_code == 303 and answer.location.startswith("/sign-in")
                assert is_led or rule.endpoint in OPEN_ENDPOINTS, f"{method} {path}"
                continue
            assert answer.status_code == 401, f"{method} {path}"
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            check_problem(answer, 401, "invalid_api_key")
            walked += 1
    assert walked >= 19
    assert {rule.endpoint for rule in app.url_map.iter_rules()} >= OPEN_ENDPOINTS


def test_head_and_options_want_a_key_too(app: APIFlask) -> None:
    client = app.test_client()
    assert client.head("/v1/jobs").status_code == 401
    assert client.options("/v1/jobs").status_code == 401


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic cG06cG0=",
        "Bearer pm_live_short",
        "Bearer pm_live_00000000000000000000000000_" + "a" * 38,
        "Bearer \u00e9\u00e9",
    ],
)
def test_what_is_no_key_is_refused(app: APIFlask, value: str) -> None:
    answer = app.test_client().get("/v1/jobs", headers={"Authorization": value})
    check_problem(answer, 401, "invalid_api_key")


@pytest.mark.parametrize("scheme", ["Basic", "Token", "Bearerish"])
def test_a_good_key_under_another_scheme_is_refused(
    app: APIFlask, tenant: NewKey, scheme: str
) -> None:
    headers = {"Authorization": f"{scheme} {tenant.key}"}
    check_problem(app.test_client().get("/v1/jobs", headers=headers), 401, "invalid_api_key")


def test_a_wrong_secret_is_refused_like_an_unknown_key(
    app: APIFlask, ground: Ground, tenant: NewKey
) -> None:
    other = create_key(ground.database, "acme")
    # The one key's id with the other's secret: well formed up to its checksum.
    forged = tenant.key.replace(tenant.key_id, other.key_id)
    answer = app.test_client().get("/v1/jobs", headers={"Authorization": f"Bearer {forged}"})
    check_problem(answer, 401)


def test_a_known_key_with_another_secret_is_refused(
    caller: Caller, ground: Ground, tenant: NewKey
) -> None:
    other = create_key(ground.database, "acme")
    assert caller.get("/v1/jobs").status_code == 200
    with ground.database.write() as session:
        # Well formed with its checksum, and still not the secret that is kept.
        kept = session.get_one(ApiKey, other.key_id).secret_sha256
        session.get_one(ApiKey, tenant.key_id).secret_sha256 = kept
    check_problem(caller.get("/v1/jobs"), 401, "invalid_api_key")


def test_a_revoked_key_is_refused_at_once(caller: Caller, ground: Ground, tenant: NewKey) -> None:
    assert caller.get("/v1/jobs").status_code == 200
    revoke_key(ground.database, tenant.key_id)
    assert "revoked" in check_problem(caller.get("/v1/jobs"), 401)["detail"]


@pytest.mark.parametrize("name", ["api_key", "token", "anything"])
def test_a_key_in_the_query_is_refused_even_beside_a_good_header(
    caller: Caller, tenant: NewKey, name: str
) -> None:
    problem = check_problem(caller.get("/v1/jobs", query_string={name: tenant.key}), 401)
    assert problem["error"]["param"] == name
    assert tenant.key not in str(problem)


def test_a_stranger_finds_nothing_of_another_tenant(caller: Caller, stranger: Caller) -> None:
    job, file = caller.submit()["id"], caller.upload(b"picture")
    for method, path in [
        ("GET", f"/v1/jobs/{job}"),
        ("GET", f"/v1/batches/{job}"),
        ("GET", f"/v1/jobs/{job}/results"),
        ("GET", f"/v1/jobs/{job}/results?format=ndjson"),
        ("GET", f"/v1/batches/{job}/results"),
        ("POST", f"/v1/jobs/{job}/cancel"),
        ("POST", f"/v1/batches/{job}/cancel"),
        ("GET", f"/v1/files/{file}"),
        ("GET", f"/v1/files/{file}/content"),
        ("DELETE", f"/v1/files/{file}"),
    ]:
        theirs = check_problem(stranger.open(method, path), 404, "not_found")
        # Word for word what is said of an id that never existed.
        absent = path.replace(job, "job_" + "0" * 26).replace(file, "file_" + "0" * 26)
        nobodys = check_problem(stranger.open(method, absent), 404, "not_found")
        said = theirs["detail"].replace(job, "job_" + "0" * 26).replace(file, "file_" + "0" * 26)
        assert said == nobodys["detail"]
    assert caller.get(f"/v1/jobs/{job}").json["status"] == "in_progress"
    assert caller.get(f"/v1/files/{file}/content").data == b"picture"


def test_a_stranger_cannot_use_another_tenants_file_or_see_it_in_lists(
    caller: Caller, stranger: Caller
) -> None:
    file = caller.upload(b"picture")
    caller.submit()
    body = {"model": "digits", "input_file_id": file}
    check_problem(stranger.post("/v1/jobs", json=body), 404)
    inline = {"model": "digits", "requests": [{"input": {"file_id": file}}]}
    check_problem(stranger.post("/v1/jobs", json=inline), 422, "file_not_found")
    assert stranger.get("/v1/jobs").json["data"] == []
    assert stranger.get("/v1/files").json["data"] == []


def test_an_idempotency_key_belongs_to_its_tenant(caller: Caller, stranger: Caller) -> None:
    body = {"model": "digits", "requests": [{"input": {"data": "aGk="}}]}
    headers = {"Idempotency-Key": "same"}
    one = caller.post("/v1/jobs", json=body, headers=headers).json["id"]
    other = stranger.post("/v1/jobs", json=body, headers=headers).json["id"]
    assert one != other
