"""What a record's missing members are filled in with, and that a caller's own are kept."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmarks.parity.hugging_face.tinies import TINIES
from benchmarks.parity.hugging_face.tiny import network_of
from models.huggingface.describing import describe
from models.huggingface.model_types import MODEL_TYPES, task_of
from models.huggingface.processors import preprocess_of
from models.preprocessing.whole_pictures import as_detr
from models.records.errors import RecordError
from pixelmill.client.hugging_face.folder import read_folder


@pytest.fixture
def sent(vit):
    return json.loads(json.dumps(read_folder(vit)[1]))


def test_a_folder_says_all_that_a_record_leaves_out(sent):
    told = describe(sent)
    assert told["task"] == "classification"
    assert told["labels"] == ["cat", "dog", "owl", "newt", "crab"]
    assert told["preprocess"]["resize"] == told["preprocess"]["crop"] == [32, 32]
    assert told["description"] == "ViTForImageClassification of a Hugging Face folder."
    assert 8 <= told["shard_items"] <= 1024


def test_what_the_caller_says_is_left_to_the_caller(sent):
    told = describe({**sent, "labels": list("abcde"), "task": "classification", "max_batch": 3})
    assert not {"labels", "task", "max_batch"} & told.keys()


def test_classes_without_names_are_taken_and_said(sent):
    sent["options"]["config"]["id2label"] = {str(n): f"LABEL_{n}" for n in range(5)}
    told = describe(sent)
    assert told["labels"][4] == "LABEL_4"
    assert "no names" in told["description"]


def test_a_heavy_network_gets_small_shards_and_a_light_one_large_ones(sent):
    light = describe(sent)["shard_items"]
    sent["options"]["config"] |= {"hidden_size": 1024, "intermediate_size": 4096}
    sent["options"]["config"] |= {"num_hidden_layers": 24, "num_attention_heads": 16}
    assert describe(sent)["shard_items"] < light


@pytest.mark.parametrize("name", sorted(MODEL_TYPES))
def test_every_kind_on_the_list_is_one_of_transformers(name):
    import transformers

    kind = MODEL_TYPES[name]
    for classes in kind.classes.values():
        for each in classes:
            assert hasattr(transformers, each), each
    assert hasattr(transformers, f"{kind.processor}ImageProcessor")
    if len(kind.classes) > 1:
        with pytest.raises(RecordError, match="--task"):
            task_of({"model_type": name})
    else:
        assert task_of({"model_type": name}) in kind.classes


def preprocess(kind: str, task: str, **settings):
    return preprocess_of(task, MODEL_TYPES[kind], {}, {"do_resize": True, **settings})


def test_convnext_crops_small_pictures_and_squashes_large_ones():
    small = preprocess("convnext", "classification", size={"shortest_edge": 224}, crop_pct=0.875)
    assert (small["resize"], small["crop"]) == (256, [224, 224])
    large = preprocess("convnext", "classification", size={"shortest_edge": 384})
    assert large["resize"] == large["crop"] == [384, 384]


def test_levit_and_poolformer_resize_by_a_share_of_the_crop():
    assert preprocess("levit", "classification")["resize"] == 256
    assert preprocess("poolformer", "classification", crop_pct=0.9)["resize"] == 248


def test_a_size_of_one_number_is_read_as_its_processor_reads_it():
    assert preprocess("vit", "classification", size=96)["resize"] == [96, 96]
    assert preprocess("clip", "embedding", size=96, crop_size=96)["resize"] == 96
    detr = preprocess("detr", "detection", size=600, max_size=1000)
    assert (detr["shorter"], detr["longer"]) == (600, 1000)


@pytest.mark.parametrize("name", ["ViTFeatureExtractor", "ViTImageProcessorFast"])
def test_older_and_newer_names_of_a_processor_are_known(name):
    given = preprocess("swin", "classification", size=64, feature_extractor_type=name)
    assert given["resize"] == [64, 64]


def test_scales_are_ours_for_values_from_0_to_1():
    vivit = preprocess("vivit", "video-classification", image_mean=[0.5] * 3, image_std=[0.5] * 3)
    assert vivit["mean"] == pytest.approx([0.75] * 3)  # x / 127.5 - 1, then (x - 0.5) / 0.5
    assert vivit["std"] == pytest.approx([0.25] * 3)
    raw = preprocess("vit", "classification", do_rescale=False, do_normalize=False)
    assert raw["std"] == pytest.approx([1 / 255] * 3)


@pytest.mark.parametrize("size", [(480, 640), (640, 480), (100, 1000), (800, 800), (801, 1333)])
def test_sizes_of_detr_are_transformers_own(size):
    from transformers.image_transforms import get_size_with_aspect_ratio

    assert as_detr(*size, 800, 1333) == get_size_with_aspect_ratio(size, 800, 1333)


def test_a_classifier_s_folder_serves_as_an_embedder(vit):
    network = network_of(vit, task="embedding")
    whole = network_of(vit)
    picture = torch.randint(0, 256, (32, 32, 3), dtype=torch.uint8).numpy()
    from models.media.pictures import Picture

    sample = network.sample(Picture(picture, 32, 32))
    features, logits = network.forward([sample]), whole.forward([sample])
    head = load_file(vit / "model.safetensors")
    assert features.shape == (1, 32)
    assert torch.allclose(
        features @ head["classifier.weight"].T + head["classifier.bias"], logits, atol=1e-5
    )


def test_weights_of_half_precision_are_computed_in_float32(vit):
    tensors = load_file(vit / "model.safetensors")
    save_file(
        {name: value.half() for name, value in tensors.items()},
        vit / "model.safetensors",
        metadata={"format": "pt"},
    )
    network = network_of(vit)
    assert {each.dtype for each in network.module.parameters()} == {torch.float32}


def test_a_backbone_of_timm_is_built_and_not_fetched(tmp_path):
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("timm")
    tiny = next(each for each in TINIES if each.name == "detr")
    config = tiny.config().to_dict()
    for name in ("backbone_config", "backbone", "use_timm_backbone"):
        config.pop(name, None)
    made = transformers.DetrConfig(**config, backbone="resnet18", use_timm_backbone=True)
    transformers.DetrForObjectDetection(made).save_pretrained(tmp_path)
    tiny.processor().save_pretrained(tmp_path)
    older = json.loads((tmp_path / "config.json").read_text())
    older.pop("backbone_config")  # as facebook/detr-resnet-50 has it
    older |= {"backbone": "resnet18", "use_timm_backbone": True, "use_pretrained_backbone": True}
    (tmp_path / "config.json").write_text(json.dumps(older))
    assert network_of(tmp_path).record.task == "detection"


def test_threads_that_run_a_network_at_once_get_the_same_answers(vit):
    from concurrent.futures import ThreadPoolExecutor

    network = network_of(vit)
    batches = [torch.randn(3, 3, 32, 32) for _ in range(8)]
    with torch.inference_mode():
        alone = [network.module(each) for each in batches]

    def run(batch):
        with torch.inference_mode():
            return network.module(batch)

    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(run, batches))
    assert all(torch.equal(*each) for each in zip(alone, together, strict=True))


@pytest.mark.parametrize("processor", [{}, {"do_flip_channel_order": True}])
def test_mobilevit_is_given_blue_first(processor):
    from types import SimpleNamespace

    from models.huggingface.heads import head_for

    def first_channel(pixel_values):
        return SimpleNamespace(logits=pixel_values[:, 0].mean((1, 2)))

    class Network(torch.nn.Module):
        def forward(self, pixel_values):
            return first_channel(pixel_values)

    head = head_for("classification", Network(), MODEL_TYPES["mobilevit"], processor)
    batch = torch.zeros(1, 3, 2, 2)
    batch[:, 2] = 5
    assert float(head(batch)) == 5
    plain = head_for("classification", Network(), MODEL_TYPES["vit"], {})
    assert float(plain(batch)) == 0
