"""A tenant who uploads, and somebody else."""

import pytest

from tests.integration.api.callers import Caller
from tests.integration.api.uploads.tus import Tus


@pytest.fixture
def tus(caller: Caller) -> Tus:
    return Tus(caller)


@pytest.fixture
def other(stranger: Caller) -> Tus:
    return Tus(stranger)
