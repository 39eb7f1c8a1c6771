"""Folders of Hugging Face's libraries, read by the client: what is sent, and what is not."""

import json

import pytest

from pixelmill.client.hugging_face.folder import read_folder
from pixelmill.wire.errors import InvalidInput

CONFIG = {"model_type": "vit", "architectures": ["ViTForImageClassification"]}
CARD = """---
license: apache-2.0
tags:
- vision
author: "Someone Else"
---
# A model
license: not this one
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "preprocessor_config.json").write_text('{"size": 224}')
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "README.md").write_text(CARD)
    return tmp_path


def refused(folder) -> str:
    with pytest.raises(InvalidInput) as caught:
        read_folder(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folder_gives_its_weights_and_a_record(folder):
    weights, record = read_folder(folder)
    assert weights == folder / "model.safetensors"
    assert record == {
        "architecture": "huggingface/vit",
        "options": {"config": CONFIG, "processor": {"size": 224}},
        "provenance": {
            "source": f"folder {folder.name}",
            "license": "apache-2.0",
            "author": "Someone Else",
        },
    }


def test_a_folder_without_a_card_or_a_processor_is_sent_without(folder):
    (folder / "README.md").unlink()
    (folder / "preprocessor_config.json").unlink()
    _, record = read_folder(folder)
    assert "processor" not in record["options"]
    assert record["provenance"] == {"source": f"folder {folder.name}"}


def test_the_name_of_a_repository_is_its_source_and_a_path_is_not(folder):
    (folder / "config.json").write_text(json.dumps({**CONFIG, "_name_or_path": "google/vit-base"}))
    assert read_folder(folder)[1]["provenance"]["source"] == "Hugging Face: google/vit-base"
    (folder / "config.json").write_text(json.dumps({**CONFIG, "_name_or_path": "/srv/me/secret"}))
    assert "secret" not in read_folder(folder)[1]["provenance"]["source"]


def test_a_licence_of_another_name_is_told_by_that_name(folder):
    (folder / "README.md").write_text("---\nlicense: other\nlicense_name: nvidia-open\n---\n")
    assert read_folder(folder)[1]["provenance"]["license"] == "nvidia-open"


@pytest.mark.parametrize("member", ["image_processor", "video_processor"])
def test_a_processor_within_that_of_pictures_and_texts_is_found(folder, member):
    (folder / "preprocessor_config.json").unlink()
    (folder / "processor_config.json").write_text(json.dumps({member: {"size": 32}}))
    assert read_folder(folder)[1]["options"]["processor"] == {"size": 32}


def test_pickles_alone_are_refused_with_the_way_to_write_safetensors(folder):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80")
    said = refused(folder)
    assert "pickled" in said
    assert "ViTForImageClassification" in said
    assert "save_pretrained" in said


def test_a_class_s_name_that_is_no_name_is_not_put_into_a_command(folder):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80")
    evil = {**CONFIG, "architectures": ["x; import os; os.remove('/')"]}
    (folder / "config.json").write_text(json.dumps(evil))
    assert "import os" not in refused(folder)


def test_what_is_no_such_folder_is_refused(folder, tmp_path_factory):
    assert "no folder" in refused(folder / "config.json")
    assert "config.json" in refused(tmp_path_factory.mktemp("empty"))
    (folder / "model.safetensors").unlink()
    assert "no model.safetensors" in refused(folder)


@pytest.mark.parametrize("text", ["[1]", "{", '{"model_type": 3}', '"x"', "[" * 100_000])
def test_a_config_that_cannot_be_read_is_refused(folder, text):
    (folder / "config.json").write_text(text)
    assert "config.json" in refused(folder)
