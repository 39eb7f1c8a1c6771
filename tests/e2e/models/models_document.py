"""What the examples of docs/models.md need: files by their names, smaller networks, a hub.

A new example runs by itself if it names nothing new. A file that it names is a line of FILES; a
large network has a smaller stand-in in SMALLER; what has to be there before is a line of BEFORE.
"""

import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import timm
import torch
import torchvision
from timm.models._hub import save_for_hf

from benchmarks.parity.compared import Pixels
from benchmarks.parity.compared import pictures as pictures_of
from models.pictures.data import encode, train_digits
from pixelmill import Client
from tests.documents import Example, examples
from tests.e2e.stacks import RunningStack
from tests.hub_server import FakeHub
from tests.model_files.foreign_files import save_timm, save_vit, yolo_onnx
from tests.model_files.onnx_files import brightness_onnx
from tests.model_files.weights_files import RECORD, noisy_digits
from tests.unit.models.huggingface import two_towers

_DOCUMENT = Path(__file__).parents[3] / "docs" / "models.md"
# What stands for networks that are too large for a test.
SMALLER = {
    "timm/convnext_tiny": "timm/convnext_atto",
    "torchvision/resnet18": "torchvision/shufflenet_v2_x0_5",
    "torchvision/resnet50": "torchvision/shufflenet_v2_x0_5",
}
# Examples that cannot be run, by their text, with the reason.
EXCUSED: Mapping[str, str] = {}
# Sections whose examples build on each other: those who run them, as they stand in the document.
ELSEWHERE: Mapping[str, str] = {
    "Labels with each job": "tests/e2e/models/test_zero_shot.py",
    "Modules of your own": "tests/e2e/models/test_own_model.py",
    "How good is it on your pictures": "tests/e2e/models/test_evaluations.py",
}


@dataclass(frozen=True)
class Scene:
    """Where an example runs: its folder, the stack, an operator's key, the hub that is played."""

    folder: Path
    stack: RunningStack
    key: str
    hub: FakeHub

    def client(self) -> Client:
        """Give a client of the reader's."""
        return Client(self.stack.info["url"], self.key)

    @property
    def environ(self) -> dict[str, str]:
        """The environment of somebody who has a stack, and internet."""
        plain = {name: each for name, each in os.environ.items() if not name.startswith("HF_")}
        programs = str(Path(sys.executable).parent)
        return plain | {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PIXELMILL_DATA": str(self.stack.data),
            "PIXELMILL_URL": self.stack.info["url"],
            "PIXELMILL_API_KEY": self.key,
            "HF_ENDPOINT": self.hub.url,
            "HF_HOME": str(self.folder / "huggingface"),
            "TORCH_HOME": str(self.folder / "torch"),
        }

    def ready(self, example: Example) -> str:
        """Make what an example needs; gives it as it is run."""
        text = example.text
        for large, small in SMALLER.items():
            text = text.replace(large, small)
        for name in FILES.keys() & set(_words(text)):
            if not (path := self.folder / name).exists():
                FILES[name](path)
        for pattern, before in BEFORE.items():
            if re.search(pattern, text, re.MULTILINE):
                text = before(self, text)
        return text


def _words(text: str) -> list[str]:
    """Give what may be names of files: `./vit-base/` is `vit-base`."""
    words = re.findall(r"[^\s'\"`,()=\[\]]+", text)
    return [word.removeprefix("./").removesuffix("/") for word in words]


def _save_timm(path: Path) -> None:
    save_timm(path, "convnext_atto", 3)


def _save_pickled_timm(path: Path) -> None:
    torch.save(timm.create_model("convnext_atto", num_classes=3).state_dict(), path)


def _save_torchvision(classes: int) -> Callable[[Path], None]:
    def save(path: Path) -> None:
        network = torchvision.models.shufflenet_v2_x0_5(num_classes=classes)
        torch.save(network.state_dict(), path)

    return save


def _save_classes(folder: Path) -> None:
    """Write a folder for each of four digits, of thirty pictures each."""
    for number, (image, label) in enumerate(zip(*train_digits(), strict=True)):
        path = folder / str(label) / f"{number:04d}.png"
        if label < 4 and (not path.parent.exists() or len(list(path.parent.iterdir())) < 30):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode(image, ".png"))


def _save_clip(folder: Path) -> None:
    folder.mkdir()
    two_towers.save("clip", folder, [picture for picture, _ in _seen()])


