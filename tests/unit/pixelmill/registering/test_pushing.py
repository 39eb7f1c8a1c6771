"""What `push` makes of a path: the file that is sent, and what of a record is known beside it."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import pixelmill
from pixelmill import Client, InvalidInput
from pixelmill.client.registering.house import run_command
from pixelmill.client.registering.pushing import pushed, read_labels, record_of

VERSION = {"id": "my/cats@1", "name": "my/cats", "version": 1, "state": "ready"}


def test_single_words_stand_over_the_record(tmp_path: Path) -> None:
    whole = {"architecture": "digits", "labels": ["a"], "options": {"iou": 0.5}}
    said = record_of(
        whole, architecture="onnx", labels="cat,dog", head="yolov8", license_name="MIT"
    )
    assert said == {
        "architecture": "onnx",
        "labels": ["cat", "dog"],
        "options": {"iou": 0.5, "head": "yolov8"},
        "provenance": {"license": "MIT"},
    }
    assert record_of() == {}


def test_labels_are_a_list_a_file_or_words(tmp_path: Path) -> None:
    file = tmp_path / "labels.txt"
    file.write_text("\ufeffcat\n\n  red fox \r\nKäfer\n", "utf-8")
    assert read_labels(file) == read_labels(str(file)) == ["cat", "red fox", "Käfer"]
    assert read_labels("cat, dog,") == ["cat", "dog"]
    assert read_labels(("cat", "dog")) == ["cat", "dog"]


@pytest.mark.parametrize("labels", ["cats.txt", Path("cats.txt")])
def test_a_file_of_labels_that_is_not_there_is_named(labels: str | Path) -> None:
    with pytest.raises(InvalidInput, match=r"cats\.txt.*a name a line"):
        read_labels(labels)


def test_a_file_of_labels_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels").write_bytes(b"\xff\xfe\x00c")
    with pytest.raises(InvalidInput, match="label a line"):
        read_labels(tmp_path / "labels")


def test_an_onnx_file_goes_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "best.onnx").write_bytes(b"\x08\x09")
    with pushed(tmp_path / "best.onnx", {}) as what:
        assert (what.weights, what.record) == (tmp_path / "best.onnx", {})


def test_a_state_dict_becomes_safetensors_for_as_long_as_it_is_sent(tmp_path: Path) -> None:
    torch.save({"state_dict": {"w": torch.arange(3.0)}}, tmp_path / "cats.pth")
    said = {"architecture": "timm/resnet18"}
    with pushed(tmp_path / "cats.pth", said) as what:
        assert what.record == said
        with safe_open(what.weights, "pt") as file:
            assert file.get_tensor("w").tolist() == [0.0, 1.0, 2.0]
    assert not what.weights.exists()


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path(__file__).parents[1] / "executed",))


def test_a_pickle_with_code_is_refused_and_its_code_not_run(tmp_path: Path) -> None:
    torch.save({"w": Evil()}, tmp_path / "cats.pt")
    with (
        pytest.raises(InvalidInput, match=r"cats\.pt cannot be pushed: The pickle is refused"),
        pushed(tmp_path / "cats.pt", {"architecture": "timm/resnet18"}),
    ):
        pass
    assert not (Path(__file__).parents[1] / "executed").exists()


@pytest.mark.parametrize("name", ["cats.pkl", "cats.pickle", "cats.weights", "cats.safetensors"])
def test_a_pickle_is_refused_under_any_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(pickle.dumps(Evil()))
    with (
        pytest.raises(InvalidInput, match=f"{name} cannot be pushed: .*reading it would run"),
        # Whatever else would be missing.
        pushed(tmp_path / name, {}),
    ):
        pass


@pytest.mark.parametrize("content", [b"hello there, no tensors here", b"", b"\x10\0\0\0\0\0\0\0{}"])
def test_what_is_named_safetensors_and_is_none_is_refused_at_once(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "cats.safetensors").write_bytes(content)
    with (
        pytest.raises(InvalidInput, match=r"cats\.safetensors cannot be pushed: The weights"),
        pushed(tmp_path / "cats.safetensors", {"architecture": "timm/resnet18"}),
    ):
        pass


def test_safetensors_of_another_name_are_known_by_their_beginning(tmp_path: Path) -> None:
    save_file({"w": torch.zeros(1)}, tmp_path / "cats.weights")
    with (
        pytest.raises(InvalidInput, match="--architecture timm/convnext_tiny"),
        pushed(tmp_path / "cats.weights", {}),
    ):
        pass


def test_which_state_dict_of_several_was_taken_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    held = {"model_ema": {"w": torch.ones(1, 1)}, "model": {"w": torch.zeros(1, 1)}}
    torch.save(held, tmp_path / "cats.pth")
    for key, number in ((None, 1.0), ("model", 0.0)):
        caplog.clear()
        with (
            pushed(tmp_path / "cats.pth", {"architecture": "timm/resnet18"}, key) as what,
            safe_open(what.weights, "pt") as file,
        ):
            assert file.get_tensor("w").tolist() == [[number]]
        assert ("`model_ema` is taken" in caplog.text) == (key is None)
    with (
        pytest.raises(InvalidInput, match=r"cats\.pth cannot be pushed: .*--state-dict KEY"),
        pushed(tmp_path / "cats.pth", {"architecture": "torchvision/resnet18"}),
    ):
        pass


def test_a_key_is_of_a_checkpoint_alone(tmp_path: Path) -> None:
    (tmp_path / "best.onnx").write_bytes(b"\x08\x09")
    with (
        pytest.raises(InvalidInput, match="leave --state-dict out"),
        pushed(tmp_path / "best.onnx", {}, "model"),
    ):
        pass


@pytest.mark.parametrize("name", ["cats.pth", "cats.safetensors"])
def test_numbers_alone_want_an_architecture(tmp_path: Path, name: str) -> None:
    save = torch.save if name.endswith(".pth") else save_file
    save({"w": torch.zeros(1)}, tmp_path / name)
    with (
        pytest.raises(InvalidInput, match="--architecture timm/convnext_tiny"),
        pushed(tmp_path / name, {}),
    ):
        pass


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="neither"), pushed(tmp_path / "absent", {}):
        pass


def test_the_client_sends_what_it_was_told(server, say, tmp_path: Path) -> None:
    server.on("POST", "/v1/models/my/cats/versions", say.answer(201, VERSION))
    (tmp_path / "best.onnx").write_bytes(b"\x08\x09the file")
    with Client(server.url, "pm_live_test_secret") as client:
        client.push("my/cats", tmp_path / "best.onnx", labels=["cat", "dog"], head="yolov8")
    (seen,) = server.to("POST", "/v1/models/my/cats/versions")
    assert b"\x08\x09the file" in seen.body
    sent = seen.body.split(b"\r\n\r\n")[1].split(b"\r\n")[0]
    assert json.loads(sent) == {"labels": ["cat", "dog"], "options": {"head": "yolov8"}}


@pytest.mark.parametrize("name", ["my/../x", "my//x", "../digits", "my/./x", ""])
def test_a_name_with_the_dots_of_a_path_reaches_no_server(
    server, tmp_path: Path, name: str
) -> None:
    (tmp_path / "best.onnx").write_bytes(b"\x08\x09")
    with (
        Client(server.url, "pm_live_test_secret") as client,
        pytest.raises(InvalidInput, match="no model's name"),
    ):
        client.push(name, tmp_path / "best.onnx")
    assert server.seen == []


def test_a_file_of_the_callers_folder_is_not_run_for_one_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models.py").write_text("raise SystemExit('this is not ours')")
    torch.save({"w": torch.zeros(1)}, tmp_path / "cats.pth")
    monkeypatch.chdir(tmp_path)
    with pushed(tmp_path / "cats.pth", {"architecture": "timm/resnet18"}) as what:
        assert what.weights.exists()


def test_the_house_that_is_run_is_this_one() -> None:
    assert repr(str(Path(pixelmill.__file__).parents[1])) in run_command("site")


@pytest.mark.parametrize("wrapper", ["module.", "_orig_mod."])
def test_what_training_puts_before_every_name_is_taken_off(tmp_path: Path, wrapper: str) -> None:
    torch.save({wrapper + "fc.weight": torch.zeros(1)}, tmp_path / "cats.pth")
    with (
        pushed(tmp_path / "cats.pth", {"architecture": "timm/resnet18"}) as what,
        safe_open(what.weights, "pt") as file,
    ):
        assert list(file.keys()) == ["fc.weight"]
