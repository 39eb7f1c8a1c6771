"""timm's networks by our record against timm itself: its own preparation, its own forward."""

import io
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save
from timm.data import create_transform, resolve_model_data_config

from models.contracts import check_params
from models.preprocessing.preprocess import Preprocessing, normalise
from models.proving.references.timm_networks import reference
from models.records.errors import RecordError, UnknownArchitecture, WeightsError
from models.runtime.completion import complete
from models.runtime.network import ImageNetwork
from models.runtime.registry import load

# Families that differ: plain, with bilinear, squashed, two heads, of 256 pixels.
NAMES = (
    "tf_efficientnet_lite0",
    "resnet10t",
    "convnext_atto",
    "vit_tiny_patch16_224",
    "deit_tiny_distilled_patch16_224",
    "mobilenetv4_conv_small",
    "edgenext_xx_small",
    "mobilevit_xxs",
)
SHAPES = ((300, 411), (411, 300), (224, 224), (90, 700))


def no_onnx(_: bytes) -> Any:
    raise AssertionError("these are no ONNX files")


def made(name: str, **changes: Any) -> torch.nn.Module:
    torch.manual_seed(7)
    return timm.create_model(name, pretrained=False, **changes).eval()


def packed(network: torch.nn.Module) -> bytes:
    return save({name: each.contiguous() for name, each in network.state_dict().items()})


def ours(architecture: str, weights: bytes, **asked: Any) -> ImageNetwork:
    record = complete({"name": "x", "architecture": architecture, **asked}, weights, no_onnx)
    network = load(record, weights)
    assert isinstance(network, ImageNetwork)
    return network


def picture(shape: tuple[int, int]) -> tuple[Image.Image, bytes]:
    pixels = np.random.default_rng(shape[0]).integers(0, 256, (*shape, 3), dtype=np.uint8)
    # Blurred noise: what real pictures are to a filter.
    image = Image.fromarray(pixels).resize((shape[1], shape[0]), box=(0, 0, 40, 40))
    file = io.BytesIO()
    image.save(file, "PNG")
    return image, file.getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_a_network_answers_as_timm_does(name: str) -> None:
    theirs = made(name)
    network = ours(f"timm/{name}", packed(theirs))
    prepare = create_transform(**resolve_model_data_config(theirs))
    for shape in SHAPES:
        image, data = picture(shape)
        with torch.inference_mode():
            expected = theirs(prepare(image)[None])
        found = network.forward([network.prepare(data)])
        assert (found.softmax(1) - expected.softmax(1)).abs().max() < 1e-4
        assert torch.allclose(found, expected, atol=1e-3)
    best = network.postprocess(found, check_params("classification", {"top_k": 3}))[0]
    assert best[0]["class_id"] == int(expected.argmax())


@pytest.mark.parametrize("name", ["resnet10t", "vit_tiny_patch16_224", "convnext_atto"])
def test_its_features_are_those_before_the_last_layer(name: str) -> None:
    theirs = made(name)
    network = ours(f"timm/{name}-embedding", packed(theirs))
    image, data = picture((120, 160))
    with torch.inference_mode():
        inputs = create_transform(**resolve_model_data_config(theirs))(image)[None]
        expected = theirs.forward_head(theirs.forward_features(inputs), pre_logits=True)
    found = network.forward([network.prepare(data)])
    assert torch.cosine_similarity(found, expected).item() > 0.99999


def test_what_a_training_puts_before_every_name_changes_no_answer(tmp_path: Path) -> None:
    network = made("resnet10t", num_classes=3)
    plain = {name: each.contiguous() for name, each in network.state_dict().items()}
    wrapped = {f"model.{name}": each for name, each in plain.items()} | {
        "criterion.weight": torch.ones(3)
    }
    image, data = picture((300, 411))
    found = ours("timm/resnet10t", save(wrapped), labels=["a", "b", "c"])
    own = ours("timm/resnet10t", save(plain), labels=["a", "b", "c"])
    assert torch.equal(found.forward([found.prepare(data)]), own.forward([own.prepare(data)]))
    # And timm, asked by the client, is asked about the same network.
    (tmp_path / "w.safetensors").write_bytes(save(wrapped))
    theirs = reference("timm/resnet10t", tmp_path / "w.safetensors")(image)
    inputs = create_transform(**resolve_model_data_config(network))(image)[None]
    with torch.inference_mode():
        expected = network(inputs).softmax(1)[0].sort(descending=True)[0].tolist()
    assert [each["confidence"] for each in theirs] == pytest.approx(expected, abs=1e-6)


def test_of_two_networks_in_one_file_none_is_chosen() -> None:
    state = made("resnet10t", num_classes=2).state_dict()
    both = {f"{part}.{name}": each.clone() for part in ("a", "b") for name, each in state.items()}
    with pytest.raises(RecordError, match=r"a\.fc\.weight and b\.fc\.weight.*one of them alone"):
        ours("timm/resnet10t", save(both), labels=["cat", "dog"])


def test_weights_without_a_last_layer_give_features_alone() -> None:
    weights = packed(made("resnet10t", num_classes=0))
    assert ours("timm/resnet10t-embedding", weights).record.task == "embedding"
    with pytest.raises(RecordError, match="timm/resnet10t-embedding"):
        ours("timm/resnet10t", weights)


