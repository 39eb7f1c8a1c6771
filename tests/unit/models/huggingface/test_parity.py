"""The rows of `make model-parity` for folders of transformers' networks hold, and can fall."""

import pytest

from benchmarks.parity.hugging_face.rows import rows_of
from benchmarks.parity.hugging_face.theirs import Theirs
from benchmarks.parity.hugging_face.tinies import TINIES
from benchmarks.parity.hugging_face.tiny import network_of, read
from models.records.record import ModelRecord
from models.runtime.registry import load


def tiny_of(name):
    return next(each for each in TINIES if each.name == name)


def fallen(rows):
    return {row.measure.name for row in rows if not row.holds}


@pytest.mark.parametrize("tiny", TINIES, ids=[each.name for each in TINIES])
def test_a_network_answers_as_transformers_does(tiny, tmp_path):
    tiny.save(tmp_path)
    rows = list(rows_of(tiny, network_of(tmp_path), Theirs(tiny, tmp_path)))
    assert [f"{row.measure.name}: {row.worst:.3g}" for row in rows if not row.reacts] == []
    assert [f"{row.measure.name}: {row.worst:.3g}" for row in rows if not row.holds] == []


def test_every_task_of_these_networks_is_among_them():
    assert {each.task for each in TINIES} == {
        *("classification", "detection", "segmentation", "embedding", "video-classification")
    }


@pytest.mark.parametrize("name", ["vit", "swin", "detr", "segformer", "dinov2", "videomae"])
def test_resizing_by_torchvision_would_show(name, tmp_path):
    tiny = tiny_of(name)
    tiny.save(tmp_path)
    record, weights = read(tmp_path)
    plain = record.to_json()
    plain["preprocess"] = {**plain["preprocess"], "resize_by": "torchvision"}
    network = load(ModelRecord.from_json(plain), weights)
    assert "input" in fallen(rows_of(tiny, network, Theirs(tiny, tmp_path)))


def test_channels_that_are_not_flipped_would_show(tmp_path):
    tiny = tiny_of("mobilevit")
    tiny.save(tmp_path)
    network = network_of(tmp_path)
    network.module.flips = False
    assert {"input", "confidence"} <= fallen(rows_of(tiny, network, Theirs(tiny, tmp_path)))
