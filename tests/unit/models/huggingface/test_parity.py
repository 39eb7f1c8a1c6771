"""Our answers held against transformers' own, from the same folder on the same pictures.

Run with -s for the table of the largest differences.
"""

import numpy as np
import pytest
import torch
from torchvision.ops import box_iou

from models.answers import rle
from models.media.pictures import Picture
from models.runtime.network import ImageNetwork
from tests.unit.models.huggingface.folders import TINIES, Tiny, network_of
from tests.unit.models.huggingface.theirs import Theirs

SIZES = [(96, 96), (75, 131), (140, 61), (33, 50)]
EVERYTHING = {"top_k": 1000, "min_confidence": 0.0}
OBJECTS = {"min_confidence": 0.0, "max_detections": 1000, "classes": None, "nms_iou": None}
MASKS = {"min_confidence": 0.0, "max_detections": 1000, "classes": None, "min_area": 0}
VIDEO = {"top_k": 1000, "min_confidence": 0.0}


def tinies(*tasks: str):
    chosen = [each for each in TINIES if each.task in tasks]
    return pytest.mark.parametrize("tiny", chosen, ids=[each.name for each in chosen])


def pictures() -> list[np.ndarray]:
    """Pictures with large shapes and fine noise, uint8 (H, W, 3)."""
    numbers = np.random.default_rng(7)
    drawn = []
    for height, width in SIZES:
        down, right = np.mgrid[0:height, 0:width].astype(np.float32)
        waves = [
            np.sin(down / each + right / other) for each, other in numbers.uniform(3, 15, (3, 2))
        ]
        noise = numbers.normal(0, 8, (height, width, 3))
        drawn.append((127 + 90 * np.stack(waves, -1) + noise).clip(0, 255).astype(np.uint8))
    return drawn


