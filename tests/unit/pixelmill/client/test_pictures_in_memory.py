"""Pictures that never were files, tables of paths, and patterns: what is sent of them."""

import io
import sys
import tarfile

import numpy as np
import pandas
import polars
import pyarrow
import pytest
import torch
from PIL import Image

from pixelmill import InvalidInput
from pixelmill.client.inputs.planning import Gathered, Listed, plan_inputs
from pixelmill.wire.tarstream import tar_stream

PHOTO = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


@pytest.fixture
def accepting(server, say):
    server.on("POST", "/v1/files", say.answer(201, {"id": "file_1", "filename": "x", "bytes": 3}))
    server.on("POST", "/v1/jobs", say.job())
    return server


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("b.jpg", "a.jpg", "deep/c.png", "notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sent(inputs):
    """Read back what is sent: each picture's name and pixels."""
    body = b"".join(tar_stream(plan_inputs(inputs).pictures))
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        files = {name: archive.extractfile(name).read() for name in archive.getnames()}
    return {name: np.asarray(Image.open(io.BytesIO(data))) for name, data in files.items()}


def test_arrays_go_as_png_numbered_by_their_place(accepting, client):
    client.submit([PHOTO, PHOTO[:, :, 0]], model="digits")
    upload, submission = accepting.seen
    with tarfile.open(fileobj=io.BytesIO(upload.body)) as archive:
        assert archive.getnames() == ["000000.png", "000001.png"]
        data = archive.extractfile("000000.png").read()
    assert (np.asarray(Image.open(io.BytesIO(data))) == PHOTO).all()
    assert submission.json == {"model": "digits", "input_file_id": "file_1"}


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 3), (5, 7, 4)])
def test_an_array_keeps_its_pixels_whatever_its_channels(shape):
    picture = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    (pixels,) = sent(picture).values()
    assert (pixels.reshape(shape) == picture).all()


def test_an_array_of_four_axes_is_many_pictures():
    assert len(sent(np.zeros((3, 5, 7, 3), np.uint8))) == 3


def test_a_mapping_names_its_pictures(folder):
    found = sent({"cat": PHOTO, "dogs/one": Image.fromarray(PHOTO[::-1])})
    assert list(found) == ["cat", "dogs/one"]
    assert (found["dogs/one"] == PHOTO[::-1]).all()


def test_an_image_that_a_camera_turned_is_sent_upright():
    written = io.BytesIO()
    tags = Image.Exif()
    tags[0x0112] = 6
    Image.fromarray(PHOTO).save(written, "PNG", exif=tags)
    (pixels,) = sent(Image.open(io.BytesIO(written.getvalue()))).values()
    assert (pixels == np.rot90(PHOTO, -1)).all()


def test_bytes_of_files_go_as_they_are():
    body = b"".join(tar_stream(plan_inputs([b"one", bytearray(b"two")]).pictures))
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        assert [archive.extractfile(name).read() for name in archive.getnames()] == [b"one", b"two"]


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (np.zeros((5, 7, 3), np.float32), "float32 and (5, 7, 3)"),
        (np.zeros((3, 50, 70), np.uint8), "transpose(1, 2, 0)"),
        (np.zeros((0, 7, 3), np.uint8), "(0, 7, 3)"),
        (np.zeros((5,), np.uint8), "(5,)"),
        (np.zeros((5, 7), bool), "astype('uint8') * 255"),
        (np.zeros((5, 7), np.int64), "astype('uint8')"),
        (np.zeros((5, 7, 3), np.uint16), "// 257"),
        (Image.new("CMYK", (3, 3)), "convert('RGB')"),
        (Image.new("F", (3, 3)), "only you can scale"),
        (Image.new("I", (3, 3)), "only you can scale"),
    ],
)
def test_what_is_no_picture_is_refused_with_what_it_is_and_what_to_give(picture, words):
    with pytest.raises(InvalidInput) as raised:
        plan_inputs([PHOTO, picture])
    assert words in str(raised.value)
    assert "picture 1" in str(raised.value)


@pytest.mark.parametrize("name", ["", ".hidden", "notes.txt"])
def test_a_name_that_no_picture_has_is_refused(name):
    with pytest.raises(InvalidInput, match="names a picture"):
        plan_inputs({name: PHOTO})


def test_arrays_without_pillow_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(InvalidInput, match="pip install pillow"):
        b"".join(tar_stream(plan_inputs([PHOTO]).pictures))


def test_pictures_and_paths_are_not_mixed():
    with pytest.raises(InvalidInput, match="input 0 is a ndarray"):
        plan_inputs([PHOTO, "a.jpg"])


