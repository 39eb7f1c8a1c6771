"""The kit for authors: a good package passes, and every fault is one line that names it."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from models.extensions import Architecture, Picture, Sample
from models.pictures.data import encode
from models.records.errors import ImageTooLarge
from pixelmill.testing import Check, PackageFault, check_package, checks_of, predict
from tests.model_files.own_modules import Means, NewModule, boxes, classes, prepare

SCALE = {"channels": 3, "mean": [0.5] * 3, "std": [0.25] * 3}
CROPPED = {"resize": 8, "crop": 8, **SCALE}
LETTERBOX = {"letterbox": [16, 16], "resize_by": "opencv", **SCALE}
USUAL: dict[str, Any] = {"task": "classification", "labels": ("a", "b"), "preprocess": CROPPED}


def faults(new_module: NewModule, value: Any, **given: Any) -> list[str]:
    name = new_module("mine", {"own/net": value})
    try:
        check_package(name, **given)
    except PackageFault as err:
        found = err.faults
    else:
        found = []
    assert all(each and "\n" not in each for each in found)
    return found


def only_fault(new_module: NewModule, **says: Any) -> str:
    found = faults(new_module, Architecture(**({"build": Means} | USUAL | says)))
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(
    "says",
    [
        {},
        {"prepare": prepare},
        {"postprocess": classes},
        {"prepare": prepare, "postprocess": classes},
        {"task": "detection", "preprocess": LETTERBOX, "postprocess": boxes},
        {"task": "embedding", "labels": ()},
        {"preprocess": LETTERBOX},
    ],
    ids=["usual", "prepare", "postprocess", "both", "detection", "embedding", "letterbox"],
)
def test_a_good_package_has_no_faults(new_module: NewModule, says: dict[str, Any]) -> None:
    assert faults(new_module, Architecture(**({"build": Means} | USUAL | says))) == []


def test_a_builder_alone_is_checked_with_what_a_record_says(new_module: NewModule) -> None:
    assert faults(new_module, Means, records={"own/net": USUAL}) == []
    (fault,) = faults(new_module, Means)
    assert fault.startswith("own/net: ")
    assert "--task" in fault


def test_a_network_for_videos_is_checked_on_films(new_module: NewModule) -> None:
    class Frames(Means):
        def forward(self, frames: torch.Tensor) -> torch.Tensor:
            return self.judge(frames.mean((2, 3, 4)))

    film = CROPPED | {"resize": [8], "crop": [8, 8], "fps": 5.0, "window": 4, "windows": [4, 4]}
    says = USUAL | {"task": "video-classification", "preprocess": film}
    assert faults(new_module, Architecture(build=Frames, **says)) == []


def test_weights_that_are_given_are_used(new_module: NewModule, tmp_path: Path) -> None:
    name = new_module("mine", {"own/net": Architecture(build=Means, **USUAL)})
    network = Means(2)
    with torch.no_grad():
        network.judge.weight.zero_()
        network.judge.bias.copy_(torch.tensor([0.0, 9.0]))
    save_file(network.state_dict(), tmp_path / "net.safetensors")
    check_package(name, weights=tmp_path / "net.safetensors")
    (tmp_path / "one.png").write_bytes(encode(np.zeros((5, 6, 3), np.uint8), ".png"))
    for picture in (tmp_path / "one.png", (tmp_path / "one.png").read_bytes()):
        (answer,) = predict(name, picture, weights=tmp_path / "net.safetensors")
        assert answer["class"] == "b"
    save_file({"judge.weight": torch.zeros(2, 5)}, tmp_path / "other.safetensors")
    with pytest.raises(PackageFault, match=r"own/net: .*judge\.bias"):
        check_package(name, weights={"own/net": tmp_path / "other.safetensors"})
    with pytest.raises(PackageFault, match="'own/other'"):
        check_package(name, weights={"own/other": tmp_path / "net.safetensors"})
    with pytest.raises(PackageFault, match="cannot be read"):
        check_package(name, weights=tmp_path / "nowhere.safetensors")


def test_the_checks_come_one_by_one_with_names(new_module: NewModule) -> None:
    good, bad = Architecture(build=Means, **USUAL), Architecture(build=lambda _: 3, **USUAL)
    name = new_module("mine", {"own/good": good, "own/bad": bad})
    found = {str(check): check for check in checks_of(name)}
    assert len(found) == 18
    assert all(isinstance(check, Check) for check in found.values())
    for name, check in found.items():
        if name.startswith("own/good "):
            check()
        else:
            with pytest.raises(PackageFault, match=r"own/bad: .*not a torch"):
                check()


def test_a_module_that_is_not_there_is_one_fault() -> None:
    with pytest.raises(PackageFault, match=r"'no\.such\.module' cannot be imported"):
        check_package("no.such.module")
    (check,) = checks_of("no.such.module")
    with pytest.raises(PackageFault, match="cannot be imported"):
        check()


class Broken(Means):
    """Fails on every batch."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("no way")


class Mixed(Means):
    """Looks at the whole batch."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return super().forward(pictures - pictures.mean(0))


class Lonely(Means):
    """Takes one picture alone."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return super().forward(pictures.reshape(1, 3, 8, 8))


