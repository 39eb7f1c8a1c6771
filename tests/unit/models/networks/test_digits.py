"""The shipped digits network, from PNG bytes to named digits, and its training."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from models import evaluate, train
from models.catalog import SHIPPED, check_params, shipped_weights
from models.pictures.data import encode, heldout_digits, make_photos, train_digits, write_png_folder
from models.records.errors import ImageDecodeFailed
from models.runtime.registry import load
from models.runtime.weights import digest, read, write
from models.training.digits_training import Recipe
from models.training.digits_training import train as train_network

RECORD = SHIPPED["digits"]


def params(**given):
    return check_params("classification", given)


def test_the_shipped_weights_reach_their_card_on_held_out_digits():
    measured = evaluate.evaluate(RECORD, shipped_weights("digits").read_bytes())
    print(f"digits: held-out accuracy {measured['heldout_accuracy']:.4f}")
    assert measured["heldout_accuracy"] >= 0.97
    assert measured["heldout_accuracy"] == pytest.approx(
        RECORD.metrics["heldout_accuracy"], abs=0.01
    )


def test_the_evaluation_succeeds_and_fails_when_a_figure_falls(capsys):
    assert evaluate.main([RECORD]) == 0
    assert "heldout_accuracy" in capsys.readouterr().out
    boastful = replace(RECORD, metrics={"heldout_accuracy": 1.02})
    assert evaluate.main([boastful]) == 1
    assert "below its card" in capsys.readouterr().out


def test_predictions_are_named_sorted_and_probabilities(digits):
    images, labels = heldout_digits()
    samples = [digits.prepare(encode(image, ".png")) for image in images[:20]]
    assert samples[0].pixels.shape == (1, 28, 28)
    assert samples[0].pixels.dtype == torch.uint8
    found = digits.postprocess(digits.forward(samples), params(top_k=100))
    for predictions, label in zip(found, labels, strict=False):
        confidences = [each["confidence"] for each in predictions]
        assert len(predictions) == 10, "top_k is capped by the number of labels"
        assert confidences == sorted(confidences, reverse=True)
        assert sum(confidences) == pytest.approx(1.0, abs=1e-5)
        assert predictions[0] == {
            "class": str(label),
            "class_id": label,
            "confidence": confidences[0],
        }


def test_classes_below_the_least_confidence_are_left_out(digits):
    outputs = torch.tensor([[2.0] + [0.0] * 9, [9.0] + [0.0] * 9])
    found = digits.postprocess(outputs, params(top_k=3, min_confidence=0.5))
    assert [len(predictions) for predictions in found] == [0, 1]


def test_outputs_can_be_taken_apart_by_sample(digits):
    images, _ = heldout_digits()
    outputs = digits.forward([digits.prepare(encode(image, ".png")) for image in images[:6]])
    whole = digits.postprocess(outputs, params())
    assert whole == digits.postprocess(outputs[:2], params()) + digits.postprocess(
        outputs[2:], params()
    )


def test_threads_may_prepare_at_once_and_a_bad_image_costs_only_itself(digits):
    images, _ = heldout_digits()
    items = [encode(image, ".png") for image in images[:100]]
    items[37] = items[37][:40]

    def prepare(item):
        try:
            return digits.prepare(item)
        except ImageDecodeFailed:
            return None

    with ThreadPoolExecutor(8) as threads:
        samples = list(threads.map(prepare, items))
    assert [index for index, sample in enumerate(samples) if sample is None] == [37]
    good = [sample for sample in samples if sample is not None]
    assert torch.equal(good[0].pixels[0], torch.from_numpy(images[0]))


def test_a_network_says_how_much_memory_its_weights_take(digits):
    digits.warm_up()
    assert digits.size_bytes == 4 * RECORD.metrics["parameters"]


def test_lower_precision_agrees_on_what_is_seen(digits):
    low = load(RECORD, shipped_weights("digits").read_bytes(), autocast=torch.bfloat16)
    images, _ = heldout_digits()
    samples = [digits.prepare(encode(image, ".png")) for image in images[:64]]
    outputs = low.forward(samples)
    assert outputs.dtype == torch.float32
    agreement = (outputs.argmax(1) == digits.forward(samples).argmax(1)).float().mean()
    assert agreement >= 0.98


def test_training_from_scratch_reaches_the_mark_and_repeats_itself():
    recipe, lines = Recipe(epochs=6, seed=3), []
    before = torch.random.get_rng_state()
    trained = train_network(RECORD, train_digits(), heldout_digits(), recipe, lines.append)
    assert trained.accuracy >= 0.97
    assert len(lines) == len(trained.losses) == 6
    assert trained.confusion.sum() == 360
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    for run in ("a", "b"):
        train.main(["digits", "--out", str(tmp_path / run), "--epochs", "1"])
    first, second = ((tmp_path / run / "digits.safetensors").read_bytes() for run in ("a", "b"))
    assert digest(first) == digest(second) == digest(write(read(second)))
    assert "| heldout_accuracy |" in (tmp_path / "a" / "digits.md").read_text()


def test_the_split_is_stratified_and_nothing_is_in_both_halves():
    (images, labels), (held_images, held_labels) = train_digits(), heldout_digits()
    assert images.shape == (1437, 28, 28)
    assert held_images.shape == (360, 28, 28)
    assert images.dtype == np.uint8
    assert images.max() == 255
    assert np.abs(np.bincount(labels) / 1437 - np.bincount(held_labels) / 360).max() < 0.003
    seen = {image.tobytes() for image in images}
    assert not any(image.tobytes() in seen for image in held_images)


def test_a_folder_of_png_files_holds_the_very_pictures(tmp_path, digits):
    images, labels = heldout_digits()
    written = write_png_folder(tmp_path / "demo", images[:3], labels[:3])
    assert [path.name for path, _ in written] == ["00000.png", "00001.png", "00002.png"]
    assert [label for _, label in written] == labels[:3].tolist()
    sample = digits.prepare(written[0][0].read_bytes())
    assert torch.equal(sample.pixels[0], torch.from_numpy(images[0]))


def test_photos_are_varied_and_the_same_for_the_same_seed():
    photos = list(make_photos(20, seed=1))
    assert photos == list(make_photos(20, seed=1))
    assert len(set(photos)) == 20
    assert photos[0] != next(make_photos(1, seed=2))