@pytest.fixture(scope="module")
def table():
    """Collects the largest differences, and prints them in the end."""
    rows: dict[str, str] = {}
    yield rows
    print("\n" + "\n".join(f"{name:14} {said}" for name, said in rows.items()))


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Give a tiny network as we load it and as transformers does; each is made once."""
    made: dict[str, tuple[ImageNetwork, Theirs]] = {}

    def make(tiny: Tiny) -> tuple[ImageNetwork, Theirs]:
        if tiny.name not in made:
            folder = tmp_path_factory.mktemp(tiny.name)
            tiny.save(folder)
            made[tiny.name] = network_of(folder), Theirs(tiny, folder)
        return made[tiny.name]

    return make


def sample_of(network, picture):
    return network.sample(Picture(picture, picture.shape[1], picture.shape[0]))


def answers(network: ImageNetwork, params) -> list:
    """All pictures in one batch: none may change what another one gives."""
    outputs = network.forward([sample_of(network, each) for each in pictures()])
    return network.postprocess(outputs, params)


@tinies("classification", "detection", "segmentation", "embedding")
def test_from_the_same_pixels_a_network_computes_what_it_does_in_transformers(tiny, both, table):
    network, theirs = both(tiny)
    for picture in pictures():
        pixels = theirs.processor(images=picture, return_tensors="pt")["pixel_values"]
        sample = network._task.prepare(network.record, Picture(picture, *picture.shape[1::-1]))
        assert sample.pixels.shape == pixels.shape[1:]
    batch = torch.randn(2, *pixels.shape[1:])
    with torch.inference_mode():
        given = network._module(batch)
        wanted = theirs.read(batch.flip(1) if tiny.name == "mobilevit" else batch)
    if isinstance(given, dict):
        given = given["chances"]
    ours = torch.stack([each["scores"] for each in given]) if isinstance(given, list) else given
    difference = float((ours - wanted).abs().max())
    table[tiny.name + " alone"] = f"differs by {difference:.1e} from the same pixels"
    assert difference <= 1e-5


@tinies("classification")
def test_a_classifier_answers_as_transformers_does(tiny, both, table):
    network, theirs = both(tiny)
    worst = 0.0
    for given, picture in zip(answers(network, EVERYTHING), pictures(), strict=True):
        chances = theirs.chances(picture)
        assert given[0]["class_id"] == int(chances.argmax())
        ours = {each["class_id"]: each["confidence"] for each in given}
        worst = max(worst, *(abs(float(chance) - ours[n]) for n, chance in enumerate(chances)))
    table[tiny.name] = f"confidence differs by {worst:.1e} at most"
    assert worst <= 1e-3


@tinies("detection")
def test_a_detector_finds_what_transformers_finds(tiny, both, table):
    network, theirs = both(tiny)
    worst, least = 0.0, 1.0
    for given, picture in zip(answers(network, OBJECTS), pictures(), strict=True):
        wanted = theirs.objects(picture)
        order = wanted["scores"].argsort(descending=True, stable=True)
        assert len(given) == len(order)
        scores = torch.tensor([each["confidence"] for each in given])
        worst = max(worst, float((scores - wanted["scores"][order]).abs().max()))
        for row, score in enumerate(scores):
            # Of objects of one score the order is nobody's: the best overlap of one label counts.
            alike = (wanted["scores"] - score).abs() < 1e-3
            alike &= wanted["labels"] == given[row]["class_id"]
            overlap = box_iou(_corners(given[row]["box"]), wanted["boxes"][alike])
            least = min(least, float(overlap.max()) if alike.any() else 0.0)
    table[tiny.name] = f"score differs by {worst:.1e} at most, boxes overlap by {least:.5f}"
    assert worst <= 1e-3
    assert least >= 0.99


@tinies("segmentation")
def test_a_segmenter_draws_the_masks_that_transformers_draws(tiny, both, table):
    network, theirs = both(tiny)
    least, worst = 1.0, 0.0
    for given, picture in zip(answers(network, MASKS), pictures(), strict=True):
        classes, chances = theirs.classes(picture)
        masks = {each["class_id"]: each for each in given}
        for class_id in np.unique(classes):
            mask = classes == class_id
            if mask.mean() < 0.05:  # of a few pixels each is several hundredths
                continue
            mine = np.asarray(rle.decode(masks[class_id]["mask"]), bool)
            least = min(least, (mine & mask).sum() / (mine | mask).sum())
            apart = abs(masks[class_id]["confidence"] - float(chances[mask].mean()))
            worst = max(worst, apart)
    table[tiny.name] = f"masks overlap by {least:.5f} at least, confidence differs by {worst:.1e}"
    assert least >= 0.99
    assert worst <= 1e-3


@tinies("embedding")
def test_an_embedder_gives_the_vectors_that_transformers_gives(tiny, both, table):
    network, theirs = both(tiny)
    least = 1.0
    for given, picture in zip(answers(network, {"normalize": False}), pictures(), strict=True):
        ours, wanted = torch.tensor(given[0]["embedding"]), theirs.vector(picture)
        least = min(least, float(torch.cosine_similarity(ours, wanted, dim=0)))
        assert torch.allclose(ours.norm(), wanted.norm(), rtol=1e-2)
    table[tiny.name] = f"cosine is {least:.7f} at least"
    assert least >= 0.9999


@tinies("video-classification")
def test_a_video_classifier_answers_as_transformers_does(tiny, both, table):
    from models.tasks.task import Step

    network, theirs = both(tiny)
    worst = 0.0
    for picture in pictures():
        clip = [np.ascontiguousarray(np.roll(picture, 4 * step, axis=1)) for step in range(4)]
        frames = torch.stack([network.prepare_frame(each) for each in clip])
        ours = network.forward([Step(frames)])[0].logits.softmax(0)
        worst = max(worst, float((ours - theirs.clip_chances(clip)).abs().max()))
        assert int(ours.argmax()) == int(theirs.clip_chances(clip).argmax())
    table[tiny.name] = f"confidence differs by {worst:.1e} at most"
    assert worst <= 1e-3


def _corners(box) -> torch.Tensor:
    x, y = box["x"], box["y"]
    return torch.tensor([[x, y, x + box["width"], y + box["height"]]])
