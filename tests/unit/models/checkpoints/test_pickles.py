"""What a pickle would run is told by its opcodes, in our own words, and never run."""

import argparse
import io
import os
import pickle
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import nn

from models.checkpoints.pickles import check_pickle
from models.records.errors import WeightsError
from tests.model_files.weights_files import Bomb


def saved(what: object, **options: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(what, buffer, **options)
    return buffer.getvalue()


def scripted() -> bytes:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), buffer)
    return buffer.getvalue()


def refused(data: bytes) -> str:
    with pytest.raises(WeightsError) as caught:
        check_pickle(io.BytesIO(data))
    said = str(caught.value)
    assert said.startswith("The pickle is refused: ")
    # torch's own advice is to run the code.
    assert "weights_only" not in said
    assert "\n" not in said
    return said


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_numbers_with_settings_beside_them_are_taken(is_zip: bool, protocol: int) -> None:
    held = {
        "model": OrderedDict(w=torch.zeros(2, 2), b=nn.Parameter(torch.zeros(1).half())),
        "args": argparse.Namespace(lr=0.1),
        "epoch": 3,
        "shape": torch.Size([1]),
    }
    data = saved(held, _use_new_zipfile_serialization=is_zip, pickle_protocol=protocol)
    check_pickle(io.BytesIO(data))


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_a_torchscript_archive_is_called_so() -> None:
    said = refused(scripted())
    assert "a TorchScript archive" in said
    assert "torch.save(model.state_dict(), 'weights.pth')" in said
    assert "ONNX" in said


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_whole_network_is_told_by_its_class(is_zip: bool) -> None:
    whole = {"epoch": 1, "model": nn.Sequential(nn.Linear(2, 2))}
    said = refused(saved(whole, _use_new_zipfile_serialization=is_zip))
    assert "a whole network (class torch.nn.modules.container.Sequential)" in said


@pytest.mark.parametrize("protocol", [0, 1, 2, 4, 5])
@pytest.mark.parametrize("form", ["zip", "old", "bare"])
def test_code_that_would_be_run_is_named(form: str, protocol: int, tmp_path: Path) -> None:
    held = {"w": torch.zeros(1), "bomb": Bomb(tmp_path / "sprung")}
    if form == "bare":
        data = pickle.dumps({"bomb": held["bomb"]}, protocol=protocol)
    else:
        data = saved(
            held, _use_new_zipfile_serialization=form == "zip", pickle_protocol=max(protocol, 2)
        )
    assert f"reading it would run {os.mkdir.__module__}.mkdir" in refused(data)
    assert not (tmp_path / "sprung").exists()


def test_a_name_that_comes_from_the_memo_is_read_too() -> None:
    # "os" and "system" are put on the stack once, remembered, and recalled for the call.
    data = b"\x80\x04\x8c\x02os\x94\x8c\x06system\x940h\x00h\x01\x93."
    assert "would run os.system" in refused(data)


def test_a_yolo_is_to_be_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    # As Ultralytics saves them: a class of its own, over torch's.
    said = refused(b"\x80\x02cultralytics.nn.tasks\nDetectionModel\nctorch.nn.modules.conv\nC\n0.")
    assert "class ultralytics.nn.tasks.DetectionModel" in said
    assert "yolo export model=best.pt format=onnx" in said


def test_a_copy_that_was_cut_short_is_called_damaged() -> None:
    whole = saved({"w": torch.zeros(100)})
    assert "a damaged zip archive" in refused(whole[: len(whole) // 2])
    old = saved({"w": torch.zeros(100)}, _use_new_zipfile_serialization=False)
    assert "damaged" in refused(old[:60])
    assert "damaged" in refused(b"\x80\x02")


def test_a_pickle_that_torch_did_not_write_is_no_checkpoint() -> None:
    assert "no checkpoint that torch.save wrote" in refused(pickle.dumps({"w": [1.0]}))


def test_a_file_is_looked_at_without_torch(tmp_path: Path) -> None:
    (tmp_path / "w.pkl").write_bytes(pickle.dumps(Bomb(tmp_path / "sprung")))
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.modules['torch'] = sys.modules['safetensors'] = None\n"
            "from models.convert import main; sys.exit(main(sys.argv[1:]))",
            str(tmp_path / "w.pkl"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "would run" in done.stderr
    assert "Error" not in done.stderr
