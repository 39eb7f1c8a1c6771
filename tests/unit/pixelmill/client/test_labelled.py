"""Labelled folders are read and checked before anything of them is sent."""

import io
import json
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from models.answers import rle
from pixelmill.client.labelled.labelled import read_labelled
from pixelmill.client.labelled.png import read_ids
from pixelmill.client.labelled.rle import codes_of
from pixelmill.client.records import Model
from pixelmill.wire.errors import InvalidInput

LABELS = ["background", "cat", "dog"]


def model(task, labels=LABELS):
    return Model.from_raw({"id": "my/pets@3", "name": "my/pets", "task": task, "labels": labels})


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "pets"
    made.mkdir()
    return made


def put(folder, *names, content=b"picture"):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def coco(folder, name="annotations.json", **changes):
    content = {
        "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "sub/b.jpg"}],
        "categories": [{"id": 7, "name": "cat"}, {"id": 9, "name": "unused"}],
        "annotations": [
            {"image_id": 1, "category_id": 7, "bbox": [1, 2, 3.5, 4]},
            {"image_id": 1, "category_id": 7, "bbox": [0, 0, 9, 9], "iscrowd": 1},
        ],
        **changes,
    }
    (folder / name).write_text(json.dumps(content))


def refusal(task, folder, labels=LABELS):
    with pytest.raises(InvalidInput) as err:
        read_labelled(model(task, labels), folder)
    assert "\n" not in str(err.value)
    return str(err.value)


def test_a_folder_a_class_is_sent_as_it_is(folder):
    put(folder, "cat/1.jpg", "more/dog/2.jpg")
    labelled = read_labelled(model("classification"), folder)
    assert labelled.lines is None
    assert [entry.name for entry in labelled.pictures] == ["cat/1.jpg", "more/dog/2.jpg"]


def test_a_class_that_the_version_does_not_know_is_named_with_the_nearest(folder):
    put(folder, "cat/1.jpg", "dgo/2.jpg", "zebra/3.jpg")
    text = refusal("classification", folder)
    assert "the folder 'dgo' is no class of my/pets@3; did you mean 'dog'" in text
    assert "and 1 more" in text


def test_a_folder_without_classes_or_pictures_is_refused(folder):
    assert "holds no image" in refusal("classification", folder)
    put(folder, "1.jpg")
    assert "has no folder for a class" in refusal("classification", folder)
    assert "does not exist" in refusal("classification", folder / "nowhere")


@pytest.mark.parametrize("task", ["embedding", "video-classification"])
def test_a_model_of_another_task_is_refused_by_it(folder, task):
    assert f"my/pets@3 does {task}, which is not evaluated" in refusal(task, folder)


@pytest.mark.parametrize(
    "name", ["annotations.json", "_annotations.coco.json", "instances_default.json"]
)
def test_boxes_of_a_coco_file_become_truths_in_the_order_of_the_pictures(folder, name):
    put(folder, "sub/b.jpg", "a.jpg", "c.jpg")
    coco(folder, name)
    labelled = read_labelled(model("detection"), folder)
    assert [entry.name for entry in labelled.pictures] == ["a.jpg", "sub/b.jpg"]
    box = {"x": 1.0, "y": 2.0, "width": 3.5, "height": 4.0}
    assert list(labelled.lines()) == [
        {"custom_id": "a.jpg", "boxes": [{"class": "cat", "box": box}]},
        {"custom_id": "sub/b.jpg", "boxes": []},
    ]
    assert labelled.pictures.skips.total().by_reason == {"crowd": 1, "no_truth": 1}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": [{"id": 1, "file_name": "gone.jpg"}]}, "names the picture 'gone.jpg', which"),
        ({"images": [{"id": 1, "file_name": "../secret.jpg"}]}, "'../secret.jpg', which is not in"),
        ({"images": [{"id": 1}]}, r"images[0] lacks its `id` or `file_name`"),
        ({"images": []}, "names no picture"),
        ({"images": [{"id": n, "file_name": "a.jpg"} for n in (1, 2)]}, "twice"),
        ({"categories": [{"id": 7, "name": "catt"}]}, "'catt' is no class of my/pets@3; did you"),
        ({"annotations": [{"image_id": 5, "category_id": 7}]}, "annotation 0 has the image_id 5"),
        ({"annotations": [{"image_id": 1, "category_id": 1}]}, "annotation 0 has the category_id"),
        ({"annotations": [{"image_id": 1, "category_id": 7}]}, "no `bbox` of x, y"),
        ({"annotations": [{"image_id": 1, "category_id": 7, "bbox": [1, 2, -3, 4]}]}, "negative"),
        ({"annotations": 3}, "no list `annotations`"),
    ],
)
def test_what_is_wrong_in_a_coco_file_is_told_in_one_line(folder, changes, words):
    put(folder, "a.jpg", "sub/b.jpg")
    put(folder.parent, "secret.jpg")
    changes = {"annotations": []} | changes if "images" in changes else changes
    coco(folder, **changes)
    assert words in refusal("detection", folder)


def test_there_is_one_coco_file(folder):
    put(folder, "a.jpg")
    assert "has no COCO file" in refusal("detection", folder)
    coco(folder)
    coco(folder, "instances_val.json")
    assert "more than one COCO file" in refusal("detection", folder)
    (folder / "instances_val.json").unlink()
    (folder / "annotations.json").write_text("{")
    assert "cannot be read as JSON" in refusal("detection", folder)


