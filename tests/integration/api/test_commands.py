"""An operator's commands about keys."""

import json

import pytest
from apiflask import APIFlask
from flask.testing import FlaskCliRunner
from sqlalchemy import select

from jobs.base.bootstrap import Ground
from jobs.tables import ApiKey, Tenant


@pytest.fixture
def cli(app: APIFlask) -> FlaskCliRunner:
    return app.test_cli_runner()


def create(cli: FlaskCliRunner, *more: str) -> dict[str, str]:
    done = cli.invoke(args=["keys", "create", "--tenant", "acme", "--json", *more])
    assert done.exit_code == 0, done.output
    created: dict[str, str] = json.loads(done.stdout)
    return created


def test_a_created_key_opens_the_api(app: APIFlask, cli: FlaskCliRunner) -> None:
    made = create(cli)
    assert made["webhook_secret"].startswith("whsec_")
    headers = {"Authorization": f"Bearer {made['key']}"}
    assert app.test_client().get("/v1/jobs", headers=headers).status_code == 200


def test_a_second_key_of_a_tenant_is_the_same_tenants(cli: FlaskCliRunner) -> None:
    one, other = create(cli), create(cli)
    assert one["tenant_id"] == other["tenant_id"]
    assert one["webhook_secret"] == other["webhook_secret"]
    assert one["key"] != other["key"]


@pytest.mark.parametrize(("options", "weight"), [([], 2), (["--weight", "3"], 3)])
def test_a_later_key_changes_its_tenants_weight_only_where_it_says_so(
    cli: FlaskCliRunner, ground: Ground, options: list[str], weight: float
) -> None:
    create = ["keys", "create", "--tenant", "acme"]
    cli.invoke(args=[*create, "--weight", "2"])
    assert cli.invoke(args=[*create, *options]).exit_code == 0
    with ground.database.read() as session:
        assert session.scalars(select(Tenant.weight)).one() == weight


def test_a_key_is_shown_to_people_too_and_kept_nowhere(cli: FlaskCliRunner, ground: Ground) -> None:
    done = cli.invoke(args=["keys", "create", "--tenant", "acme", "--weight", "2"])
    (key,) = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("key ")]
    secret = key.rpartition("_")[2]
    with ground.database.read() as session:
        row = session.scalars(select(ApiKey)).one()
        assert session.scalars(select(Tenant.weight)).one() == 2
    assert all(secret not in str(value) for value in vars(row).values())
    listed = cli.invoke(args=["keys", "list"]).stdout
    assert row.id in listed
    assert secret not in listed


def test_a_revoked_key_is_listed_as_such_and_refused(app: APIFlask, cli: FlaskCliRunner) -> None:
    made = create(cli, "--name", "laptop")
    assert cli.invoke(args=["keys", "revoke", made["key_id"]]).exit_code == 0
    line = cli.invoke(args=["keys", "list"]).stdout
    assert "revoked" in line
    assert "laptop" in line
    headers = {"Authorization": f"Bearer {made['key']}"}
    assert app.test_client().get("/v1/jobs", headers=headers).status_code == 401


def test_the_last_good_key_of_an_operator_stays(cli: FlaskCliRunner) -> None:
    create(cli)
    one = create(cli, "--admin")["key_id"]
    refused = cli.invoke(args=["keys", "revoke", one])
    assert refused.exit_code == 1
    assert "Make another one first" in refused.output
    create(cli, "--admin")
    assert cli.invoke(args=["keys", "revoke", one]).exit_code == 0


def test_a_key_that_does_not_exist_cannot_be_revoked(cli: FlaskCliRunner) -> None:
    done = cli.invoke(args=["keys", "revoke", "nonsense"])
    assert done.exit_code == 1
    assert "keys list" in done.output


@pytest.mark.parametrize("arguments", [[], ["--tenant", "a", "--weight", "0"]])
def test_a_command_that_makes_no_sense_is_refused(
    cli: FlaskCliRunner, arguments: list[str]
) -> None:
    assert cli.invoke(args=["keys", "create", *arguments]).exit_code == 2


def test_only_an_admins_key_is_an_operators_and_the_log_says_who_has_one(
    app: APIFlask, cli: FlaskCliRunner
) -> None:
    plain, admin = create(cli), create(cli, "--admin")
    answers = [
        app.test_client().get("/v1/audit", headers={"Authorization": f"Bearer {made['key']}"})
        for made in (plain, admin)
    ]
    assert [answer.status_code for answer in answers] == [403, 200]
    entries = answers[1].json["data"]
    made = {each["subject"]: each["details"]["admin"] for each in entries}
    assert made == {plain["key_id"]: False, admin["key_id"]: True}
    assert {(each["who"], each["action"]) for each in entries} == {("operator", "key.created")}
    assert "(admin)" in cli.invoke(args=["keys", "list"]).stdout
    cli.invoke(args=["keys", "revoke", plain["key_id"]])
    headers = {"Authorization": f"Bearer {admin['key']}"}
    newest = app.test_client().get("/v1/audit", headers=headers).json["data"][0]
    assert (newest["action"], newest["subject"]) == ("key.revoked", plain["key_id"])
