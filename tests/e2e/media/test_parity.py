"""Results equal those of torchvision called directly, index by index."""

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from PIL import Image
from torchvision.io import ImageReadMode, decode_image
from torchvision.models import MobileNet_V3_Small_Weights, mobilenet_v3_small

from tests.e2e.stacks import RunningStack, results_of

NAME = "torchvision/mobilenet_v3_small"


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    """A network with random weights that tells photos apart: published ones are not at hand."""
    torch.manual_seed(7)
    made = mobilenet_v3_small(weights=None)
    for module in made.modules():
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, std=0.2)
    return made.eval()


@pytest.fixture(scope="module")
def registered(
    stack: RunningStack, network: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory
) -> str:
    path = tmp_path_factory.mktemp("weights") / "state.pth"
    torch.save(network.state_dict(), path)
    environ = {
        **os.environ,
        "PIXELMILL_DATABASE_URL": f"sqlite:///{stack.data / 'pixelmill.db'}",
        "PIXELMILL_STORAGE_URL": (stack.data / "blobs").as_uri(),
    }
    command = [sys.executable, "-m", "pixelmill", "register", NAME, "--weights", str(path)]
    subprocess.run(command, env=environ, check=True, capture_output=True)
    return NAME


@torch.inference_mode()
def directly(network: torch.nn.Module, photos: list[bytes], *, pil: bool) -> torch.Tensor:
    """Softmax (n, 1000) by torchvision's own decoding and its published preprocessing."""
    transforms = MobileNet_V3_Small_Weights.DEFAULT.transforms()
    outputs = []
    for start in range(0, len(photos), 64):
        batch = [
            transforms(
                Image.open(io.BytesIO(photo)).convert("RGB")
                if pil
                else decode_image(
                    torch.frombuffer(bytearray(photo), dtype=torch.uint8), ImageReadMode.RGB
                )
            )
            for photo in photos[start : start + 64]
        ]
        outputs.append(network(torch.stack(batch)).softmax(1))
    return torch.cat(outputs)


def test_two_thousand_photos_get_the_results_that_torchvision_gives_them(
    stack: RunningStack, network: torch.nn.Module, registered: str, photos_zip: Path
) -> None:
    with stack.client() as client:
        job = client.wait(
            client.submit(photos_zip, model=registered, params={"decode": "exact"}), timeout=240
        )
        assert (job.status, job.outcome) == ("completed", "succeeded")
        rows = results_of(client, job.id)
    with zipfile.ZipFile(photos_zip) as archive:
        names = archive.namelist()
        photos = [archive.read(name) for name in names]
    assert [row["index"] for row in rows] == list(range(2000))
    assert [row["custom_id"] for row in rows] == names
    classes = torch.tensor([row["predictions"][0]["class_id"] for row in rows])
    confidences = torch.tensor([row["predictions"][0]["confidence"] for row in rows])

    expected = directly(network, photos, pil=False)
    assert len(classes.unique()) > 5, "the network tells too few photos apart to compare anything"
    assert torch.equal(classes, expected.argmax(1))
    worst = (confidences - expected.amax(1)).abs().max().item()
    assert worst < 1e-3

    by_pil = directly(network, photos[:500], pil=True)
    agreement = (classes[:500] == by_pil.argmax(1)).float().mean().item()
    print(f"\nworst difference to torchvision's tensor path: {worst:.1e}")
    print(f"same class as torchvision's PIL path: {agreement:.1%} of 500")
    assert agreement > 0.9
