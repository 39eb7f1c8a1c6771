"""Tokenizers: cut as transformers cuts, and refused where they cannot be meant."""

import base64
import json
import shutil
from dataclasses import replace

import pytest
import torch

from models.huggingface.matching.tokenizer import TENSOR
from models.records.errors import ParamsError, RecordError, WeightsError
from pixelmill.client.hugging_face.folder import read_folder
from pixelmill.wire.errors import InvalidInput
from tests.unit.models.huggingface.towers import TEXTS, loaded
from tests.unit.models.huggingface.two_towers import (
    TASK,
)


def spoilt_tokenizer(sent, change):
    record, tensors = sent
    plain = json.loads(tensors[TENSOR].numpy().tobytes())
    change(plain)
    data = bytearray(json.dumps(plain).encode())
    return record, {**tensors, TENSOR: torch.frombuffer(data, dtype=torch.uint8)}


def test_weights_without_a_tokenizer_are_refused_with_the_way_to_send_it(sent):
    record, tensors = sent
    del tensors[TENSOR]
    with pytest.raises(WeightsError, match="--task zero-shot-classification"):
        loaded((record, tensors))


def test_a_tokenizer_that_is_no_row_of_bytes_is_refused(sent):
    record, tensors = sent
    with pytest.raises(WeightsError, match="uint8"):
        loaded((record, {**tensors, TENSOR: torch.zeros(8)}))


CHANGES = {
    "no model": (lambda it: it.pop("model"), "no `model`"),
    "an unknown model": (lambda it: it["model"].update(type="Evil"), "'Evil'"),
    "dropout": (lambda it: it["model"].update(dropout=0.5), "dropout"),
    "an unknown step": (lambda it: it.update(normalizer={"type": "Python"}), "'Python'"),
    "a step within": (
        lambda it: it.update(normalizer={"type": "Sequence", "normalizers": [{"type": "X"}]}),
        "'X'",
    ),
    "steps that are none": (lambda it: it.update(normalizer=[1]), "no object"),
    "a list that is none": (
        lambda it: it.update(normalizer={"type": "Sequence", "normalizers": 7}),
        "no list",
    ),
    "growth": (
        lambda it: it.update(
            normalizer={
                "type": "Sequence",
                "normalizers": [
                    {"type": "Replace", "pattern": {"String": "a"}, "content": "aaaaaaaa"}
                ]
                * 8,
            }
        ),
        "lengthen",
    ),
    "many steps": (
        lambda it: it.update(
            normalizer={"type": "Sequence", "normalizers": [{"type": "NFC"}] * 40}
        ),
        "41 steps",
    ),
    "a large step": (
        lambda it: it.update(
            normalizer={"type": "Replace", "pattern": {"Regex": "a" * 70_000}, "content": ""}
        ),
        "bytes",
    ),
    "a table that is none": (
        lambda it: it.update(normalizer={"type": "Precompiled", "precompiled_charsmap": "?"}),
        "base64",
    ),
    "a table of long words": (
        lambda it: it.update(
            normalizer={
                "type": "Precompiled",
                "precompiled_charsmap": base64.b64encode(bytes(4) + b"a" * 65 + b"\0").decode(),
            }
        ),
        "one letter",
    ),
    "a long template": (
        lambda it: it.update(
            post_processor={
                "type": "TemplateProcessing",
                "single": [{"SpecialToken": {"id": "x", "type_id": 0}}] * 1000,
                "special_tokens": {},
            }
        ),
        "more tokens",
    ),
    "a model that is broken": (lambda it: it["model"].update(vocab=[1]), "cannot be used"),
    "no token to fill up with": (
        lambda it: (it["model"]["vocab"].pop("<|endoftext|>"), it.update(added_tokens=[])),
        "",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_tokenizer_that_is_broken_or_hostile_is_refused_in_one_line(sent, name):
    change, word = CHANGES[name]
    with pytest.raises(WeightsError) as caught:
        loaded(spoilt_tokenizer(sent, change))
    assert word in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_padding_and_truncation_of_a_tokenizer_are_not_its_own(sent, networks):
    def change(plain):
        plain["padding"] = {
            "strategy": {"Fixed": 10**9},
            "direction": "Right",
            "pad_to_multiple_of": None,
            "pad_id": 0,
            "pad_type_id": 0,
            "pad_token": "a",
        }

    assert loaded(spoilt_tokenizer(sent, change)).prepare_texts(TEXTS) == networks[
        "clip"
    ].prepare_texts(TEXTS)


def test_a_tokenizer_of_another_network_is_refused_where_it_names_unknown_words(sent):
    def change(plain):
        plain["model"]["vocab"]["z</w>"] = 5000

    network = loaded(spoilt_tokenizer(sent, change))
    with pytest.raises(ParamsError, match="does not know"):
        network.prepare_texts(["z"])


@pytest.mark.parametrize(
    "options",
    [{"code": "x"}, {"padding_side": "up"}, {"pad_token": 7}, {"model_input_names": "input_ids"}],
)
def test_settings_of_a_tokenizer_that_are_not_known_are_refused(sent, options):
    record, tensors = sent
    changed = replace(record, options={**record.options, "tokenizer": options})
    with pytest.raises(RecordError, match=r"options\.tokenizer"):
        loaded((changed, tensors))


def test_a_token_to_fill_up_with_that_is_not_there_is_named(sent):
    record, tensors = sent
    changed = replace(record, options={**record.options, "tokenizer": {"pad_token": "[PAD]"}})
    with pytest.raises(WeightsError, match=r"'\[PAD\]'.*pad_token"):
        loaded((changed, tensors))


def test_a_folder_without_a_tokenizer_says_so_before_anything_is_sent(towers, tmp_path):
    folder = shutil.copytree(towers["clip"].folder, tmp_path / "folder")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(InvalidInput, match=r"tokenizer\.json"):
        read_folder(folder, TASK)
    (folder / "spiece.model").write_bytes(b"x")
    with pytest.raises(InvalidInput, match=r"spiece\.model"):
        read_folder(folder, TASK)
    (folder / "vocab.json").write_text("{}")
    (folder / "merges.txt").write_text("")
    with pytest.raises(InvalidInput, match=r"vocab\.json lacks"):
        read_folder(folder, TASK)
    read_folder(folder)
