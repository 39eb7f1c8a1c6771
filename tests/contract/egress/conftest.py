"""A world for each test, and what is dialled in it."""

import sys
from contextlib import ExitStack

import pytest

from tests.contract.egress.world import World

_DIALLED: list[list] = []
sys.addaudithook(
    lambda event, args: (
        _DIALLED[-1].append((event, args[-1] if event == "socket.connect" else args[0]))
        if _DIALLED and event in ("socket.connect", "socket.getaddrinfo")
        else None
    )
)


@pytest.fixture
def world():
    """Start servers and guards that the end of the test closes."""
    with ExitStack() as stack:
        yield World(stack)


@pytest.fixture
def dialled():
    """Give the (event, address) pairs of every lookup and connection from here on."""
    _DIALLED.append([])
    yield _DIALLED[-1]
    _DIALLED.pop()
