"""What a folder may not say: refused in one line that names it, before anything is made of it."""

import json
import sys

import pytest
import torch
from safetensors.torch import load_file, save

from benchmarks.parity.hugging_face.tiny import read
from models.huggingface.building import build
from models.huggingface.configuration import options_of
from models.huggingface.describing import describe
from models.records.errors import RecordError, WeightsError
from models.records.record import ModelRecord
from models.runtime.registry import load
from pixelmill.client.hugging_face.folder import read_folder

DETR = {"model_type": "detr", "architectures": ["DetrForObjectDetection"]}


@pytest.fixture
def sent(vit):
    """A record as a caller sends it, to be spoilt."""
    return json.loads(json.dumps(read_folder(vit)[1]))


def refused(sent) -> str:
    """Return the message; there is one line, and it is not long."""
    with pytest.raises(RecordError) as caught:
        describe(sent)
    said = str(caught.value)
    assert "\n" not in said
    assert len(said) < 600
    return said


@pytest.mark.parametrize(
    ("setting", "value", "word"),
    [
        ("auto_map", {"AutoModel": "evil.Model"}, "auto_map"),
        ("quantization_config", {"quant_method": "bitsandbytes"}, "quantization_config"),
        ("fusion_config", {"patch_embeddings": True}, "fusion_config"),
        ("transformers_weights", "../../etc/passwd", "transformers_weights"),
        ("problem_type", "multi_label_classification", "one of the classes"),
        ("model_type", "llama", "llama"),
        ("model_type", ["vit"], "model_type"),
        ("num_hidden_layers", 10**9, "num_hidden_layers"),
        pytest.param("num_hidden_layers", 10**5000, "config.json", id="5000 digits"),
        ("hidden_size", 10**6, "hidden_size"),
        ("image_size", 100_000, "image_size"),
        ("image_size", 48, "cannot take pictures"),
        ("patch_size", 0, "zero"),
        ("patch_size", -8, "makes no"),
        ("hidden_act", "os.system", "os.system"),
        ("hidden_size", "32", "hidden_size"),
        ("layer_norm_eps", float("nan"), "JSON"),
        ("id2label", {"0": "cat", "2": "dog"}, "id2label"),
        ("id2label", {"0": "cat", "1": 7}, "id2label"),
        ("architectures", ["ViTForMaskedImageModeling"], "--task"),
        ("pooler_act", [[[[[[[[1]]]]]]]], "deep"),
        ("image_size", list(range(1000)), "numbers"),
    ],
)
def test_a_config_that_is_not_to_be_followed_is_refused(sent, setting, value, word):
    sent["options"]["config"][setting] = value
    assert word in refused(sent)


def test_more_places_than_anybody_looks_at_are_refused(sent):
    sent["options"]["config"] |= {"image_size": [4096, 4096], "patch_size": 1}
    assert "image_size" in refused(sent)


def test_many_names_of_many_letters_are_refused(sent):
    sent["options"]["config"]["id2label"] = {str(n): "x" * 900 for n in range(6000)}
    assert "bytes" in refused(sent)


@pytest.mark.parametrize(
    ("part", "word"),
    [
        ({"backbone": "microsoft/resnet-50", "use_timm_backbone": False}, "fetched"),
        ({"backbone": "hf-hub:someone/network"}, "timm"),
        ({"backbone": "local-dir:/etc"}, "timm"),
        ({"backbone_config": {"model_type": "timm_backbone", "backbone": "hf-hub:a/b"}}, "timm"),
        ({"backbone_config": {"model_type": "llama"}}, "llama"),
        ({"backbone_config": {"model_type": "resnet", "auto_map": {"a": "b"}}}, "auto_map"),
        ({"backbone_config": {"model_type": "resnet", "depths": [300, 1, 1, 1]}}, "depths"),
    ],
)
def test_a_backbone_that_would_be_fetched_or_run_is_refused(sent, part, word):
    sent["options"] = {"config": {**DETR, **part}, "processor": {"size": {"height": 9, "width": 9}}}
    sent["architecture"] = "huggingface/detr"
    assert word in refused(sent)


@pytest.mark.parametrize(
    ("setting", "value", "word"),
    [
        ("do_resize", False, "do_resize"),
        ("resample", 1, "resample"),
        ("size", {"shortest_edge": 32}, "do_center_crop"),
        ("size", {"longest_edge": 32}, "size"),
        ("size", {"height": 10**6, "width": 32}, "size"),
        ("size", {"height": "a", "width": 32}, "size"),
        ("do_pad", True, "do_pad"),
        ("image_mean", [0.5], "image_mean"),
        ("image_std", [0.5, 0.0, 0.5], "image_std"),
        ("rescale_factor", 0, "rescale_factor"),
        ("image_processor_type", "SamImageProcessor", "SamImageProcessor"),
        ("auto_map", {"AutoImageProcessor": "evil.Processor"}, "auto_map"),
    ],
)
def test_a_processor_that_cannot_be_said_in_our_terms_is_refused(sent, setting, value, word):
    sent["options"]["processor"][setting] = value
    assert word in refused(sent)


