"""The API's own role of PostgreSQL reads every page, and may make no keys."""

from collections.abc import Callable

import pytest

from api.app import create_app
from jobs.base.bootstrap import Ground
from jobs.tables import ModelVersion
from jobs.tenants.keys import create_key
from migrations.grants import API
from tests.integration.api.page.visitors import Visitor

PLACES = ("/jobs", "/new", "/playground", "/models", "/models/digits", "/workers", "/webhooks")


@pytest.mark.parametrize("is_admin", [False, True])
def test_the_apis_role_shows_every_page_and_is_told_that_it_makes_no_keys(
    ground: Ground,
    as_role: Callable[[str], Ground],
    digits_model: ModelVersion,
    is_admin: bool,
) -> None:
    visitor = Visitor(create_app(as_role(API)), create_key(ground.database, "acme", admin=is_admin))
    assert visitor.sign_in().status_code == 303
    for path in (*PLACES, "/keys", *(["/audit"] if is_admin else [])):
        assert visitor.get(path).status_code == 200, path
    made = visitor.send("/keys", tenant="acme")
    assert made.status_code == 403
    assert ("may not write keys" in made.text) is is_admin
