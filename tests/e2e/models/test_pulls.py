"""Models of the hub, pulled through a real stack: what they answer and what is known of them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import transformers
from timm.models._hub import save_for_hf

from benchmarks.parity.hugging_face.tinies import TINIES
from benchmarks.parity.hugging_face.tiny import NAMES
from tests.e2e.models import foreign
from tests.e2e.stacks import RunningStack, results_of
from tests.hub_server import FakeHub, fake_hub

EVERYTHING = {"top_k": 5, "min_confidence": 0.0}


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with fake_hub() as served:
        yield served


@pytest.fixture
def environ(hub: FakeHub, stack: RunningStack, tmp_path: Path) -> dict[str, str]:
    return {
        **{name: each for name, each in os.environ.items() if not name.startswith("HF_")},
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "huggingface"),
        "PIXELMILL_URL": stack.info["url"],
        "PIXELMILL_API_KEY": stack.info["api_key"],
    }


def read(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def pulled(environ: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pixelmill", "pull", *arguments],
        env=environ,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def answers(stack: RunningStack, name: str, folder: Path) -> list[list[dict[str, object]]]:
    with stack.client() as client:
        job = client.submit(folder, model=name, params=EVERYTHING)
        client.wait(job, timeout=120).check()
        return [row["predictions"] for row in results_of(client, job.id)]


def test_a_network_of_timm_answers_as_timm_does(
    stack: RunningStack, hub: FakeHub, environ: dict[str, str], tmp_path: Path
) -> None:
    network = foreign.timm_network("test_resnet")
    # Not what the library has for this name: the hub's own file is to count.
    network.pretrained_cfg = {**network.pretrained_cfg, "crop_pct": 0.7, "mean": (0.4, 0.5, 0.6)}
    foreign.spread(network, network.get_classifier(), foreign.for_timm(network, foreign.SEEN))
    save_for_hf(
        network,
        str(tmp_path / "saved"),
        model_config={"label_names": list(foreign.LABELS)},
        safe_serialization=True,
    )
    repository = hub.add("timm/beasts.test", read(tmp_path / "saved"))
    name = pulled(environ, "timm/beasts.test")
    assert name == "my/beasts.test@1"
    folder = foreign.write_pictures(tmp_path / "pictures", 12)
    with torch.inference_mode():
        batch = foreign.for_timm(network, foreign.read_pictures(folder))
        chances = network(batch).softmax(1)
    foreign.check_chances(answers(stack, name, folder), chances)
    with stack.client() as client:
        raw = client.model(name).raw
        record = {each: raw[each] for each in ("architecture", "labels", "preprocess", "options")}
        weights = tmp_path / "saved" / "model.safetensors"
        again = client.push("my/beasts.again", weights, record, wait=50)
        assert (again.state, again.raw["options"]) == ("ready", raw["options"])
    assert raw["options"]["global_pool"] == "avg"
    assert raw["architecture"] == "timm/test_resnet"
    assert raw["provenance"] == {
        "source": f"Hugging Face: timm/beasts.test@{repository.commit}",
        "license": "apache-2.0",
        "author": "timm",
    }


def test_a_folder_in_parts_answers_as_transformers_does(
    stack: RunningStack, hub: FakeHub, environ: dict[str, str], tmp_path: Path
) -> None:
    (tiny,) = (each for each in TINIES if each.name == "vit")
    saved = tmp_path / "vit"
    network = tiny.save(saved)
    folder = foreign.write_pictures(tmp_path / "pictures", 12)
    processor = transformers.ViTImageProcessorPil.from_pretrained(saved)
    batch = processor(images=foreign.read_pictures(folder), return_tensors="pt")["pixel_values"]
    foreign.spread(lambda pixels: network(pixels).logits, network.classifier, batch)
    (saved / "model.safetensors").unlink()
    network.save_pretrained(saved, max_shard_size="20KB")
    assert not (saved / "model.safetensors").exists()
    index = json.loads((saved / "model.safetensors.index.json").read_text())
    assert len(set(index["weight_map"].values())) > 1
    hub.add("own/vit-tiny", read(saved))
    name = pulled(environ, "hf:own/vit-tiny@main", "my/vit-in-parts")
    with torch.inference_mode():
        chances = network(batch).logits.softmax(1)
    foreign.check_chances(answers(stack, name, folder), chances, tuple(NAMES.values()))
