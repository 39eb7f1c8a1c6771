"""The network of the first minute: made of a package's weights once, right about two photos."""

import io
from pathlib import Path

import pytest
import sklearn.datasets
from PIL import Image

from models.contracts import check_params
from models.imagenet import prepare
from models.records import imagenet
from models.records.record import ModelRecord
from models.runtime.network import ImageNetwork
from models.runtime.registry import load

PHOTOS = Path(sklearn.datasets.__file__).parent / "images"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ModelRecord, bytes]:
    folder = tmp_path_factory.mktemp("imagenet")
    return folder, *prepare(folder)


@pytest.mark.parametrize(("name", "expected"), [("china.jpg", "palace"), ("flower.jpg", "daisy")])
def test_it_knows_a_palace_and_a_daisy(
    found: tuple[Path, ModelRecord, bytes], name: str, expected: str
) -> None:
    _, record, weights = found
    network = load(record, weights)
    assert isinstance(network, ImageNetwork)
    outputs = network.forward([network.prepare((PHOTOS / name).read_bytes())])
    best = network.postprocess(outputs, check_params("classification", {}))[0][0]
    assert best["class"] == expected


def test_what_is_known_of_it_goes_along(found: tuple[Path, ModelRecord, bytes]) -> None:
    record = found[1]
    assert record.provenance["license"] == "Apache-2.0"
    assert imagenet.PACKAGE in record.provenance["source"]
    # Nobody has measured these weights here, so no accuracy is claimed.
    assert set(record.metrics) == {"parameters"}


def test_it_is_made_once(
    found: tuple[Path, ModelRecord, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, record, weights = found
    monkeypatch.setattr("models.imagenet.convert", lambda: pytest.fail("made again"))
    assert prepare(folder) == (record, weights)


def test_a_record_of_another_release_is_made_anew(
    found: tuple[Path, ModelRecord, bytes], tmp_path: Path
) -> None:
    imagenet.keep(tmp_path, found[1], found[2])
    (tmp_path / "imagenet.json").write_text('{"name": "imagenet", "colour": "red"}')
    assert imagenet.find(tmp_path) is None


def test_a_folder_that_others_own_costs_time_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_bytes(b"")
    record, _ = prepare(tmp_path / "file" / "below")
    assert record.name == "imagenet"
    assert "not kept" in capsys.readouterr().err


def test_pictures_are_prepared_by_pillow(found: tuple[Path, ModelRecord, bytes]) -> None:
    network = load(found[1], found[2])
    file = io.BytesIO()
    Image.new("RGB", (300, 260), (200, 30, 60)).save(file, "PNG")
    assert isinstance(network, ImageNetwork)
    assert network.prepare(file.getvalue()).pixels.shape == (3, 224, 224)
