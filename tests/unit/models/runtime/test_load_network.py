"""Only registered architectures with fitting, unharmed weights become networks."""

import io
import json
import os
import pickle
import struct
import zipfile

import pytest
import torch

from models.catalog import SHIPPED, ModelRecord, shipped_weights
from models.records.errors import RecordError, UnknownArchitecture, WeightsError, WeightsUnavailable
from models.records.weights_header import MAX_HEADER_BYTES
from models.runtime import weights as weights_file
from models.runtime.registry import load
from models.runtime.task_tables import table
from models.runtime.torch_runtime import build

RECORD = SHIPPED["digits"]
WEIGHTS = shipped_weights("digits").read_bytes()


class Bomb:
    """A pickle that makes a folder when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def changed(**fields):
    return ModelRecord.from_json({**RECORD.to_json(), **fields})


def tensors():
    return weights_file.read(WEIGHTS)


def bombs(path):
    """The three forms of a hostile checkpoint: bare pickle, torch's zip, torch's old format."""
    forms = [pickle.dumps(Bomb(path))]
    for options in ({}, {"_use_new_zipfile_serialization": False}):
        buffer = io.BytesIO()
        torch.save({"weight": torch.zeros(1), "bomb": Bomb(path)}, buffer, **options)
        forms.append(buffer.getvalue())
    return forms


def test_the_right_digest_is_accepted_and_a_wrong_one_refused():
    assert load(RECORD, WEIGHTS, weights_file.digest(WEIGHTS)).record is RECORD
    with pytest.raises(WeightsError, match="expected sha256:0000") as caught:
        load(RECORD, WEIGHTS, "sha256:" + "0" * 64)
    assert caught.value.code == "bad_weights"
    assert not caught.value.retryable


def test_one_flipped_bit_is_noticed():
    flipped = bytearray(WEIGHTS)
    flipped[-1] ^= 1
    with pytest.raises(WeightsError, match="changed or damaged"):
        load(RECORD, bytes(flipped), weights_file.digest(WEIGHTS))


def test_missing_unexpected_and_misshapen_tensors_are_named():
    wrong = tensors()
    del wrong["conv1.weight"]
    wrong["conv9.weight"] = torch.zeros(1)
    wrong["dense2.bias"] = torch.zeros(11)
    with pytest.raises(WeightsError) as caught:
        load(RECORD, weights_file.write(wrong))
    message = str(caught.value)
    assert "missing: conv1.weight" in message
    assert "unexpected: conv9.weight" in message
    assert "dense2.bias (11,) instead of (10,)" in message


@pytest.mark.parametrize("prefix", ["model.", "backbone.", "net.model.", "module."])
def test_what_a_training_puts_before_every_name_is_taken_off(prefix):
    plain = tensors()
    wrapped = {prefix + name: value for name, value in plain.items()}
    wrapped["criterion.weight"] = torch.zeros(10)
    module = build(RECORD)
    weights_file.fill(module, wrapped, "digits")
    for name, value in plain.items():
        assert torch.equal(module.state_dict()[name], value)


def test_a_prefix_over_another_networks_names_is_told():
    wrapped = {f"model.{name}x": value for name, value in tensors().items()}
    with pytest.raises(WeightsError, match=r"names begin with 'model\.'.*Check that architecture"):
        load(RECORD, weights_file.write(wrapped))


def test_weights_for_other_channels_are_told_by_these():
    wrong = tensors()
    wrong["conv1.weight"] = wrong["conv1.weight"].repeat(1, 3, 1, 1)
    with pytest.raises(WeightsError, match=r"pictures of 3 channels, and this network takes 1"):
        load(RECORD, weights_file.write(wrong))


def test_an_unknown_architecture_is_told_with_what_there_is():
    with pytest.raises(UnknownArchitecture) as caught:
        build(changed(architecture="own/shadez"))
    for each in ("timm/convnext_tiny", "torchvision/resnet50", "Hugging Face", "'digits'", "ONNX"):
        assert each in str(caught.value)
    with pytest.raises(UnknownArchitecture, match=r"yolo export model=best\.pt format=onnx"):
        build(changed(architecture="yolov8n"))


def test_weights_for_another_number_of_labels_are_refused():
    with pytest.raises(WeightsError, match=r"dense2.weight \(10, 64\) instead of \(2, 64\)"):
        load(changed(labels=["a", "b"]), WEIGHTS)


def test_weights_that_are_not_finite_are_refused():
    wrong = tensors()
    wrong["dense2.bias"][3] = float("nan")
    with pytest.raises(WeightsError, match=r"not finite: dense2\.bias"):
        load(RECORD, weights_file.write(wrong))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("form", [0, 1, 2])
def test_a_pickle_bomb_is_refused_and_nothing_of_it_runs(form, tmp_path):
    trap = tmp_path / "sprung"
    bomb = bombs(trap)[form]
    with pytest.raises(WeightsError, match="pickle"):
        load(RECORD, bomb)
    with pytest.raises(WeightsError, match="refused"):
        weights_file.convert(bomb)
    path = tmp_path / "hostile.pth"
    path.write_bytes(bomb)
    with pytest.raises(WeightsError, match="refused"):
        weights_file.convert(path)
    assert not trap.exists()


def test_weights_whose_header_is_as_long_as_a_pickle_begins_are_no_pickle():
    (length,) = struct.unpack_from("<Q", WEIGHTS)
    # Spaces after the JSON are allowed: as many as make the length's first byte 0x80.
    padding = b" " * ((0x80 - length) % 0x100)
    padded = struct.pack("<Q", length + len(padding))
    data = padded + WEIGHTS[8 : 8 + length] + padding + WEIGHTS[8 + length :]
    assert data.startswith(b"\x80")
    load(RECORD, data)
    assert weights_file.convert(data) == weights_file.write(weights_file.read(WEIGHTS))


def test_the_bomb_of_the_tests_is_live(tmp_path):
    pickle.loads(pickle.dumps(Bomb(tmp_path / "sprung")))
    assert (tmp_path / "sprung").exists()


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
def test_a_plain_checkpoint_is_converted_to_the_same_bytes_every_time(wrapper, tmp_path):
    state = build(RECORD).state_dict()
    path = tmp_path / "network.pth"
    torch.save({wrapper: state, "epoch": 3} if wrapper else state, path)
    first = weights_file.convert(path)
    shuffled = dict(reversed(state.items()))
    assert first == weights_file.write(shuffled) == weights_file.convert(first)
    load(RECORD, first, weights_file.digest(first))


def test_a_checkpoint_without_a_state_dict_is_refused():
    buffer = io.BytesIO()
    torch.save([1, 2, 3], buffer)
    with pytest.raises(WeightsError, match="no state dict"):
        weights_file.convert(buffer.getvalue())


def _safetensors(header, body=b""):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"short",
        struct.pack("<Q", 2**60) + b"{}",
        struct.pack("<Q", 50) + b"{}",
        _safetensors({"a": {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4 * 10**12]}}),
        _safetensors({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}, bytes(4)),
        _safetensors({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, bytes(9)),
        WEIGHTS[:-1],
    ],
)
def test_lengths_that_cannot_be_true_are_refused(data):
    with pytest.raises(WeightsError, match=r"\.$"):
        load(RECORD, data)


def test_a_header_of_megabytes_is_refused_before_it_is_parsed():
    # safetensors itself would read it: up to 100 MB of JSON are allowed there.
    blanks = b"{}".ljust(MAX_HEADER_BYTES + 8)
    with pytest.raises(WeightsError, match="state a header of 16,777,224 bytes"):
        load(RECORD, struct.pack("<Q", len(blanks)) + blanks)


def test_a_zip_that_is_no_checkpoint_is_refused():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("hello.txt", "hello")
    with pytest.raises(WeightsError, match="refused"):
        weights_file.convert(buffer.getvalue())


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"absent\.pth"):
        weights_file.convert(tmp_path / "absent.pth")


def test_a_hub_out_of_reach_is_told_with_the_way_around(monkeypatch, tmp_path):
    # A proxy that nobody listens on: the same as a machine without a network.
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(WeightsUnavailable, match=r"resnet18-.*local path") as caught:
        weights_file.fetch_torchvision("torchvision/resnet18")
    assert caught.value.retryable


def test_an_unknown_architecture_is_refused():
    with pytest.raises(UnknownArchitecture, match="'nonesuch'"):
        load(changed(architecture="nonesuch"), WEIGHTS)


@pytest.mark.parametrize(
    "fields",
    [
        {"labels": []},
        {"task": "divination"},
        {"preprocess": {}},
        {"preprocess": {**RECORD.preprocess, "crop": 99}},
        {"preprocess": {**RECORD.preprocess, "channels": 2}},
        {"preprocess": {**RECORD.preprocess, "mean": [0.0, 0.0]}},
        {"preprocess": {**RECORD.preprocess, "std": [0.0]}},
        {"preprocess": {**RECORD.preprocess, "interpolation": "magic"}},
        {"preprocess": {**RECORD.preprocess, "sharpen": 1}},
    ],
)
def test_a_record_that_contradicts_itself_is_refused(fields):
    with pytest.raises(RecordError, match=r"\.$"):
        load(changed(**fields), WEIGHTS)


def test_a_name_that_is_registered_twice_raises():
    with pytest.raises(ValueError, match="'a' is registered twice"):
        table([("a", 1), ("b", 2), ("a", 3)])


@pytest.mark.parametrize(
    ("kind", "value"),
    [(torch.float64, 1e300), (torch.int8, 1), (torch.bool, True)],
    ids=["a number too large for float32", "integers", "truth values"],
)
def test_weights_of_another_kind_are_refused(kind, value):
    given = tensors()
    given["dense2.bias"] = torch.full((10,), value, dtype=kind)
    with pytest.raises(WeightsError, match=r"dense2\.bias"):
        load(RECORD, weights_file.write(given))


def test_a_network_that_answers_with_no_numbers_is_refused_when_it_is_warmed_up():
    given = tensors()
    # Finite, but not their products.
    given["dense1.bias"] = torch.full((64,), 3e38)
    given["dense2.weight"] = torch.full((10, 64), 3e38)
    network = load(RECORD, weights_file.write(given))
    with pytest.raises(WeightsError, match="not a number"):
        network.warm_up()


def test_weights_whose_header_has_the_length_of_a_pickles_mark_are_no_pickle():
    tensors = {"weight": torch.zeros(3)}
    written = [weights_file.write(tensors, {"padding": "x" * size}) for size in range(0, 300, 8)]
    marked = [data for data in written if data[:1] == b"\x80"]
    assert marked
    for data in marked:
        assert torch.equal(weights_file.read(data)["weight"], tensors["weight"])
