"""Data sets of one folder a class: what belongs to which class, and what is held out."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from models.records.errors import DatasetError, InputError
from models.training.datasets import Images, arrange, label_of, open_images, split

NAMES = ["set/cats/1.jpg", "set/cats/2.jpg", "set/dogs/1.jpg", "set/dogs/2.jpg", "set/dogs/3.jpg"]


def write_folder(folder: Path, names: list[str] = NAMES) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return folder


def contents(images: Images) -> list[bytes | InputError]:
    return list(images.read(np.arange(len(images.classes))))


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("cats/1.jpg", "cats"),
        ("train/cats/1.jpg", "cats"),
        ("1.jpg", None),
        ("cats/.hidden.jpg", None),
        (".git/index", None),
        ("__MACOSX/cats/1.jpg", None),
        ("cats/Thumbs.db", None),
        ("../1.jpg", None),
        ("/1.jpg", None),
    ],
)
def test_the_folder_that_holds_an_image_names_its_class(name: str, label: str | None) -> None:
    assert label_of(name) == label


def test_names_are_put_into_classes_in_sorted_order() -> None:
    arranged = arrange(reversed([*NAMES, "README.txt"]))
    assert arranged.names == NAMES
    assert arranged.labels == ("cats", "dogs")
    assert arranged.classes.tolist() == [0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "at least two classes; none was found"),
        (["1.jpg", "2.jpg"], "none was found"),
        (["cats/1.jpg", "cats/2.jpg"], "only 'cats' was found"),
        (["cats/1.jpg", "cats/2.jpg", "dogs/1.jpg"], "Class 'dogs' has 1 image"),
        ([f"{number}/{n}.jpg" for number in range(1001) for n in "ab"], "1,001 classes"),
    ],
)
def test_what_is_no_data_set_is_refused_with_what_to_do(names: list[str], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        arrange(names)


def test_a_folder_and_a_zip_of_it_are_the_same_data_set(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for name in sorted(NAMES, reverse=True):
            archive.write(folder / name, name)
    on_disk, in_zip = open_images(folder), open_images(tmp_path / "set.zip")
    assert on_disk.labels == in_zip.labels
    assert on_disk.classes.tolist() == in_zip.classes.tolist()
    assert contents(on_disk) == contents(in_zip) == [name.encode() for name in NAMES]
    assert [in_zip.name(row) for row in range(5)] == NAMES


def test_a_file_that_cannot_be_read_is_told_and_costs_itself(tmp_path: Path) -> None:
    images = open_images(write_folder(tmp_path))
    (tmp_path / NAMES[1]).unlink()
    found = contents(images)
    assert isinstance(found[1], InputError)
    assert [found[row] for row in (0, 2, 3, 4)] == [NAMES[row].encode() for row in (0, 2, 3, 4)]


def test_a_member_with_a_false_checksum_is_told_and_costs_itself(tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in NAMES:
            archive.writestr(name, name)
    path.write_bytes(path.read_bytes().replace(b"set/cats/2.jpgset", b"set/cats/2.jpgSET", 1))
    found = contents(open_images(path))
    assert [isinstance(each, InputError) for each in found] == [False, True, False, False, False]


def test_what_is_neither_a_folder_nor_a_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "set.txt").write_text("cats and dogs")
    with pytest.raises(DatasetError, match="is no zip"):
        open_images(tmp_path / "set.txt")


def test_a_split_holds_out_the_share_of_each_class_and_repeats_itself() -> None:
    classes = np.repeat([0, 1, 2], [100, 10, 2])
    training, validation = split(classes, 0.2, seed=1)
    assert np.bincount(classes[validation]).tolist() == [20, 2, 1]
    assert sorted([*training, *validation]) == list(range(112))
    assert split(classes, 0.2, seed=1).validation.tolist() == validation.tolist()
    assert split(classes, 0.2, seed=2).validation.tolist() != validation.tolist()


def test_a_split_leaves_something_to_learn_from_whatever_its_share() -> None:
    training, _ = split(np.repeat([0, 1], 2), 0.9, seed=0)
    assert len(training) == 2