def test_a_thousand_classes_are_imagenets() -> None:
    record = ours("timm/resnet10t", packed(made("resnet10t"))).record
    assert (record.labels[985], len(record.labels)) == ("daisy", 1000)


def test_own_classes_want_their_names_one_each() -> None:
    weights = packed(made("resnet10t", num_classes=3))
    with pytest.raises(RecordError, match=r"3 classes apart.*--labels"):
        ours("timm/resnet10t", weights)
    with pytest.raises(RecordError, match="2 labels for weights that tell 3"):
        ours("timm/resnet10t", weights, labels=["cat", "dog"])
    assert ours("timm/resnet10t", weights, labels=list("abc")).record.labels == ("a", "b", "c")


def test_a_misspelt_name_is_told_its_neighbours() -> None:
    with pytest.raises(UnknownArchitecture, match="'timm/resnet10t'"):
        ours("timm/resnet10tt", packed(made("resnet10t")))


def test_what_was_said_wins_over_what_timm_says() -> None:
    weights = packed(made("resnet10t", num_classes=1))
    scale = {"channels": 3, "mean": [0.0] * 3, "std": [1.0] * 3}
    preprocess = {"resize": 64, "crop": 64, **scale}
    record = ours("timm/resnet10t", weights, labels=["a"], preprocess=preprocess).record
    assert record.preprocess == preprocess
    assert record.asked["preprocess"] == preprocess


@pytest.mark.parametrize(
    ("name", "built"),
    [("resnet10t", {"global_pool": "max"}), ("vit_tiny_patch16_224", {"img_size": [64, 64]})],
)
def test_it_is_built_as_its_options_say(name: str, built: dict[str, Any]) -> None:
    theirs = made(name, **built)
    scale = {"channels": 3, "mean": [0.5] * 3, "std": [0.5] * 3}
    preprocess = {"resize": 64, "crop": 64, **scale}
    network = ours(f"timm/{name}", packed(theirs), options=built, preprocess=preprocess)
    pixels = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.allclose(network.module(pixels), theirs(pixels), atol=1e-3)


@pytest.mark.parametrize("built", [{"global_pool": "nonesuch"}, {"img_size": [3, 3]}])
def test_what_timm_cannot_build_is_refused(built: dict[str, Any]) -> None:
    with pytest.raises(RecordError, match="timm cannot build 'resnet10t'"):
        ours("timm/resnet10t", packed(made("resnet10t")), options=built)


def test_all_of_timm_but_a_handful_can_be_described() -> None:
    """All but those whose pictures are framed, or that timm says nothing of."""
    from models.networks.timm_networks import _preprocess

    refused = []
    for name in timm.list_models():
        published = timm.get_pretrained_cfg(name)
        try:
            _preprocess(published, name, {})
        except (RecordError, AttributeError):
            refused.append(name)
    assert len(refused) <= 5


@pytest.mark.parametrize("name", ["resnet10t", "vit_tiny_patch16_224"])
def test_grey_networks_see_photos_as_timms_own_evaluation_has_them(name: str) -> None:
    """timm reads with `convert("L")`, and averages mean and deviation (adapt_to_chs)."""
    theirs = made(name, in_chans=1, num_classes=4)
    network = ours(f"timm/{name}", packed(theirs), labels=list("abcd"))
    settings = resolve_model_data_config(theirs)
    scale = {each: (fmean(settings[each]),) for each in ("mean", "std")}
    prepare = create_transform(
        **{**settings, **scale, "input_size": (1, *settings["input_size"][1:])}
    )
    assert network.record.preprocess["channels"] == 1
    for shape in SHAPES:
        file = io.BytesIO()
        # Loud colours: what a decoder's own luma differs by, where they were clipped.
        image, _ = picture(shape)
        image.point(lambda value: min(255, max(0, (value - 128) * 4 + 128))).save(file, "JPEG")
        with torch.inference_mode():
            inputs = prepare(Image.open(file).convert("RGB").convert("L"))[None]
            expected = theirs(inputs)
        sample = network.prepare(file.getvalue())
        spec = Preprocessing.read(network.record.preprocess)
        assert torch.equal(normalise(sample.pixels[None], spec), inputs)
        found = network.forward([sample])
        assert (found.softmax(1) - expected.softmax(1)).abs().max() < 1e-5


def test_weights_for_other_channels_are_told_by_their_channels() -> None:
    four = packed(made("resnet10t", in_chans=4, num_classes=2))
    with pytest.raises(WeightsError, match=r"of 4 channels, and this network takes 3"):
        ours("timm/resnet10t", four, labels=["a", "b"])


@pytest.mark.parametrize("options", [{"scale": "unit"}, {"head": "classifier"}])
def test_options_that_nothing_would_heed_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(RecordError, match=f"{next(iter(options))}, which no network of timm"):
        ours("timm/resnet10t", packed(made("resnet10t")), options=options)


def test_vectors_take_no_labels_but_those_of_their_own_record() -> None:
    weights = packed(made("resnet10t", num_classes=0))
    with pytest.raises(RecordError, match="gives vectors, which have no classes"):
        ours("timm/resnet10t-embedding", weights, labels=["cat", "dog"])
    asked = {"labels": ["embedding"]}
    assert ours("timm/resnet10t-embedding", weights, **asked).record.labels == ("embedding",)
