"""Somebody in front of a browser, signed in with a key."""

import re
from typing import Any

from apiflask import APIFlask
from sqlalchemy import event
from werkzeug.test import TestResponse

from jobs.base.bootstrap import Ground
from jobs.tenants.keys import NewKey

SAME_SITE = {"Sec-Fetch-Site": "same-origin"}


class Visitor:
    """Flask's test client with a session, which sends forms as the pages' own are sent."""

    def __init__(self, app: APIFlask, key: NewKey) -> None:
        self.client, self.key = app.test_client(), key
        self.tenant_id = key.tenant_id

    def sign_in(self) -> TestResponse:
        return self.client.post("/sign-in", data={"key": self.key.key}, headers=SAME_SITE)

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.client.get(path, **more)

    def form_token(self) -> str:
        found = re.search(r'name="form-token" content="([0-9a-f]+)"', self.get("/jobs").text)
        assert found, "every page has the session's token"
        return found[1]

    def send(self, path: str, **fields: Any) -> TestResponse:
        data = {"form_token": self.form_token(), **fields}
        return self.client.post(path, data=data, headers=SAME_SITE)


class Queries:
    """Counts the statements that a ground floor's database is asked."""

    def __init__(self, ground: Ground) -> None:
        self.count = 0
        event.listen(ground.database.engine, "before_cursor_execute", self._note)

    def _note(self, *_: Any) -> None:
        self.count += 1