def save_ids(folder, name, ids, mode="L"):
    path = folder / "masks" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(ids.astype(np.uint8), mode="L")
    if mode == "P":
        image.putpalette(bytes(range(256)) * 3)
    image.save(path)


@pytest.fixture
def ids():
    return np.random.default_rng(2).integers(0, 3, (9, 13)).repeat(4, 0).repeat(3, 1)


@pytest.mark.parametrize("mode", ["L", "P"])
def test_a_png_of_class_ids_becomes_a_mask_a_class_and_255_becomes_none(folder, ids, mode):
    put(folder, "a.jpg", "sub/b.jpeg")
    ids[3:6, 3:9] = 255
    save_ids(folder, "a.png", ids, mode)
    save_ids(folder, "sub/b.png", np.zeros((2, 2)), mode)
    save_ids(folder, "stray.png", ids, mode)
    labelled = read_labelled(model("segmentation"), folder)
    first, second = labelled.lines()
    assert (first["custom_id"], second["custom_id"]) == ("a.jpg", "sub/b.jpeg")
    assert [each["class"] for each in first["masks"]] == LABELS
    for number, each in enumerate(first["masks"]):
        assert np.array_equal(rle.decode(each["mask"]), ids == number)
        assert each["mask"] == rle.encode(ids == number)
    assert [each["class"] for each in second["masks"]] == ["background"]
    assert labelled.pictures.skips.total().by_reason == {"no_picture": 1}


def test_masks_are_no_files_that_were_skipped_however_the_folder_is_named(folder, ids, monkeypatch):
    put(folder, "a.jpg")
    save_ids(folder, "a.png", ids, "L")
    monkeypatch.chdir(folder.parent)
    named = (folder, folder.relative_to(folder.parent), folder / ".." / folder.name)
    for each in named:
        assert read_labelled(model("segmentation"), each).pictures.skips.total().count == 0


def test_what_is_wrong_with_masks_is_told_in_one_line(folder, ids):
    put(folder, "a.jpg")
    assert "has no folder masks" in refusal("segmentation", folder)
    (folder / "masks").mkdir()
    assert "a.jpg has no mask" in refusal("segmentation", folder)
    save_ids(folder, "a.png", ids + 1)
    assert "has the class id 3, but my/pets@3 has 3 labels, 0 to 2" in refusal(
        "segmentation", folder
    )
    Image.new("RGB", (4, 4)).save(folder / "masks" / "a.png")
    assert "holds colours and no class ids" in refusal("segmentation", folder)
    whole = folder / "masks" / "a.png"
    save_ids(folder, "a.png", ids)
    whole.write_bytes(whole.read_bytes()[:60])
    assert "is no mask" in refusal("segmentation", folder)
    whole.write_bytes(b"JPEG")
    assert "it is no PNG" in refusal("segmentation", folder)
    (folder / "a.jpg").unlink()
    save_ids(folder, "a.png", ids)
    assert "holds masks alone" in refusal("segmentation", folder)


def chunk(kind, content):
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def png_of(raw, width, height, depth, kinds):
    """A grey PNG whose lines are filtered in the ways that `kinds` names, one after the other."""
    step, stride = max(1, depth // 8), -(-width * depth // 8)
    lines = np.frombuffer(raw, np.uint8).reshape(height, stride).astype(int)
    out, above = b"", np.zeros(stride, int)
    for number, line in enumerate(lines):
        kind = kinds[number % len(kinds)]
        left = np.concatenate([np.zeros(step, int), line[:-step]])
        corner = np.concatenate([np.zeros(step, int), above[:-step]])
        base = left + above - corner
        far = np.stack([abs(base - left), abs(base - above), abs(base - corner)])
        paeth = np.choose(far.argmin(0), [left, above, corner])
        guess = [0 * left, left, above, (left + above) // 2, paeth][kind]
        out += bytes([kind]) + bytes(((line - guess) % 256).astype(np.uint8))
        above = line
    header = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    data = zlib.compress(out)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", data[:9]), chunk(b"IDAT", data[9:]))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("kinds", [(0,), (1,), (2,), (3,), (4,), (4, 1, 3, 2, 0)])
def test_every_filter_and_depth_of_a_png_is_read_as_it_was_written(tmp_path, depth, kinds):
    rng = np.random.default_rng(depth)
    width, height = 13, 11
    stride = -(-width * depth // 8)
    raw = rng.integers(0, 256, height * stride, dtype=np.uint8).tobytes()
    path = tmp_path / "x.png"
    path.write_bytes(png_of(raw, width, height, depth, kinds))
    lines = np.frombuffer(raw, np.uint8).reshape(height, stride)
    if depth == 16:
        expected = lines.reshape(height, width, 2) @ np.array([256, 1])
    else:
        bits = np.unpackbits(lines, axis=1).reshape(height, -1, depth)
        expected = (bits @ (1 << np.arange(depth)[::-1]))[:, :width]
    assert np.array_equal(read_ids(path), expected)
    if depth == 8:
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(path.read_bytes()))), expected)


def test_a_picture_of_one_class_is_one_run():
    ((number, code),) = codes_of(np.full((3, 4), 2, np.uint8))
    assert (number, code) == (2, rle.encode(np.ones((3, 4), bool)))
