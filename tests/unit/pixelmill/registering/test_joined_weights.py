"""Weights in several files, sent as one that is never on disk."""

import json
import os

import pytest
import torch
from safetensors.torch import load, save_file

from pixelmill.client.hugging_face.folder import read_folder
from pixelmill.wire.errors import InvalidInput
from pixelmill.wire.safetensors_stream import joined

CONFIG = {"model_type": "vit", "architectures": ["ViTForImageClassification"]}
INDEX = "model.safetensors.index.json"
FILES = {
    "model-00001-of-00002.safetensors": {"b": torch.arange(6.0).reshape(2, 3), "a": torch.ones(3)},
    "model-00002-of-00002.safetensors": {"c": torch.arange(5, dtype=torch.uint8)},
}
WHERE = {name: file for file, tensors in FILES.items() for name in tensors}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    for name, tensors in FILES.items():
        save_file(tensors, tmp_path / name, metadata={"format": "pt"})
    write_index(tmp_path, WHERE)
    return tmp_path


def write_index(folder, where, **more):
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": where, **more}))


def refused(folder) -> str:
    with pytest.raises(InvalidInput) as caught:
        read_folder(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_several_files_are_sent_as_one_with_all_their_tensors(folder):
    weights, _ = read_folder(folder)
    data = b"".join(weights.blocks())
    assert len(data) == weights.size
    assert data == b"".join(weights.blocks())
    found = load(data)
    wanted = {name: each for tensors in FILES.values() for name, each in tensors.items()}
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    # As what reads it later aligns numbers.
    assert int.from_bytes(data[:8], "little") % 8 == 0


def test_bytes_beside_the_weights_become_a_tensor(folder):
    made = joined([folder / name for name in FILES], {"pixelmill.tokenizer": b"{}"})
    data = b"".join(made.blocks())
    assert len(data) == made.size
    assert bytes(load(data)["pixelmill.tokenizer"].tolist()) == b"{}"
    with pytest.raises(InvalidInput, match="'a' stands in the weights"):
        joined([folder / name for name in FILES], {"a": b"{}"})


def test_links_to_files_elsewhere_are_followed_as_in_a_cache(folder, tmp_path_factory):
    blob = tmp_path_factory.mktemp("blobs") / "blob"
    name = next(iter(FILES))
    os.rename(folder / name, blob)
    (folder / name).symlink_to(blob)
    assert set(load(b"".join(read_folder(folder)[0].blocks()))) == {"a", "b", "c"}


def test_one_file_goes_before_an_index(folder):
    save_file({"w": torch.ones(1)}, folder / "model.safetensors")
    assert read_folder(folder)[0] == folder / "model.safetensors"


def test_a_file_that_is_not_there_is_named(folder):
    name = list(FILES)[1]
    (folder / name).unlink()
    assert f"lacks {name}" in refused(folder)


@pytest.mark.parametrize(
    "file",
    [
        "../other.safetensors",
        "/etc/x.safetensors",
        "a\\b.safetensors",
        ".x.safetensors",
        "C:x.safetensors",
        "a\0.safetensors",
        "weights.bin",
        "",
        None,
        3,
        ["x"],
    ],
)
def test_only_safetensors_of_the_folder_itself_are_read(folder, file):
    write_index(folder, {**WHERE, "c": file})
    assert "of the folder itself" in refused(folder)


def test_a_tensor_that_stands_twice_is_refused(folder):
    first = next(iter(FILES))
    save_file({**FILES[first], "c": torch.ones(1)}, folder / first)
    assert "'c', which the index does not name there" in refused(folder)
    with pytest.raises(InvalidInput, match="'c', which stands twice"):
        joined([folder / name for name in FILES], {})


def test_a_tensor_that_the_index_names_and_no_file_holds_is_refused(folder):
    write_index(folder, {**WHERE, "d": next(iter(FILES))})
    assert "lacks the tensor 'd'" in refused(folder)


@pytest.mark.parametrize("text", ["[]", "{", "{}", '{"weight_map": []}', '{"weight_map": {}}'])
def test_an_index_that_says_nothing_is_refused(folder, text):
    (folder / INDEX).write_text(text)
    assert INDEX in refused(folder)


def test_an_index_of_too_many_files_is_refused(folder):
    write_index(folder, {str(number): f"{number}.safetensors" for number in range(1001)})
    assert "1,001 files" in refused(folder)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04 a pickle",
        (2**40).to_bytes(8, "little") + b"{}",
        b"\x02" + bytes(7) + b"[]",
        b"\x10" + bytes(7) + b'{"a": 1, "a": 2}',
        b"\x08" + bytes(7) + b'{"a": 1}',
    ],
)
def test_a_file_that_is_no_safetensors_is_named(folder, data):
    name = next(iter(FILES))
    (folder / name).write_bytes(data)
    assert name in refused(folder)


def test_a_file_that_changes_while_it_is_sent_is_told(folder):
    weights, _ = read_folder(folder)
    with (folder / list(FILES)[1]).open("ab") as file:
        file.write(b"more")
    with pytest.raises(InvalidInput, match="changed while it was being sent"):
        list(weights.blocks())