def _save_photos(folder: Path) -> None:
    folder.mkdir()
    for number, (_, file) in enumerate(_seen()):
        (folder / f"part{number}.png").write_bytes(file)


def _save_record(path: Path) -> None:
    """Write the record that the document shows, as it stands there."""
    shown = [each.text for each in examples(_DOCUMENT.read_text()) if '"preprocess"' in each.text]
    (record,) = (text for text in shown if text.startswith("{"))
    path.write_text(record)


def _seen() -> list[tuple[Pixels, bytes]]:
    pictures = pictures_of(((96, 96), (75, 131)))
    return [(each, encode(each, ".png")) for each in pictures]


FILES: dict[str, Callable[[Path], object]] = {
    "best.onnx": lambda path: path.write_bytes(yolo_onnx(["bolt", "nut"])),
    "lamps.onnx": lambda path: path.write_bytes(brightness_onnx()),
    "birds.safetensors": _save_timm,
    "birds.onnx": lambda path: path.write_bytes(brightness_onnx(224)),
    "timm.json": _save_record,
    "birds.pth": _save_pickled_timm,
    "birds.txt": lambda path: path.write_text("robin\nwren\nowl\n"),
    "cats.pth": _save_torchvision(2),
    "FILE": _save_torchvision(1000),
    "vit-base": save_vit,
    "clip": _save_clip,
    "digits": _save_classes,
    "photos": _save_photos,
    "samples": _save_photos,
}


def _weights_of_torchs_cache(scene: Scene, text: str) -> str:
    """Put weights where torch keeps what it has downloaded."""
    url = torchvision.models.ShuffleNet_V2_X0_5_Weights.DEFAULT.url
    path = scene.folder / "torch" / "hub" / "checkpoints" / url.rpartition("/")[2]
    if not path.exists():
        path.parent.mkdir(parents=True)
        _save_torchvision(1000)(path)
    return text


def _two_versions(scene: Scene, text: str) -> str:
    """Have two versions of my/digits, and write the id of a job of the first for JOB."""
    with scene.client() as client:
        for seed in range(2):
            path = scene.folder / f"{seed}.safetensors"
            path.write_bytes(noisy_digits(seed))
            client.push("my/digits", path, RECORD, wait=50)
        return text.replace("JOB", _job(client, scene.folder))


def _job(client: Client, folder: Path) -> str:
    images, _ = train_digits()
    pictures = []
    for number in range(3):
        pictures.append(folder / f"{number}.png")
        pictures[-1].write_bytes(encode(images[number], ".png"))
    job = client.submit(pictures, model="my/digits@1")
    return client.wait(job, timeout=60).check().id


def _repositories(scene: Scene, text: str) -> str:
    """Have the hub hold the repositories that the document names, small ones."""
    saved = scene.folder / "saved"
    if not saved.exists():
        network = timm.create_model("test_resnet", num_classes=3)
        names = {"label_names": ["robin", "wren", "owl"]}
        save_for_hf(network, str(saved), model_config=names, safe_serialization=True)
        save_vit(saved / "vit")
        _serve(scene.hub, "timm/resnet18.a1_in1k", saved)
        _serve(scene.hub, "google/vit-base-patch16-224", saved / "vit")
    return text


def _serve(hub: FakeHub, name: str, folder: Path) -> None:
    hub.add(name, {each.name: each.read_bytes() for each in folder.iterdir() if each.is_file()})


def _answers(scene: Scene, text: str) -> str:
    """Write what the file answers to the pictures, as its author would."""
    with scene.client() as client:
        model = client.push("my/parts-alone", scene.folder / "best.onnx", check=False, wait=50)
        job = client.submit(scene.folder / "samples", model=model.id)
        client.wait(job, timeout=60).check()
        rows = {row.custom_id: row.predictions for row in client.results(job)}
    (scene.folder / "expected.json").write_text(json.dumps(rows))
    return text


# By a pattern of an example's text: what has to be there before it.
BEFORE: dict[str, Callable[[Scene, str], str]] = {
    r"--expected expected\.json": _answers,
    r"register torchvision/\w+\s*(#|$)": _weights_of_torchs_cache,
    r"my/digits(@2| production)|\bJOB\b": _two_versions,
    r"pixelmill pull|client\.pull": _repositories,
}
