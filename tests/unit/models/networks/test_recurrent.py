"""A recurrent layer over torchvision's classifiers: what is carried on and what must not matter."""

import numpy as np
import pytest
import torch
from torch import nn

from models.catalog import ModelRecord
from models.networks.recurrent import Recurrent, recurrent_preprocess
from models.records.torchvision_names import CLASSIFIERS
from models.runtime.network import VideoNetwork
from models.runtime.registry import load
from models.runtime.torch_runtime import ARCHITECTURES, build
from models.runtime.weights import write
from models.tasks.task import Step

LABELS = ("jump", "run", "sit")


def record_of(cell, backbone="mobilenet_v3_small", side=32):
    architecture = f"recurrent/{backbone}-{cell}"
    sizes = {"resize": [side], "crop": [side, side]}
    preprocess = {**recurrent_preprocess(architecture), **sizes}
    return ModelRecord(
        "sport", "video-classification", architecture, LABELS, preprocess, input_kind="video"
    )


def network_of(cell, **options):
    torch.manual_seed(4)
    record = record_of(cell)
    module = build(record)
    # A fresh network sees hardly anything: what it sees now is what it will expect.
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = 1.0
    with torch.no_grad():
        module.train()(torch.randn(2, 8, 3, 32, 32))
    return load(record, write(module.state_dict()), **options)


@pytest.fixture(scope="module", params=["lstm", "gru"])
def network(request):
    return network_of(request.param)


@pytest.fixture(scope="module")
def frames(network):
    pixels = np.random.default_rng(1).integers(0, 256, (12, 40, 50, 3), dtype=np.uint8)
    return torch.stack([network.prepare_frame(each) for each in pixels])


def test_a_state_has_no_dimension_for_a_batch(network, frames):
    assert isinstance(network, VideoNetwork)
    (stepped,) = network.forward([Step(frames)])
    assert stepped.logits.shape == (3,)
    is_lstm = network.record.architecture.endswith("lstm")
    assert [part.shape for part in stepped.state] == [(256,)] * (2 if is_lstm else 1)


@pytest.mark.parametrize("cuts", [[6], [1], [11], [3, 4, 9], list(range(1, 12))])
def test_however_a_video_is_cut_into_steps_the_answer_is_that_of_one_pass(network, frames, cuts):
    (whole,) = network.forward([Step(frames)])
    state = None
    for part in torch.tensor_split(frames, cuts):
        (stepped,) = network.forward([Step(part, state)])
        state = stepped.state
    assert torch.allclose(stepped.logits, whole.logits, atol=1e-5)
    for mine, other in zip(stepped.state, whole.state, strict=True):
        assert torch.allclose(mine, other, atol=1e-5)


def test_the_frames_before_matter(network, frames):
    (first,) = network.forward([Step(frames[:6])])
    (carried,) = network.forward([Step(frames[6:], first.state)])
    (fresh,) = network.forward([Step(frames[6:])])
    assert (carried.logits - fresh.logits).abs().max() > 1e-4


def test_what_else_is_in_a_batch_changes_no_step(network, frames):
    (first,) = network.forward([Step(frames[:4])])
    steps = [
        Step(frames[4:8], first.state),
        Step(frames[4:8]),
        Step(frames[:4]),
        Step(frames[8:], first.state),
        Step(frames[9:], first.state),
    ]
    together = network.forward(steps)
    for step, among in zip(steps, together, strict=True):
        (alone,) = network.forward([step])
        assert torch.allclose(alone.logits, among.logits, atol=1e-5)
        for mine, other in zip(alone.state, among.state, strict=True):
            assert torch.allclose(mine, other, atol=1e-5)


def test_the_recurrence_is_the_one_that_is_written_down(network, frames):
    module = network.module
    inputs = torch.randn(1, 5, 3, 32, 32)
    with torch.inference_mode():
        scores, state = module(inputs)
        cell = module.memory
        weights, biases = (cell.weight_ih_l0, cell.weight_hh_l0), (cell.bias_ih_l0, cell.bias_hh_l0)
        h = c = torch.zeros(256)
        for e in module.encoder(inputs[0]):
            taken, kept = weights[0] @ e + biases[0], weights[1] @ h + biases[1]
            if isinstance(cell, nn.LSTM):
                i, j, g, o = (taken + kept).chunk(4)
                c = j.sigmoid() * c + i.sigmoid() * g.tanh()
                h = o.sigmoid() * c.tanh()
            else:
                (r, z, n), (kr, kz, kn) = taken.chunk(3), kept.chunk(3)
                r, z = (r + kr).sigmoid(), (z + kz).sigmoid()
                h = (1 - z) * (n + r * kn).tanh() + z * h
    assert torch.allclose(state[0][0], h, atol=1e-5)
    assert torch.allclose(scores[0], module.scores(h), atol=1e-5)


def test_a_long_window_is_encoded_in_parts():
    seen = []

    class Encoder(nn.Module):
        def forward(self, frames):
            seen.append(len(frames))
            return frames.flatten(1)

    module = Recurrent(Encoder(), 12, "gru", 2).eval()
    module(torch.zeros(2, 70, 3, 2, 2))
    assert sum(seen) == 140
    assert max(seen) <= 64


def test_an_encoder_gives_the_features_that_its_last_layer_was_given():
    # One of each family. RegNets reckon with tensors while they are built: theirs is a real one.
    widths = {
        "alexnet": 4096,
        "convnext_tiny": 768,
        "densenet121": 1024,
        "efficientnet_b0": 1280,
        "googlenet": 1024,
        "inception_v3": 2048,
        "maxvit_t": 512,
        "mnasnet0_5": 1280,
        "mobilenet_v3_small": 1024,
        "regnet_x_400mf": 400,
        "resnet18": 512,
        "shufflenet_v2_x0_5": 1024,
        "squeezenet1_1": 512,
        "swin_t": 768,
        "vgg11": 4096,
        "vit_b_32": 768,
    }
    for name, width in widths.items():
        with torch.device("cpu" if name.startswith("regnet") else "meta"):
            network = ARCHITECTURES[f"recurrent/{name}-gru"](7)
        assert (network.memory.input_size, network.scores.out_features) == (width, 7), name


def test_there_is_an_architecture_for_every_classifier_and_cell():
    names = {name for name in ARCHITECTURES if name.startswith("recurrent/")}
    backbones = ("digits", *CLASSIFIERS)
    assert names == {f"recurrent/{name}-{cell}" for name in backbones for cell in ("lstm", "gru")}


@pytest.mark.parametrize("backbone", ["resnet18", "squeezenet1_1", "densenet121"])
def test_an_encoder_of_another_family_runs(backbone):
    record = record_of("lstm", backbone, side=64)
    network = load(record, write(build(record).state_dict()))
    network.warm_up()


def test_a_record_survives_json():
    record = record_of("gru")
    assert record.preprocess["carries"]
    assert ModelRecord.from_json(record.to_json()) == record


def test_a_network_runs_in_lower_precision_and_gives_a_state_in_full():
    network = network_of("lstm", autocast=torch.bfloat16)
    network.warm_up()
    frames = torch.zeros(3, 3, 32, 32, dtype=torch.uint8)
    (first,) = network.forward([Step(frames)])
    (second,) = network.forward([Step(frames, first.state)])
    assert {part.dtype for part in (*first.state, *second.state, second.logits)} == {torch.float32}
