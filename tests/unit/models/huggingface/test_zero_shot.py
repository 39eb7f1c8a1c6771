"""Zero-shot answers held against transformers' own pipeline, from the same folder."""

import base64
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.parity.compared import Pixels
from benchmarks.parity.compared import pictures as pictures_of
from benchmarks.parity.hugging_face.rows import SIZES
from benchmarks.parity.hugging_face.tiny import network_of, read
from models.huggingface.describing import describe
from models.huggingface.matching.tokenizer import TENSOR
from models.media.pictures import Picture
from models.records.errors import ParamsError, RecordError, WeightsError
from models.runtime import weights as weights_file
from models.runtime.registry import load
from pixelmill.client.hugging_face.folder import read_folder
from pixelmill.wire.errors import InvalidInput
from tests.unit.models.huggingface.two_towers import (
    LABELS,
    TASK,
    answers,
    asked,
    save,
    without_tokenizer_json,
)

KINDS = ("clip", "siglip")
TEXTS = [
    "This is a photo of a cat.",
    "photo",
    "Two  DOGS, don't you think?",
    "Ünïcödé – ▁ 12\u00a0345 😀",
    "",
    " x ",
]


def pictures() -> list[Pixels]:
    return pictures_of(SIZES)


@pytest.fixture(scope="module")
def table():
    """Collects the largest differences, and prints them in the end."""
    rows: dict[str, str] = {}
    yield rows
    print("\n" + "\n".join(f"{name:30} {said}" for name, said in rows.items()))


@pytest.fixture(scope="module")
def towers(tmp_path_factory):
    """Saved folders; made once."""
    return {kind: save(kind, tmp_path_factory.mktemp(kind), pictures()) for kind in KINDS}


@pytest.fixture(scope="module")
def networks(towers):
    return {kind: network_of(each.folder, task=TASK) for kind, each in towers.items()}


@pytest.fixture
def sent(towers, tmp_path, request):
    """A record and tensors as a caller sends them, to be spoilt."""
    record, weights = read(towers[getattr(request, "param", "clip")].folder, task=TASK)
    return record, weights_file.read(weights)


def loaded(sent):
    record, tensors = sent
    return load(record, weights_file.write(tensors))


