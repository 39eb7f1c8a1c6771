"""Zero-shot answers held against transformers' own pipeline, from the same folder."""

import shutil

import numpy as np
import pytest
import torch

from benchmarks.parity.hugging_face.tiny import network_of, read
from models.huggingface.describing import describe
from models.media.pictures import Picture
from models.records.errors import ParamsError, RecordError, WeightsError
from pixelmill.client.hugging_face.folder import read_folder
from tests.unit.models.huggingface.towers import KINDS, TEXTS, loaded, pictures
from tests.unit.models.huggingface.two_towers import (
    LABELS,
    TASK,
    answers,
    asked,
    without_tokenizer_json,
)


@pytest.fixture(scope="module")
def table():
    """Collects the largest differences, and prints them in the end."""
    rows: dict[str, str] = {}
    yield rows
    print("\n" + "\n".join(f"{name:30} {said}" for name, said in rows.items()))


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


def test_blank_samples_give_features_and_no_texts(networks):
    network = networks["clip"]
    black = np.zeros((32, 32, 3), np.uint8)
    assert network.forward([network.sample(Picture(black, 32, 32))]).shape == (1, 24)
    network.warm_up()


def test_labels_beside_vectors_are_refused_with_the_way_that_takes_them(towers):
    record = read_folder(towers["clip"].folder)[1]
    with pytest.raises(RecordError, match="--task zero-shot-classification"):
        describe({**record, "labels": ["a cat", "a dog"]})
    assert describe(record)["labels"] == ["embedding"]
    assert describe({**record, "labels": ["embedding"]})["task"] == "embedding"
