"""What the tests of the networks share: one thread, and pictures in every form."""

import io
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image

from models.catalog import SHIPPED, shipped_weights
from models.runtime.network import Network
from models.runtime.registry import load


@pytest.fixture(scope="session", autouse=True)
def one_torch_thread():
    """Keep sums in one order, and cores free for the other tests."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def digits() -> Network:
    return load(SHIPPED["digits"], shipped_weights("digits").read_bytes())


@pytest.fixture(scope="session")
def picture() -> np.ndarray:
    """A smooth RGB picture without symmetry: uint8 (90, 120, 3)."""
    down, right = np.mgrid[0:90, 0:120]
    return np.stack([down * 2, right * 2, (down + right)], -1).astype(np.uint8)


@pytest.fixture(scope="session")
def encoded(picture) -> Callable[..., bytes]:
    """Encode with Pillow: encoded("JPEG", mode="L", exif=...)."""

    def encode(kind: str, mode: str = "RGB", **options) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(picture).convert(mode).save(buffer, kind, **options)
        return buffer.getvalue()

    return encode
