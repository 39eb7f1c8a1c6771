"""Sessions: begun with a key, ended with it, and of no use to other sites."""

import pytest
from apiflask import APIFlask

from api.app import create_app
from api.web.sessions import COOKIE
from jobs.base.bootstrap import Ground
from jobs.base.errors import Unauthenticated
from jobs.tenants.keys import NewKey, revoke_key
from jobs.tenants.sessions import LASTS_S, begin_session, read_session
from tests.integration.api.callers import Caller, check_problem, job_body, with_settings
from tests.integration.api.page.visitors import SAME_SITE, Visitor


def test_the_root_leads_to_the_jobs_and_whoever_has_no_session_to_the_door(
    app: APIFlask, tenant: NewKey
) -> None:
    client = app.test_client()
    assert client.get("/").location == "/jobs"
    assert client.get("/jobs").location == "/sign-in"
    assert client.get("/models?after=x@1").location == "/sign-in?to=/models?after%3Dx@1"
    assert b"API key" in client.get("/sign-in").data


def test_a_key_begins_a_session_whose_cookie_no_script_reads_and_no_site_sends(
    app: APIFlask, tenant: NewKey
) -> None:
    answer = Visitor(app, tenant).sign_in()
    assert (answer.status_code, answer.location) == (303, "/jobs")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}={tenant.key_id}.")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Secure" not in cookie, "over plain HTTP it would never come back"
    secret = tenant.key.partition(tenant.key_id)[2].strip("_")
    assert secret not in cookie + answer.text


def test_behind_tls_the_cookie_is_sent_over_tls_alone(app: APIFlask, tenant: NewKey) -> None:
    headers = SAME_SITE | {"X-Forwarded-Proto": "https"}
    client = app.test_client()
    answer = client.post("/sign-in", data={"key": tenant.key}, headers=headers)
    assert "Secure" in answer.headers["Set-Cookie"]


def test_a_key_that_is_not_good_is_told_so_and_not_shown(app: APIFlask, tenant: NewKey) -> None:
    wrong = tenant.key[:-1] + ("a" if tenant.key[-1] != "a" else "b")
    answer = app.test_client().post("/sign-in", data={"key": wrong}, headers=SAME_SITE)
    assert answer.status_code == 401
    assert "not a Pixelmill API key" in answer.text
    assert wrong not in answer.text
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("left_on", ["", "/apps/mill"])
def test_behind_a_prefix_too_who_signs_in_gets_where_they_wanted_to(
    ground: Ground, tenant: NewKey, left_on: str
) -> None:
    client = create_app(with_settings(ground, url_prefix="/apps/mill")).test_client()
    wanted = "/apps/mill/models?after=x"
    door = client.get(f"{left_on}/models?after=x").location
    assert door == "/apps/mill/sign-in?to=/apps/mill/models?after%3Dx"
    assert f'value="{wanted}"' in client.get(door).text
    data = {"key": tenant.key, "to": wanted}
    answer = client.post(f"{left_on}/sign-in", data=data, headers=SAME_SITE)
    assert answer.location == wanted
    assert "Path=/apps/mill" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize("to", ["//evil.test", "https://evil.test", "/\\evil.test", "evil"])
def test_nobody_is_led_to_another_site_from_the_door(
    app: APIFlask, tenant: NewKey, to: str
) -> None:
    data = {"key": tenant.key, "to": to}
    answer = app.test_client().post("/sign-in", data=data, headers=SAME_SITE)
    assert answer.location == "/jobs"


def test_a_revoked_key_ends_its_sessions(visitor: Visitor, ground: Ground) -> None:
    assert visitor.get("/jobs").status_code == 200
    revoke_key(ground.database, visitor.key.key_id)
    assert visitor.get("/jobs").location == "/sign-in"
    check_problem(visitor.get("/v1/jobs"), 401)