def test_a_crop_that_needs_padding_is_refused(sent):
    sent["options"]["processor"] |= {
        "do_center_crop": True,
        "crop_size": {"height": 64, "width": 64},
    }
    assert "crop_size" in refused(sent)


def test_no_processor_at_all_is_refused_unless_the_record_says_how_to_prepare(sent):
    del sent["options"]["processor"]
    assert "preprocessor_config.json" in refused(sent)
    ours = {"resize": 32, "crop": 32, "channels": 3, "mean": [0.5] * 3, "std": [0.5] * 3}
    assert describe({**sent, "preprocess": ours})["labels"] == ["cat", "dog", "owl", "newt", "crab"]


@pytest.mark.parametrize("options", [{}, {"config": {}}, {"config": {}, "code": "x"}, [1], "x"])
def test_other_options_are_refused(sent, options):
    sent["options"] = options
    assert "config" in refused(sent)


def test_another_architecture_than_the_config_s_is_refused(sent):
    sent["architecture"] = "huggingface/swin"
    assert "huggingface/vit" in refused(sent)


def test_a_task_that_the_network_does_not_do_is_refused(sent):
    assert "detection" in refused({**sent, "task": "detection"})


def test_labels_must_be_one_a_class(sent):
    assert "3 labels" in refused({**sent, "labels": ["a", "b", "c"]})
    record = whole(sent)
    with pytest.raises(RecordError, match="5 classes"):
        build(ModelRecord.from_json({**record.to_json(), "labels": ["a"]}))


def whole(sent) -> ModelRecord:
    told = {**describe(sent), **sent, "name": "vit"}
    return ModelRecord.from_json({key: told[key] for key in told if key != "provenance"})


def test_a_config_that_names_more_classes_than_its_weights_is_refused(vit, sent):
    config = sent["options"]["config"]
    config["id2label"] = {str(n): f"class {n}" for n in range(6)}
    weights = (vit / "model.safetensors").read_bytes()
    with pytest.raises(WeightsError, match="numbers"):
        load(whole(sent), weights)
    del config["id2label"]  # then there are two, LABEL_0 and LABEL_1
    with pytest.raises(
        WeightsError,
        match=r"another shape: classifier\.bias \(5,\) in model\.safetensors instead of \(2,\) by "
        r"config\.json",
    ):
        load(whole(sent), weights)


def test_a_config_that_asks_for_terabytes_takes_no_memory(vit, sent):
    sent["options"]["config"] |= {
        "hidden_size": 16_384,
        "intermediate_size": 65_536,
        "num_hidden_layers": 20,
        "num_attention_heads": 16,
    }
    with pytest.raises(WeightsError, match=r"asks for [\d,]{14,} numbers"):
        load(whole(sent), (vit / "model.safetensors").read_bytes())


def spoilt(vit, change) -> bytes:
    tensors = load_file(vit / "model.safetensors")
    change(tensors)
    return save(tensors)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda t: t["classifier.bias"].fill_(float("nan")), "not finite: classifier.bias"),
        (lambda t: t.update({"classifier.bias": t["classifier.bias"].long()}), "right kind"),
        (lambda t: t.update({"classifier.bias": torch.zeros(9)}), "another shape: classifier.bias"),
        (lambda t: t.update({"more": torch.zeros(9)}), "unexpected: more"),
        (lambda t: t.pop("classifier.weight"), "numbers"),
        (
            lambda t: t.update({"other.weight": t.pop("classifier.weight")}),
            "missing: classifier.weight; unexpected: other.weight",
        ),
    ],
)
def test_weights_that_are_not_the_network_s_are_refused(vit, change, word):
    with pytest.raises(WeightsError, match=word):
        load(read(vit)[0], spoilt(vit, change))


def test_without_transformers_the_message_says_how_to_install_it(sent, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    assert "pip install 'pixelmill[huggingface]'" in refused(sent)


def test_what_a_class_does_not_declare_is_dropped(sent):
    sent["options"]["config"] |= {
        "_attn_implementation": "someone/kernels:attention",
        "attn_implementation": "someone/kernels:attention",
        "_name_or_path": "/etc/passwd",
        "torch_dtype": "float16",
        "return_dict": False,
        "nobody_knows_this": 3,
    }
    network = build(whole(sent)).network
    assert network.config._attn_implementation in ("sdpa", "eager")
    assert network.config._name_or_path == ""
    assert network.config.return_dict is True
    assert not hasattr(network.config, "nobody_knows_this")


def test_options_are_data_of_a_sane_size(sent):
    config, processor = options_of(sent)
    assert config["model_type"] == "vit"
    assert processor["image_processor_type"] == "ViTImageProcessor"
