"""What `-o` names is written whole or not at all, and nothing but a file is replaced by one."""

import os
import stat
import threading
from pathlib import Path

import pytest

from pixelmill.cli.showing.writing import new_text_file
from pixelmill.wire.errors import InvalidInput


def write(path: Path, text: str = "rows\n") -> None:
    with new_text_file(path) as file:
        file.write(text)


def test_a_fifo_is_written_to_and_stays_one(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    # Open for both, so that neither side waits for the other.
    reader = os.open(fifo, os.O_RDWR)
    writer = threading.Thread(target=write, args=(fifo,))
    writer.start()
    writer.join(10)
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert os.read(reader, 100) == b"rows\n"
    os.close(reader)


def test_a_link_stays_one_and_its_file_is_replaced(tmp_path: Path) -> None:
    file, link = tmp_path / "folder" / "file", tmp_path / "link"
    file.parent.mkdir()
    file.write_text("old")
    link.symlink_to(file)
    write(link)
    assert link.is_symlink()
    assert file.read_text() == "rows\n"
    assert [each.name for each in file.parent.iterdir()] == ["file"]


def test_a_device_is_written_to(tmp_path: Path) -> None:
    write(Path(os.devnull))
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


def test_no_file_of_another_name_is_touched(tmp_path: Path) -> None:
    other = tmp_path / "rows.csv.part"
    other.write_text("somebody's")
    write(tmp_path / "rows.csv")
    assert other.read_text() == "somebody's"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["rows.csv", "rows.csv.part"]


def test_what_broke_off_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), new_text_file(path):
        raise ZeroDivisionError
    assert [each.read_text() for each in tmp_path.iterdir()] == ["old"]


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput, match="names no file"):
        write(Path(""))
