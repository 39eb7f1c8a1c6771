"""Our way (OpenCV, uint8 to the device, normalise there) against torchvision called directly."""

import io
import itertools

import pytest
import torch
from PIL import Image
from torchvision import models as tv
from torchvision.io import ImageReadMode, decode_image

from models.catalog import (
    ModelRecord,
    check_params,
)
from models.media.pictures import decode
from models.networks.torchvision import torchvision_record
from models.pictures.data import make_photos
from models.preprocessing.preprocess import Preprocessing, normalise, to_sample
from models.records.errors import ImageTooLarge, RecordError, UnknownArchitecture
from models.records.record import Limits
from models.records.torchvision_names import CLASSIFIERS
from models.runtime.registry import load
from models.runtime.torch_runtime import build
from models.runtime.weights import write

PHOTOS = list(make_photos(12, seed=7))
ARCHITECTURES = ["resnet18", "mobilenet_v3_small"]
TOP_5 = check_params("classification", {"top_k": 5, "decode": "exact"})


@pytest.fixture(scope="module", params=ARCHITECTURES)
def pair(request):
    """One network built by torchvision itself, and ours with the same random weights."""
    torch.manual_seed(11)
    theirs = tv.get_model(request.param, weights=None)
    # Photos alike and random weights give logits alike; louder ones make confidences differ.
    final = theirs.fc if hasattr(theirs, "fc") else theirs.classifier[-1]
    final.weight.data *= 40
    record = torchvision_record(f"torchvision/{request.param}")
    return theirs.eval(), load(record, write(theirs.state_dict()))


def published(network):
    return tv.get_model_weights(network.record.architecture.split("/")[1]).DEFAULT.transforms()


def confidences_of(module, image):
    with torch.inference_mode():
        return module(image.unsqueeze(0)).softmax(1)[0]


# Only this test leans on torchvision's own decoder, which torchcodec is to replace.
@pytest.mark.filterwarnings("ignore:The image decoding")
def test_every_image_gets_torchvisions_classes_and_confidences(pair):
    theirs, ours = pair
    outputs = ours.forward([ours.prepare(photo) for photo in PHOTOS])
    for photo, predictions in zip(PHOTOS, ours.postprocess(outputs, TOP_5), strict=True):
        image = decode_image(
            torch.frombuffer(bytearray(photo), dtype=torch.uint8), ImageReadMode.RGB
        )
        expected = confidences_of(theirs, published(ours)(image)).topk(5)
        assert [each["class_id"] for each in predictions] == expected.indices.tolist()
        assert [each["confidence"] for each in predictions] == pytest.approx(
            expected.values.tolist(), abs=1e-3
        )
        categories = tv.ResNet18_Weights.DEFAULT.meta["categories"]
        assert predictions[0]["class"] == categories[predictions[0]["class_id"]]


def test_the_pil_path_gives_nearly_the_same_pixels(pair):
    # Pillow rounds its resizing otherwise, so pixels agree nearly and classes mostly. How often the
    # classes do is printed and not judged: these random weights magnify the least difference.
    theirs, ours = pair
    samples = [ours.prepare(photo) for photo in PHOTOS]
    best = [found[0]["class_id"] for found in ours.postprocess(ours.forward(samples), TOP_5)]
    spec = Preprocessing.read(ours.record.preprocess)
    agreed = 0
    for photo, sample, class_id in zip(PHOTOS, samples, best, strict=True):
        image = published(ours)(Image.open(io.BytesIO(photo)))
        difference = (image - normalise(sample.pixels.unsqueeze(0), spec)[0]).abs() * 255 * 0.225
        assert difference.mean() < 1.0
        agreed += int(confidences_of(theirs, image).argmax()) == class_id
    print(f"{ours.record.name}: top-1 agreement with the PIL path {agreed}/{len(PHOTOS)}")


@pytest.mark.parametrize(
    ("name", "may_differ"),
    [("resnet18", 0), ("convnext_tiny", 0), ("efficientnet_b0", 1e-5), ("swin_t", 1e-5)],
)
def test_preprocessing_equals_torchvisions_tensor_path(name, may_differ):
    # Those that filter with cubes differ in a value or two of a picture, by one step of 255.
    record = torchvision_record(f"torchvision/{name}")
    spec = Preprocessing.read(record.preprocess)
    transforms = tv.get_model_weights(name).DEFAULT.transforms()
    for photo in PHOTOS[:4]:
        pixels = decode(photo, 3, record.limits).pixels
        ours = normalise(to_sample(pixels, spec, record.limits).unsqueeze(0), spec)[0]
        theirs = transforms(torch.from_numpy(pixels.copy()).permute(2, 0, 1).contiguous())
        steps = (ours - theirs).abs() * 255 * torch.tensor(spec.std)[:, None, None]
        assert steps.max() < 1.001
        assert (steps > 0).float().mean() <= may_differ


def test_the_composition_of_a_batch_does_not_change_a_result(pair):
    _, ours = pair
    samples = [ours.prepare(photo) for photo in PHOTOS[:6]]
    alone = torch.cat([ours.forward([sample]) for sample in samples]).softmax(1)
    together = ours.forward(samples).softmax(1)
    backwards = ours.forward(samples[::-1]).softmax(1).flip(0)
    assert (together - alone).abs().max() < 1e-5
    assert (backwards - alone).abs().max() < 1e-5


def test_a_strip_that_resizing_would_blow_up_is_too_large():
    spec = Preprocessing.read(torchvision_record("torchvision/resnet18").preprocess)
    strip = decode(next(make_photos(1)), 3, Limits()).pixels[
        :1
    ]  # 256 times that is 30 million pixels
    with pytest.raises(ImageTooLarge, match="less elongated"):
        to_sample(strip, spec, Limits())


def test_the_written_list_is_that_of_the_installed_torchvision():
    assert list(CLASSIFIERS) == tv.list_models(module=tv)


def test_every_network_has_a_record_that_survives_json():
    for name in CLASSIFIERS:
        record = torchvision_record(f"torchvision/{name}")
        assert len(record.labels) == 1000
        assert ModelRecord.from_json(record.to_json()) == record
        Preprocessing.read(record.preprocess)


@pytest.mark.parametrize(
    "name", ["googlenet", "inception_v3", "squeezenet1_1", "shufflenet_v2_x0_5"]
)
def test_networks_are_built_for_the_records_number_of_labels(name):
    record = torchvision_record(f"torchvision/{name}")
    few = ModelRecord.from_json({**record.to_json(), "labels": ["cat", "dog", "cow"]})
    network = load(few, write(build(few).state_dict()))
    outputs = network.forward([network.prepare(photo) for photo in itertools.islice(PHOTOS, 2)])
    assert outputs.shape == (2, 3)


def test_the_training_heads_of_published_inception_weights_are_left_out():
    record = torchvision_record("torchvision/inception_v3")
    full = tv.inception_v3(weights=None, init_weights=False).state_dict()
    assert any(name.startswith("AuxLogits.") for name in full)
    assert load(record, write(full)).size_bytes > 0


def test_unknown_names_are_refused_and_alternatives_named():
    with pytest.raises(UnknownArchitecture, match="torchvision/resnet50"):
        torchvision_record("torchvision/nonesuch")
    with pytest.raises(RecordError, match="IMAGENET1K_V1"):
        torchvision_record("torchvision/resnet18", "IMAGENET9K")
    with pytest.raises(RecordError, match="without categories"):
        torchvision_record("torchvision/vgg16", "IMAGENET1K_FEATURES")