def test_predict_takes_an_array(server, client, say):
    server.on("POST", "/v1/predictions", say.answer(200, {"index": 0, "status": "succeeded"}))
    client.predict(PHOTO, model="digits")
    assert server.seen[0].json["input"]["data"].startswith("iVBOR")


FRAMES = [pandas.DataFrame, polars.DataFrame, pyarrow.table]


@pytest.mark.parametrize("frame", FRAMES)
def test_a_frame_s_paths_go_in_the_order_of_its_rows(frame, folder):
    table = frame({"label": ["x", "y"], "path": ["b.jpg", "a.jpg"]})
    assert [entry.name for entry in plan_inputs(table)] == ["b.jpg", "a.jpg"]


@pytest.mark.parametrize("frame", FRAMES)
def test_a_frame_s_urls_go_as_urls_by_the_column_that_is_named(frame):
    table = frame({"where": ["https://a.example/1.jpg"], "path": ["no.jpg"]})
    wanted = Listed("urls", ["https://a.example/1.jpg"])
    assert plan_inputs(table, path_column="where") == wanted


def test_a_frame_without_such_a_column_names_those_that_it_has():
    with pytest.raises(InvalidInput, match=r"path_column=….*there are x, y"):
        plan_inputs(pandas.DataFrame({"x": ["a"], "y": [1]}))
    with pytest.raises(InvalidInput, match=r"named 'z'; there are x"):
        plan_inputs(pandas.DataFrame({"x": ["a"]}), path_column="z")


def test_a_row_without_a_path_is_named(folder):
    with pytest.raises(InvalidInput, match="row 1 of the column 'path'"):
        plan_inputs(pandas.DataFrame({"path": ["a.jpg", None]}))


def test_a_row_that_repeats_is_a_result_of_its_own(folder):
    table = pandas.DataFrame({"path": ["a.jpg", "b.jpg", "a.jpg"]})
    assert [entry.name for entry in plan_inputs(table)] == ["a.jpg", "b.jpg", "a.jpg"]
    with pytest.raises(InvalidInput, match="given twice"):
        plan_inputs(["a.jpg", "a.jpg"])


def test_an_array_of_paths_is_a_list_of_them(folder):
    paths = plan_inputs(np.array(["a.jpg", "b.jpg"]))
    assert [entry.name for entry in paths] == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (io.BytesIO(b"picture"), "client.upload"),
        (None, "a NoneType is no input"),
        (3, "a int is no input"),
        ({}, "mapping of pictures is empty"),
        ({"a": "a.jpg"}, "'a' names a str"),
        ([float("nan")], "input 0 is a float"),
    ],
)
def test_what_is_no_input_is_told_what_to_give(folder, inputs, words):
    with pytest.raises(InvalidInput) as raised:
        plan_inputs(inputs)
    assert words in str(raised.value)


def test_a_tensor_is_told_how_to_become_an_array():
    for inputs in (torch.zeros(3, 5, 7), [torch.zeros(3, 5, 7)]):
        with pytest.raises(InvalidInput, match=r"tensor.numpy\(\)"):
            plan_inputs(inputs)


def test_grey_of_sixteen_bits_goes_as_it_is():
    picture = np.array([[0, 1000], [30000, 65535]], np.uint16)
    (pixels,) = sent(picture).values()
    assert (pixels == picture).all()


def test_a_picture_that_pillow_cannot_read_is_named():
    written = io.BytesIO()
    noise = np.random.default_rng(2).integers(0, 256, (100, 140, 3), np.uint8)
    Image.fromarray(noise).save(written, "PNG")
    cut = Image.open(io.BytesIO(written.getvalue()[:-4000]))
    with pytest.raises(InvalidInput, match="picture 1 cannot be read"):
        b"".join(tar_stream(plan_inputs([PHOTO, cut]).pictures))


def test_a_path_column_is_for_frames(folder):
    with pytest.raises(InvalidInput, match="for data frames"):
        plan_inputs("a.jpg", path_column="path")


def test_a_pattern_gives_the_files_that_it_fits_and_tells_the_others(folder):
    plan = plan_inputs("*")
    assert [entry.name for entry in plan] == ["a.jpg", "b.jpg"]
    assert plan.skips.total().by_reason == {"not_media": 1}
    assert [entry.name for entry in plan_inputs("**/*.png")] == ["c.png"]


def test_a_pattern_that_fits_nothing_says_so(folder):
    with pytest.raises(InvalidInput, match="fits no file"):
        plan_inputs("*.tif")
    with pytest.raises(InvalidInput, match="but other files"):
        plan_inputs("*.txt")


def test_a_file_whose_name_reads_like_a_pattern_is_a_file(folder):
    (folder / "a[1].jpg").write_bytes(b"x")
    assert plan_inputs("a[1].jpg") == Gathered((folder.__class__("a[1].jpg"),))
