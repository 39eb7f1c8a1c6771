"""Fixtures of this folder."""

import pytest

from jobs.base.bootstrap import Ground
from jobs.tables import ModelVersion
from models.catalog import SHIPPED, shipped_weights
from models.runtime.network import Network
from models.runtime.registry import load
from workers.register import register_shipped


@pytest.fixture
def digits(ground: Ground) -> ModelVersion:
    (version,) = (each for each in register_shipped(ground) if each.name == "digits")
    return version


@pytest.fixture(scope="module")
def network() -> Network:
    return load(SHIPPED["digits"], shipped_weights("digits").read_bytes())