def spoilt_tokenizer(sent, change):
    record, tensors = sent
    plain = json.loads(tensors[TENSOR].numpy().tobytes())
    change(plain)
    data = bytearray(json.dumps(plain).encode())
    return record, {**tensors, TENSOR: torch.frombuffer(data, dtype=torch.uint8)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("template", ["This is a photo of {}.", "{}"])
def test_answers_are_those_of_transformers_pipeline(towers, networks, table, kind, template):
    (given,) = answers(networks[kind], pictures(), asked(template=template))
    spans, worst = [], 0.0
    for mine, picture in zip(given, pictures(), strict=True):
        theirs = towers[kind].chances(picture, LABELS, template)
        ours = {each["class_id"]: each["confidence"] for each in mine}
        assert [LABELS[at] for at in ours] == [each["class"] for each in mine]
        worst = max(worst, *(abs(ours[at] - chance) for at, chance in enumerate(theirs)))
        assert [each["confidence"] for each in mine] == sorted(ours.values(), reverse=True)
        spans.append(max(theirs) - min(theirs))
    table[f"{kind} {template}"] = f"confidence differs by {worst:.1e} at most"
    assert worst <= 1e-3
    # Else anything would be near enough.
    assert max(spans) > 0.3


def test_shares_of_clip_sum_to_one_and_chances_of_siglip_stand_alone(networks):
    for kind, network in networks.items():
        all_labels, few = (
            answers(network, pictures(), asked(labels=labels))[0][0]
            for labels in (LABELS, LABELS[:2])
        )
        whole = {each["class"]: each["confidence"] for each in all_labels}
        part = {each["class"]: each["confidence"] for each in few}
        if kind == "clip":
            assert sum(part.values()) == pytest.approx(1, abs=1e-5)
            assert sum(whole.values()) == pytest.approx(1, abs=1e-5)
        else:
            assert part == {name: pytest.approx(whole[name], abs=1e-5) for name in part}


def test_a_single_label_is_a_sure_share_and_no_sure_chance(networks):
    (clip,) = answers(networks["clip"], pictures(), asked(labels=["a cat"]))
    assert all(each[0]["confidence"] == 1.0 for each in clip)
    (siglip,) = answers(networks["siglip"], pictures(), asked(labels=["a cat"]))
    assert len({each[0]["confidence"] for each in siglip}) == len(pictures())


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_of_jobs_with_other_labels_share_a_batch(networks, kind):
    jobs = [asked(), asked(labels=["newt", "a cat", "fog"], template="{}")]
    together = answers(networks[kind], pictures(), *jobs)
    for job, found in zip(jobs, together, strict=True):
        (alone,) = answers(networks[kind], pictures(), job)
        for one, other in zip(found, alone, strict=True):
            assert [each["class"] for each in one] == [each["class"] for each in other]
            confidences = [[each["confidence"] for each in side] for side in (one, other)]
            assert confidences[0] == pytest.approx(confidences[1], abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_is_the_same_whatever_stands_beside_it(networks, kind):
    network = networks[kind]
    prepared = network.prepare_texts(["a cat", "photo of something that is much longer", "x"])
    together = network.forward(prepared)
    for row, text in zip(together, prepared, strict=True):
        assert torch.allclose(network.forward([text])[0], row, atol=1e-5)


def test_the_best_labels_are_reported_from_a_confidence_on(networks):
    everything = answers(networks["clip"], pictures(), asked())[0][0]
    assert answers(networks["clip"], pictures(), asked(top_k=2))[0][0] == everything[:2]
    least = everything[1]["confidence"]
    found = answers(networks["clip"], pictures(), asked(min_confidence=least))[0][0]
    assert found == everything[:2]
    assert answers(networks["siglip"], pictures(), asked(min_confidence=1.0))[0][0] == []


@pytest.mark.parametrize("kind", KINDS)
def test_texts_are_cut_as_transformers_cuts_them(towers, networks, kind):
    ours = [each.tokens for each in networks[kind].prepare_texts(TEXTS)]
    assert ours == [tuple(each) for each in towers[kind].tokenizer(TEXTS)["input_ids"]]


def test_an_older_folder_without_tokenizer_json_is_cut_the_same(towers, networks, tmp_path):
    folder = shutil.copytree(towers["clip"].folder, tmp_path / "older")
    without_tokenizer_json(folder)
    older = network_of(folder, task=TASK)
    assert older.prepare_texts(TEXTS) == networks["clip"].prepare_texts(TEXTS)
    assert answers(older, pictures(), asked()) == answers(networks["clip"], pictures(), asked())


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_that_is_too_long_is_refused_by_its_words(networks, kind):
    with pytest.raises(ParamsError, match=r"'z[9q]z.*…' has \d+ tokens.*reads (77|64)") as caught:
        networks[kind].prepare_texts(["a cat", "z9" * 100 if kind == "clip" else "zq" * 100])
    assert caught.value.param == "labels"


def test_the_same_folder_is_an_embedder_where_no_task_is_named(towers):
    network = network_of(towers["clip"].folder)
    assert (network.record.task, network.texts({})) == ("embedding", ())


def test_a_card_says_that_labels_come_with_jobs(towers):
    record, _ = read(towers["siglip"].folder, task=TASK)
    assert (record.task, record.labels, record.max_batch) == (TASK, (TASK,), 32)
    with pytest.raises(RecordError, match="each job") as caught:
        read(towers["siglip"].folder, task=TASK, labels=["cat"])
    assert caught.value.param == "labels"


def test_a_network_without_a_text_tower_does_not_do_it(vit):
    (_, record) = read_folder(vit)
    with pytest.raises(RecordError, match="vit does classification or embedding, not zero-shot"):
        describe({**record, "name": "vit", "task": TASK})


def test_a_network_without_its_texts_tensors_is_refused(sent):
    record, tensors = sent
    kept = {name: each for name, each in tensors.items() if not name.startswith("text_model")}
    with pytest.raises(WeightsError, match="do not fit"):
        loaded((record, kept))


def test_texts_that_are_no_numbers_are_found_when_a_version_is_tried_out(sent):
    _, tensors = sent
    # Finite, and infinite as soon as it is computed with.
    tensors["text_projection.weight"] = torch.full_like(tensors["text_projection.weight"], 3e38)
    with pytest.raises(WeightsError, match="black picture with what is not a number"):
        loaded(sent).warm_up()


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


def test_blank_samples_give_features_and_no_texts(networks):
    network = networks["clip"]
    black = np.zeros((32, 32, 3), np.uint8)
    assert network.forward([network.sample(Picture(black, 32, 32))]).shape == (1, 24)
    network.warm_up()
