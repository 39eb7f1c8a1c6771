"""Weights sent as no client of ours would, which refuses the worst before it sends anything."""

import json
from collections.abc import Mapping
from typing import Any

import httpx

from tests.e2e.stacks import RunningStack


def refusal_of(
    stack: RunningStack, name: str, weights: bytes, record: Mapping[str, Any] | None = None
) -> str:
    """Send a version that is to be refused, at once or by a worker; gives the server's words."""
    answer = httpx.post(
        f"{stack.info['url']}/v1/models/{name}/versions",
        headers={"Authorization": f"Bearer {stack.info['api_key']}", "Prefer": "wait=50"},
        data={"record": json.dumps(record or {})},
        files={"weights": ("weights", weights)},
        timeout=90,
        trust_env=False,
    )
    assert answer.status_code in (400, 422), answer.text
    said: str = answer.json()["detail"]
    return said
