"""Embedding: the features before a classifier's answer, with the classifier's own weights."""

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import models as tv

from models.catalog import TORCHVISION_TASKS, ModelRecord, check_params
from models.networks.torchvision import torchvision_record
from models.networks.torchvision_embedders import Unused, without_last_layer
from models.pictures.data import make_photos
from models.records.torchvision_names import CLASSIFIERS
from models.runtime.registry import load
from models.runtime.torch_runtime import ARCHITECTURES
from models.runtime.weights import write
from models.tasks import embedding

PHOTOS = list(make_photos(3, seed=7))


def vectors_of(network, **params):
    checked = check_params("embedding", params)
    outputs = network.forward([network.prepare(photo) for photo in PHOTOS])
    return np.array([each[0]["embedding"] for each in network.postprocess(outputs, checked)])


@pytest.mark.parametrize(
    ("name", "length"), [("resnet18", 512), ("mobilenet_v3_small", 1024), ("squeezenet1_1", 512)]
)
def test_the_last_layer_judges_what_the_embedding_gives(name, length):
    torch.manual_seed(1)
    theirs = tv.get_model(name, weights=None).eval()
    weights = write(theirs.state_dict())
    classifier = load(torchvision_record(f"torchvision/{name}"), weights)
    embedder = load(torchvision_record(f"torchvision/{name}-embedding"), weights)
    features = torch.from_numpy(vectors_of(embedder, normalize=False)).float()
    assert features.shape == (3, length)
    logits = classifier.forward([classifier.prepare(photo) for photo in PHOTOS])
    if name != "squeezenet1_1":  # there the last layer comes before the mean over all places
        last = [part for part in theirs.modules() if isinstance(part, nn.Linear)][-1]
        assert torch.allclose(last(features), logits, atol=1e-4)
    unit = vectors_of(embedder)
    assert np.linalg.norm(unit, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert unit[0] @ features[0].numpy() == pytest.approx(np.linalg.norm(features[0]), rel=1e-4)


def test_a_vector_of_zeros_stays_one():
    record = torchvision_record("torchvision/resnet18-embedding")
    (found,) = embedding.postprocess(record, torch.zeros(1, 4), check_params("embedding", {}))
    assert found == [{"embedding": [0.0] * 4}]


def test_the_last_layer_of_every_classifier_is_the_one_that_knows_the_classes():
    # RegNets reckon with tensors while they are built: one small real one stands for them.
    others = [name for name in CLASSIFIERS if not name.startswith("regnet")]
    for name in ["regnet_x_400mf", *others]:
        with torch.device("cpu" if name.startswith("regnet") else "meta"):
            network = without_last_layer(ARCHITECTURES[f"torchvision/{name}"](7))
        unused = [part for part in network.modules() if isinstance(part, Unused)]
        assert [part.weight.shape[0] for part in unused] == [7], name


def test_every_classifier_has_an_embedder_that_survives_json():
    names = [name for name, task in TORCHVISION_TASKS.items() if task == "embedding"]
    assert len(names) == len(CLASSIFIERS)
    record = torchvision_record(names[0])
    assert (record.task, record.name) == ("embedding", names[0])
    assert ModelRecord.from_json(record.to_json()) == record
