"""Training on a folder from the command line, and going on after a kill."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from models.records.record import ModelRecord
from models.runtime.registry import load
from models.train import main
from tests.unit.models.training.labelled import DigitImages

OPTIONS = ["--epochs", "4", "--batch", "8", "--learning-rate", "0.003"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return DigitImages((0, 1, 4), each=20).write(tmp_path_factory.mktemp("data") / "zeros")


def written(out: Path, name: str) -> tuple[bytes, bytes]:
    return (out / f"{name}.safetensors").read_bytes(), (out / f"{name}.json").read_bytes()


def test_it_writes_weights_record_and_card(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["folder", str(folder), "--out", str(tmp_path), "--kernel-size", "5", *OPTIONS])
    weights, text = written(tmp_path, "zeros")
    record = ModelRecord.from_json(json.loads(text))
    load(record, weights).warm_up()
    assert record.options == {"kernel_size": 5}
    assert record.metrics["validation_accuracy"] > 0.8
    assert "| **4** |" in (tmp_path / "zeros.md").read_text()
    assert "epoch 4/4" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "zeros.json",
        "zeros.md",
        "zeros.safetensors",
    ]


def test_a_killed_training_goes_on_and_gives_the_same(folder: Path, tmp_path: Path) -> None:
    command = ["folder", str(folder), *OPTIONS, "--out"]
    main([*command, str(tmp_path / "unbroken")])
    out = tmp_path / "broken"
    process = subprocess.Popen([sys.executable, "-m", "models.train", *command, str(out)])
    saved = out / "zeros.training"
    until = time.monotonic() + 60
    while not saved.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert saved.exists(), "it was killed before its end"
    main([*command, str(out), "--resume"])
    assert written(out, "zeros") == written(tmp_path / "unbroken", "zeros")
    assert not saved.exists()


def test_a_data_set_that_is_none_ends_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["folder", str(tmp_path), "--out", str(tmp_path / "out")])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("models.train: A data set needs at least two classes")