def test_a_session_is_over_after_its_time_and_cannot_be_lengthened(
    ground: Ground, tenant: NewKey
) -> None:
    with ground.database.read() as session:
        token = begin_session(session, tenant.key, 1000, ())
        assert read_session(session, token, 1000 + LASTS_S - 1, ()).caller.key_id == tenant.key_id
        with pytest.raises(Unauthenticated, match="is over"):
            read_session(session, token, 1000 + LASTS_S, ())
        longer = token.replace(str(1000 + LASTS_S), str(9000 + LASTS_S))
        with pytest.raises(Unauthenticated, match="not known"):
            read_session(session, longer, 1000, ())
        with pytest.raises(Unauthenticated, match="not known"):
            read_session(session, token, 1000, ("another operator's key",))


def test_a_session_goes_on_while_the_key_that_signed_it_is_one_of_the_operators(
    ground: Ground, tenant: NewKey
) -> None:
    with ground.database.read() as session:
        token = begin_session(session, tenant.key, 1000, ("old",))
        before = read_session(session, token, 1000, ("old",))
        # Forms of pages that were loaded before the turn are still of this session.
        assert read_session(session, token, 1000, ("new", "old")) == before
        newer = begin_session(session, tenant.key, 1000, ("new", "old"))
        assert read_session(session, newer, 1000, ("new",)).caller.key_id == tenant.key_id
        for keys in (("new",), ("new", "")):
            with pytest.raises(Unauthenticated, match="not known"):
                read_session(session, token, 1000, keys)


@pytest.mark.parametrize("token", ["", "a", "a.b.c.d", "..." * 200, "é.1.2.3", "x.99999999999.n.s"])
def test_what_is_no_session_leads_to_the_door(app: APIFlask, ground: Ground, token: str) -> None:
    client = app.test_client()
    client.set_cookie(COOKIE, token)
    assert client.get("/jobs").location == "/sign-in"


def test_who_signs_out_has_no_session_any_more(visitor: Visitor) -> None:
    cookie = visitor.client.get_cookie(COOKIE)
    assert cookie is not None
    assert visitor.send("/sign-out").location == "/sign-in"
    assert visitor.get("/jobs").location == "/sign-in"
    visitor.client.set_cookie(COOKIE, cookie.value)
    assert visitor.get("/jobs").location == "/sign-in", "a copy of the cookie is good no more"
    visitor.sign_in()
    assert visitor.get("/jobs").status_code == 200


def test_a_fragment_without_a_session_sends_the_whole_page_to_the_door(app: APIFlask) -> None:
    answer = app.test_client().get("/jobs/live", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (401, "/sign-in")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
    ],
)
def test_forms_of_other_sites_change_nothing(
    visitor: Visitor, caller: Caller, headers: dict[str, str]
) -> None:
    job = caller.submit()["id"]
    data = {"form_token": visitor.form_token()}
    answer = visitor.client.post(f"/jobs/{job}/cancel", data=data, headers=headers)
    assert answer.status_code == 403
    assert "page of another site" in answer.text
    assert caller.get(f"/v1/jobs/{job}").json["status"] == "in_progress"
    client = visitor.client.application.test_client()
    assert client.post("/sign-in", data={"key": "x"}, headers=headers).status_code == 403


def test_a_form_without_the_sessions_token_changes_nothing(
    visitor: Visitor, visiting_stranger: Visitor, caller: Caller
) -> None:
    job = caller.submit()["id"]
    for data in ({"do": ""}, {"form_token": ""}, {"form_token": visiting_stranger.form_token()}):
        answer = visitor.client.post(f"/jobs/{job}/cancel", data=data, headers=SAME_SITE)
        assert answer.status_code == 403
    assert caller.get(f"/v1/jobs/{job}").json["status"] == "in_progress"


def test_a_session_may_call_the_api_with_its_token_as_its_key_may(visitor: Visitor) -> None:
    assert visitor.get("/v1/jobs").json["data"] == []
    check_problem(visitor.client.post("/v1/jobs", json=job_body(), headers=SAME_SITE), 403)
    headers = SAME_SITE | {"X-Form-Token": visitor.form_token()}
    assert visitor.client.post("/v1/jobs", json=job_body(), headers=headers).status_code == 202
    check_problem(visitor.get("/v1/audit"), 403)


def test_a_body_that_is_no_form_is_refused(visitor: Visitor) -> None:
    answer = visitor.client.post("/jobs", json={"do": "delete"}, headers=SAME_SITE)
    assert answer.status_code == 415
