"""Weights sent as no client of ours would, which refuses the worst before it sends anything."""

import json
from collections.abc import Mapping
from typing import Any

import httpx

from tests.e2e.stacks import RunningStack, wait_for


def refusal_of(
    stack: RunningStack, name: str, weights: bytes, record: Mapping[str, Any] | None = None
) -> str:
    """Send a version that is to be refused, at once or by a worker; gives the server's words."""
    url = f"{stack.info['url']}/v1/models/{name}/versions"
    headers = {"Authorization": f"Bearer {stack.info['api_key']}", "Prefer": "wait=50"}
    with httpx.Client(headers=headers, timeout=90, trust_env=False) as client:
        answer = client.post(
            url, data={"record": json.dumps(record or {})}, files={"weights": ("weights", weights)}
        )
        if answer.is_success:  # no worker has come to it yet
            mine = f"{url}/{answer.json()['version']}"
            version = wait_for(lambda: _judged(client.get(mine)), 240, "a worker to try it out")
            assert version["state"] == "refused", version
            return str(version["reason"])
    assert answer.status_code in (400, 422), answer.text
    return str(answer.json()["detail"])


def _judged(answer: httpx.Response) -> dict[str, Any]:
    version: dict[str, Any] = answer.json()
    return {} if version["state"] == "validating" else version