class Writing(Means):
    """Keeps what it saw last, by an attribute."""

    last: torch.Tensor | None = None

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        self.last = pictures.mean((2, 3))
        return self.judge(self.last)


class Counting(Means):
    """Counts in a buffer."""

    def __init__(self, labels: int) -> None:
        super().__init__(labels)
        self.register_buffer("count", torch.zeros(1))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        self.count += len(pictures)
        return super().forward(pictures)


_CALLS = itertools.count()


class Unsteady(Means):
    """Answers otherwise with every call, by a global."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return super().forward(pictures) + next(_CALLS)


class Divided(Means):
    """Divides by what is zero in a white picture."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        brightest = pictures.amax((1, 2, 3))[:, None]
        return super().forward(pictures) / (brightest - 2).clamp(max=0)


class OnlyWide(Means):
    """Takes no small pictures."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return super().forward(nn.functional.unfold(pictures, 9).unflatten(1, (3, 81)))


_SHARED = Means(2)
_BUILT = {"once": False}


def built_once(labels: int) -> nn.Module:
    """Build for the first time alone."""
    if _BUILT["once"]:
        raise RuntimeError("registered already")
    _BUILT["once"] = True
    return Means(labels)


def careless(_record: Any, picture: Picture) -> Sample:
    """Cut without a look at the size."""
    cut = torch.from_numpy(picture.pixels[:16, :16].copy()).permute(2, 0, 1)
    return Sample(cut.reshape(3, 16, 16)[:, ::2, ::2], picture.height, picture.width)


def refusing(_record: Any, _picture: Picture) -> Sample:
    """Take nothing larger than a stamp."""
    raise ImageTooLarge("Send a stamp.")


def unmoved(record: Any, row: torch.Tensor, seen: Any, params: Any) -> list[dict[str, Any]]:
    """Leave the boxes where they are in a sample."""
    box = {"x": 20.0, "y": 20.0, "width": 5.0, "height": 5.0}
    return [{**each, "box": box} for each in classes(record, row, seen, params)]


def unsure(record: Any, row: torch.Tensor, _seen: Any, _params: Any) -> list[dict[str, Any]]:
    """Give logits as if they were chances."""
    return [{"class": "a", "class_id": 0, "confidence": 7.5}]


def picky(record: Any, row: torch.Tensor, seen: Any, params: Any) -> list[dict[str, Any]]:
    """Fail on small pictures."""
    if seen.height < 5:
        raise ValueError("too small for me")
    return classes(record, row, seen, params)


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ({"build": lambda _: 1 / 0}, ["cannot be built", "ZeroDivisionError"]),
        ({"build": lambda _: nn.Identity()}, ["no tensors"]),
        ({"build": Broken}, ["forward fails on black pictures", "no way"]),
        ({"build": Mixed}, ["a batch of 2", "otherwise", "by itself"]),
        ({"build": Lonely}, ["forward fails on black pictures", "`max_batch`"]),
        ({"build": Writing}, ["forward writes `last`", "PIXELMILL_LANES=1"]),
        ({"build": Divided}, ["not a finite number", "a white picture"]),
        ({"build": OnlyWide}, ["forward fails on"]),
        ({"build": lambda _: _SHARED}, ["loaded twice", "new module each time"]),
        ({"labels": ("a", "b", "c"), "build": lambda _: Means(2)}, ["the answer is not what"]),
        ({"prepare": careless}, ["1 x 1", "ImageTooLarge"]),
        ({"prepare": refusing}, ["refuses a black picture", "Send a stamp."]),
        ({"postprocess": unsure}, ["outside the contract", "`confidence`", "7.5"]),
        ({"postprocess": picky}, ["too small for me", "Mend `postprocess`"]),
        (
            {"task": "detection", "preprocess": LETTERBOX, "postprocess": unmoved},
            ["beside the picture", "seen.in_original"],
        ),
        ({"preprocess": {"resize": 4, "crop": 8, **SCALE}}, ["1 <= crop <= resize"]),
    ],
    ids=lambda each: str(next(iter(each)))[:20],
)
def test_a_fault_is_a_line_that_says_how_to_mend_it(
    new_module: NewModule, says: dict[str, Any], words: list[str]
) -> None:
    found = faults(new_module, Architecture(**({"build": Means} | USUAL | says)))
    assert found
    line = next((each for each in found if all(word in each for word in words)), None)
    assert line is not None, found
    assert all(each.startswith("own/net: ") and each.endswith(".") for each in found)


def test_a_buffer_that_is_written_is_found(new_module: NewModule) -> None:
    assert "forward writes `count`" in only_fault(new_module, build=Counting)


def test_answers_that_differ_between_threads_are_found(new_module: NewModule) -> None:
    found = faults(new_module, Architecture(build=Unsteady, **USUAL))
    assert any("4 threads at a time get other answers" in each for each in found)


def test_a_builder_that_can_be_called_once_is_found(new_module: NewModule) -> None:
    _BUILT["once"] = False
    found = faults(new_module, Architecture(build=built_once, **USUAL))
    assert any("registered already" in each for each in found)


def test_the_kit_is_imported_without_torch() -> None:
    import subprocess
    import sys

    code = "import sys, pixelmill.testing; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
