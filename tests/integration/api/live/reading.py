"""A reader of server-sent events, as the HTML standard has it, for tests."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.integration.api.fronts import Front


@dataclass(frozen=True)
class Told:
    """One event; `id` is the last that the stream has named."""

    event: str
    id: str
    body: Any

    @property
    def job(self) -> str:
        return self.body["data"]["id"]


def parse(lines: Iterable[str]) -> Iterator[Told]:
    """Give the events of a stream; comments are dropped."""
    fields: dict[str, str] = {}
    last = ""
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            if name:
                fields[name] = value.removeprefix(" ")
            continue
        last = fields.get("id", last)
        if "data" in fields:
            yield Told(fields["event"], last, json.loads(fields["data"]))
        fields = {}


def words(told: Iterable[Told]) -> list[str]:
    return [each.event for each in told]


@contextmanager
def following(
    front: Front, path: str, after: str | int | None = None, timeout: float = 20
) -> Iterator[Iterator[Told]]:
    """Follow a stream of a running server until the block ends."""
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    with (
        httpx.Client(base_url=front.url, headers=front.headers, timeout=timeout) as client,
        client.stream("GET", path, headers=headers) as answer,
    ):
        assert answer.status_code == 200, answer.read()
        yield parse(answer.iter_lines())
