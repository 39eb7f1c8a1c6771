"""What a network is held against: pictures that are found, answers that are read, who is asked."""

import base64
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pixelmill import InvalidInput
from pixelmill.client.records import Model
from pixelmill.client.registering import checking, registration
from pixelmill.client.registering.checking import (
    asked_library,
    can_ask,
    expected_answers,
    passed_over,
    pictures,
)
from pixelmill.client.registering.pushing import Pushed
from pixelmill.client.registering.registration import check_of

ANSWER = [{"class": "cat", "confidence": 0.9}]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "samples"
    made.mkdir()
    for name in ("b.JPG", "a.png", "notes.txt"):
        (made / name).write_bytes(name.encode())
    return made


def test_a_folders_pictures_come_in_the_order_of_their_names(folder: Path) -> None:
    assert [each.name for each in pictures(folder)] == ["a.png", "b.JPG"]
    assert [each.name for each in pictures(folder / "notes.txt")] == ["notes.txt"]


def test_a_picture_of_any_format_is_taken_where_its_answer_is_given(folder: Path) -> None:
    (folder / "phone.HEIC").write_bytes(b"heic")
    expected = folder.parent / "expected.json"
    expected.write_text(json.dumps({"a.png": ANSWER, "b.JPG": [], "phone.HEIC": ANSWER}))
    check = expected_answers(folder, expected)
    assert [each["name"] for each in check["samples"]] == ["a.png", "b.JPG", "phone.HEIC"]


@pytest.mark.parametrize("state", ["refused", "ready", "validating"])
def test_why_nobody_was_asked_is_said_of_what_was_taken(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, state: str
) -> None:
    def nobody(*_: object) -> None:
        raise InvalidInput("timm could not be asked about timm/x: ValueError: it is ill")

    monkeypatch.setattr(registration, "asked_library", nobody)
    what = Pushed(folder / "w.safetensors", {"architecture": "timm/resnet18"})
    held = check_of(what, None, None, lambda _: None)
    assert held.check is None
    assert caplog.text == ""
    raw = {"id": "my/x@1", "name": "my/x", "version": 1, "state": state}
    held.tell_unasked(Model.from_raw(raw))
    said = "my/x@1 is not checked: timm could not be asked about timm/x: ValueError: it is ill"
    assert (said in caplog.text) == (state != "refused")
    with pytest.raises(InvalidInput, match="it is ill"):
        check_of(what, folder, None, lambda _: None)


def test_what_a_library_is_not_asked_about_is_named_and_so_is_the_wait(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "phone.HEIC").write_bytes(b"heic")
    (folder / ".DS_Store").write_bytes(b"")
    assert passed_over(folder) == ["notes.txt", "phone.HEIC"]
    assert passed_over(folder / "notes.txt") == []
    told = list[str]()
    monkeypatch.setattr(registration, "asked_library", lambda *_: {})
    what = Pushed(folder / "w.safetensors", {"architecture": "timm/resnet18"})
    check_of(what, folder, None, told.append)
    assert told == ["asking timm for its own answers, for up to half a minute"]
    assert "not checked with notes.txt, phone.HEIC: no JPEG" in caplog.text


def test_none_too_many_and_too_much_are_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidInput, match="neither a picture nor a folder"):
        list(pictures(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput, match="no picture in"):
        list(pictures(tmp_path / "empty"))
    monkeypatch.setattr(checking, "_MOST_BYTES", 6)
    with pytest.raises(InvalidInput, match="have 10 bytes; give at most 6"):
        list(pictures(folder))
    monkeypatch.setattr(checking, "_MOST_PICTURES", 1)
    with pytest.raises(InvalidInput, match=r"2 pictures .* at most 1"):
        list(pictures(folder))


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"a.png": ANSWER, "b.JPG": []}),
        '{"custom_id": "a.png", "predictions": [{"class": "cat", "confidence": 0.9}]}\n'
        '{"custom_id": "b.JPG", "predictions": []}\n',
    ],
    ids=["object", "rows"],
)
def test_answers_are_an_object_by_picture_or_rows_of_results(folder: Path, text: str) -> None:
    expected = folder.parent / "expected.json"
    expected.write_text(text)
    check = expected_answers(folder, expected)
    assert check["against"] == {"expected.json": ""}
    assert [each["predictions"] for each in check["samples"]] == [ANSWER, []]
    assert base64.b64decode(check["samples"][1]["data"]) == b"b.JPG"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a.png": []}', r"no answer for b\.JPG"),
        ('{"a.png": [], "b.JPG": [], "c.png": []}', r"answer for c\.png, which is none"),
        ('{"a.png": "cat", "b.JPG": []}', r"list of predictions for a\.png"),
        ('{"a.png": [{"class": "cat", "confidence": 3.5}], "b.JPG": []}', "take the softmax"),
        (
            '{"custom_id": "a.png", "predictions": []}\n'
            '{"custom_id": "b.JPG", "status": "errored"}',
            r"no answer for b\.JPG",
        ),
        # What an answer is comes before which are there.
        ('{"b.JPG": [{"class": "cat", "confidence": "high"}]}', r"confidence 'high' for b\.JPG"),
        ("cats", "cannot be read as JSON"),
        ('{"predictions": []}', "custom_id"),
    ],
)
def test_answers_that_cannot_be_meant_are_refused(folder: Path, text: str, words: str) -> None:
    expected = folder.parent / "expected.json"
    expected.write_text(text)
    with pytest.raises(InvalidInput, match=words):
        expected_answers(folder, expected)


def test_who_is_asked_goes_by_the_architecture() -> None:
    assert can_ask({"architecture": "timm/resnet18"})
    assert not can_ask({"architecture": "onnx"})
    assert not can_ask({})
    # Then it is the record that says how pictures are prepared, and not the library.
    assert not can_ask({"architecture": "timm/resnet18", "preprocess": {"resize": 64}})


def test_where_no_library_knows_it_the_answers_have_to_be_given(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="--expected FILE"):
        asked_library(tmp_path / "best.onnx", None, {}, None)


def test_a_library_that_cannot_be_asked_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(b"nothing")
    record = {"architecture": "timm/test_resnet"}
    with pytest.raises(InvalidInput, match="timm could not be asked about timm/test_resnet: "):
        asked_library(tmp_path / "w.safetensors", None, record, None)


def test_what_a_library_says_in_many_lines_is_told_whole(tmp_path: Path) -> None:
    # A list of names follows "Error(s) in loading state_dict for ResNet:".
    save_file({"fc.weight": torch.zeros(2, 512)}, tmp_path / "w.safetensors")
    record = {"architecture": "torchvision/resnet18", "labels": ["a", "b"]}
    with pytest.raises(InvalidInput, match=r"ResNet: Missing key.*conv1\.weight") as caught:
        asked_library(tmp_path / "w.safetensors", None, record, None)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 450
